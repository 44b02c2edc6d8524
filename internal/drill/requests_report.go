package drill

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"text/tabwriter"
)

// writeRequests writes what became of requests, for people: what was sent, then how
// much of it failed and when, then why.
func (r *Report) writeRequests(w io.Writer) error {
	if len(r.Requests) == 0 {
		return nil
	}
	fmt.Fprintln(w, "\nREQUESTS")
	for i := range r.Requests {
		x := &r.Requests[i]
		lost := fmt.Sprintf("%d of %d members lost", x.Lost, x.Members)
		switch {
		case x.Gateway == "":
			lost = "which members it has is not known"
		case x.Pool == "":
			lost = "its gateway answers itself"
		}
		all := x.Sent.Before + x.Sent.Unnoticed + x.Sent.Noticed + x.Sent.After
		fmt.Fprintf(w, "%d  %s from %s\n   %d sent; %s; probes notice within %s\n", i+1, x.URL, x.From, all, lost, round(x.Within))
	}
	fmt.Fprintln(w)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "FAILED\tBEFORE\tUNTIL NOTICED\tAFTERWARDS\tWHEN BACK\tLAST AFTER\tPREDICTED\tRESULT")
	for i := range r.Requests {
		x := &r.Requests[i]
		last := "none"
		if x.LastFailed >= 0 {
			last = round(x.LastFailed).String()
		}
		fmt.Fprintf(t, "%d\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", i+1,
			share(x.Failed.Before, x.Sent.Before), share(x.Failed.Unnoticed, x.Sent.Unnoticed),
			share(x.Failed.Noticed, x.Sent.Noticed), share(x.Failed.After, x.Sent.After), last, x.Predicted, x.Comparison)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for i := range r.Requests {
		x := &r.Requests[i]
		for j, k := range slices.Sorted(maps.Keys(x.Why)) {
			if j == 0 {
				fmt.Fprintf(w, "%d failed because:\n", i+1)
			}
			fmt.Fprintf(w, "   %d times %s\n", x.Why[k], k)
		}
		if x.Said != "" {
			fmt.Fprintf(w, "%d: %s\n", i+1, x.Said)
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
