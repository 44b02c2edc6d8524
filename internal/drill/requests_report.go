package drill

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
)

// writeRequests writes what became of requests, for people.
func (r *Report) writeRequests(w io.Writer) error {
	if len(r.Requests) == 0 {
		return nil
	}
	fmt.Fprintln(w)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "REQUESTS\tFROM\tMEMBERS LOST\tSENT\tFAILED BEFORE\tUNTIL NOTICED\tWITHIN\tAFTERWARDS\tWHEN BACK\tLAST AFTER\tPREDICTED\tRESULT")
	for i := range r.Requests {
		x := &r.Requests[i]
		lost := fmt.Sprintf("%d of %d", x.Lost, x.Members)
		switch {
		case x.Gateway == "":
			lost = "not known"
		case x.Pool == "":
			lost = "-" // the gateway answers itself
		}
		last := "none"
		if x.LastFailed >= 0 {
			last = round(x.LastFailed).String()
		}
		all := x.Sent.Before + x.Sent.Unnoticed + x.Sent.Noticed + x.Sent.After
		fmt.Fprintf(t, "%s\t%s\t%s\t%d\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", x.URL, x.From, lost, all,
			share(x.Failed.Before, x.Sent.Before), share(x.Failed.Unnoticed, x.Sent.Unnoticed), round(x.Within),
			share(x.Failed.Noticed, x.Sent.Noticed), share(x.Failed.After, x.Sent.After), last, x.Predicted, x.Comparison)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for i := range r.Requests {
		x := &r.Requests[i]
		var why []string
		for _, k := range slices.Sorted(maps.Keys(x.Why)) {
			why = append(why, fmt.Sprintf("%d %s", x.Why[k], k))
		}
		if len(why) > 0 {
			fmt.Fprintf(w, "%s from %s failed: %s\n", x.URL, x.From, strings.Join(why, "; "))
		}
		if x.Said != "" {
			fmt.Fprintf(w, "%s from %s: %s\n", x.URL, x.From, x.Said)
		}
	}
	return nil
}

func share(some, all int) string { return fmt.Sprintf("%d of %d", some, all) }

// requestDoc is a [RequestReport] for machines.
type requestDoc struct {
	URL        string         `json:"url"`
	From       string         `json:"from"`
	Gateway    string         `json:"gateway,omitempty"`
	Pool       string         `json:"pool,omitempty"`
	Members    int            `json:"members"`
	Lost       int            `json:"membersLost"`
	Within     *float64       `json:"withinMs"`
	Sent       countedDoc     `json:"sent"`
	Failed     countedDoc     `json:"failed"`
	Longest    *float64       `json:"longestMs"`
	LastFailed *float64       `json:"lastFailedMs"`
	Why        map[string]int `json:"why,omitempty"`
	Predicted  Forecast       `json:"predicted"`
	Result     Comparison     `json:"result"`
	Said       string         `json:"said,omitempty"`
}

type countedDoc struct {
	Before    int `json:"before"`
	Unnoticed int `json:"untilNoticed"`
	Noticed   int `json:"afterwards"`
	After     int `json:"whenBack"`
}

func (r *Report) requestDocs() []requestDoc {
	var out []requestDoc
	for i := range r.Requests {
		x := &r.Requests[i]
		out = append(out, requestDoc{
			URL: x.URL, From: x.From, Gateway: x.Gateway, Pool: x.Pool, Members: x.Members, Lost: x.Lost, Within: ms(x.Within),
			Sent: countedDoc(x.Sent), Failed: countedDoc(x.Failed), Longest: ms(x.Longest), LastFailed: ms(x.LastFailed),
			Why: x.Why, Predicted: x.Predicted, Result: x.Comparison, Said: x.Said,
		})
	}
	return out
}
