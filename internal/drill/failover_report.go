package drill

import (
	"cmp"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/ceruleannet/cerulean/model"
)

// GroupReport is what a failover group did, as its clients measured it.
type GroupReport struct {
	Group     string
	From      string // the primary before
	To        string // the primary while the failure lasted; empty: nobody took over
	Automatic bool
	// Grace is the grace period of the drill, Declared the group's own.
	Grace, Declared time.Duration
	TTL             time.Duration // of its names
	Hit             bool          // the failure took its primary
	Writer          string        // the host that measured; empty: nobody could

	// FailedOver is when the roles changed, NameMoved when the listener's name led
	// to the new primary, Recovered when a client that resolves it anew had its
	// next commit acknowledged: all after the failure, negative for never.
	FailedOver, NameMoved, Recovered time.Duration
	AtMost                           time.Duration // predicted of Recovered
	Why                              string        // the last try that failed

	// Acknowledged counts the commits that writers know of, Lost those that are
	// not there any more; Oldest is how long before the failure the oldest of them
	// was acknowledged, LossAtMost the prediction: what needs longer to be
	// elsewhere.
	Acknowledged, Lost int
	Oldest, LossAtMost time.Duration
	// First and Last are the numbers of the lost commits, of all clients.
	First, Last uint64
	Uncounted   string // why nobody could count

	Back       time.Duration // what the planned failover back took; negative: it was none
	BackWhy    string        // why there was none
	Comparison Comparison
	Said       string
}

// judge compares with what follows from the group's policy and its distances.
func (r *GroupReport) judge() {
	r.Comparison = AsPredicted
	worse := func(format string, args ...any) { r.Comparison, r.Said = Worse, fmt.Sprintf(format, args...) }
	switch {
	case r.Writer == "":
		r.Comparison, r.Said = NotJudged, "no host that survives may connect to it"
	case r.Uncounted != "":
		worse("nobody could count what is there: %s", r.Uncounted)
	case r.Hit && !r.Automatic:
		r.Comparison, r.Said = NotJudged, "its policy is manual: nobody fails it over"
	case r.Hit && r.To == "":
		worse("its primary was away for longer than its grace period, and nobody took over")
	case r.Recovered == never:
		worse("nobody could commit again: %s", r.Why)
	case r.Hit && r.Recovered > r.AtMost:
		worse("the next commit was acknowledged %s after the failure, predicted at most %s", round(r.Recovered), round(r.AtMost))
	case r.Lost > 0 && r.To == "":
		worse("%d commits are lost, and there was no failover", r.Lost)
	case r.Lost > 0 && r.Oldest > r.LossAtMost+look:
		worse("a commit acknowledged %s before the failure is lost, and data are elsewhere after %s", round(r.Oldest), round(r.LossAtMost))
	case r.To != "" && r.Back < 0:
		worse("it could not be moved back: %s", r.BackWhy)
	}
}

// writeGroups writes what failover groups did, for people.
func (r *Report) writeGroups(w io.Writer) error {
	if len(r.Groups) == 0 {
		return nil
	}
	fmt.Fprintln(w)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "FAILOVER GROUP\tROLES AFTER\tNAME AFTER\tCOMMIT AFTER\tAT MOST\tCOMMITS\tLOST\tRESULT")
	for i := range r.Groups {
		g := &r.Groups[i]
		lost := fmt.Sprint(g.Lost)
		if g.Uncounted != "" {
			lost = "unknown"
		}
		most := "-"
		if g.Hit && g.Automatic {
			most = round(g.AtMost).String()
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%d\t%s\t%s\n", g.Group, after(g.FailedOver), after(g.NameMoved), after(g.Recovered), most, g.Acknowledged, lost, g.Comparison)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for i := range r.Groups {
		if _, err := fmt.Fprintln(w, strings.Join(r.Groups[i].sentences(), "\n   ")); err != nil {
			return err
		}
	}
	return nil
}

// sentences say what the table has no room for.
func (r *GroupReport) sentences() []string {
	out := []string{r.Group + ": " + cmp.Or(r.Said, "as predicted")}
	switch {
	case r.To != "":
		out = append(out, fmt.Sprintf("%s -> %s", r.From, r.To))
	case r.From != "":
		out = append(out, r.From+" stayed the primary")
	}
	if r.Writer != "" {
		out = append(out, "measured at "+r.Writer)
	}
	if r.Hit && r.Automatic {
		text := fmt.Sprintf("grace period %s", round(r.Grace))
		if r.Grace != r.Declared {
			text += fmt.Sprintf(" for this drill, %s as declared", r.Declared)
		}
		out = append(out, text, fmt.Sprintf("names are kept for %s", round(r.TTL)))
	}
	if r.To != "" {
		out = append(out, fmt.Sprintf("commits of less than %s before the failure could be lost", round(r.LossAtMost)))
		if r.Lost > 0 {
			out = append(out, fmt.Sprintf("the oldest lost is of %s before it (numbers %d to %d of the database)", round(r.Oldest), r.First, r.Last))
		}
	}
	if r.Back >= 0 {
		out = append(out, fmt.Sprintf("moved back by a planned failover in %s", r.Back.Round(10*time.Microsecond)))
	}
	return out
}

// groupDocs are the reports for machines.
func (r *Report) groupDocs() []groupDoc {
	out := []groupDoc{}
	for i := range r.Groups {
		g := &r.Groups[i]
		out = append(out, groupDoc{
			Group: g.Group, From: g.From, To: g.To, Automatic: g.Automatic, Grace: ms(g.Grace), Declared: ms(g.Declared), TTL: ms(g.TTL), Hit: g.Hit, Writer: g.Writer,
			FailedOver: ms(g.FailedOver), NameMoved: ms(g.NameMoved), Recovered: ms(g.Recovered), AtMost: ms(g.AtMost), Why: g.Why,
			Acknowledged: g.Acknowledged, Lost: g.Lost, Oldest: ms(g.Oldest), LossAtMost: ms(g.LossAtMost), First: g.First, Last: g.Last,
			Uncounted: g.Uncounted, Back: ms(g.Back), Result: g.Comparison, Said: g.Said,
		})
	}
	return out
}

type groupDoc struct {
	Group        string     `json:"group"`
	From         string     `json:"from"`
	To           string     `json:"to,omitempty"`
	Automatic    bool       `json:"automatic"`
	Grace        *float64   `json:"graceMs"`
	Declared     *float64   `json:"declaredGraceMs"`
	TTL          *float64   `json:"ttlMs"`
	Hit          bool       `json:"primaryFailed"`
	Writer       string     `json:"measuredAt,omitempty"`
	FailedOver   *float64   `json:"rolesMs"`
	NameMoved    *float64   `json:"nameMs"`
	Recovered    *float64   `json:"commitMs"`
	AtMost       *float64   `json:"commitAtMostMs"`
	Why          string     `json:"why,omitempty"`
	Acknowledged int        `json:"acknowledged"`
	Lost         int        `json:"lost"`
	Oldest       *float64   `json:"oldestLostMs"`
	LossAtMost   *float64   `json:"oldestLostAtMostMs"`
	First        uint64     `json:"firstLost,omitempty"`
	Last         uint64     `json:"lastLost,omitempty"`
	Uncounted    string     `json:"uncounted,omitempty"`
	Back         *float64   `json:"backMs"`
	Result       Comparison `json:"result"`
	Said         string     `json:"said,omitempty"`
}

// keyOf is the key of a resource ID; empty if it is none.
func keyOf(resource string) string {
	id, err := model.ParseID(resource)
	if err != nil {
		return ""
	}
	return id.Key()
}
