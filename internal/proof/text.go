package proof

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/ceruleannet/cerulean/internal/fabric"
)

// width is how many columns text takes at most.
const width = 100

// Style is how text is written.
type Style struct {
	Colour bool // ANSI colours (ECMA-48)
}

func (s Style) paint(code, text string) string {
	if !s.Colour {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

func (s Style) status(st Status) string {
	text := fmt.Sprintf("%-7s", strings.ToUpper(st.String()))
	return s.paint([...]string{"33", "32", "31"}[st], text)
}

func (s Style) verdict(v string) string {
	switch v {
	case "allow":
		return s.paint("32", v)
	case "deny":
		return s.paint("31", v)
	default:
		return s.paint("33", v)
	}
}

func (s Style) dim(text string) string  { return s.paint("2", text) }
func (s Style) bold(text string) string { return s.paint("1", text) }

// WriteFindings writes findings for people: a line each, and below those that
// do not hold why, the witness's way, and what else is concerned.
func WriteFindings(out io.Writer, findings []Finding, style Style) error {
	w := bufio.NewWriter(out)
	for i := range findings {
		findings[i].write(w, style)
	}
	return w.Flush()
}

// WriteText writes one finding.
func (f *Finding) WriteText(out io.Writer, style Style) error {
	w := bufio.NewWriter(out)
	f.write(w, style)
	return w.Flush()
}

func (f *Finding) write(w *bufio.Writer, style Style) {
	fmt.Fprintf(w, "%s  %s\n", style.status(f.Status), style.bold(f.Expectation.Name))
	if f.Expectation.Text != "" && f.Expectation.Text != f.Expectation.Name {
		wrap(w, "         ", style.dim, f.Expectation.Text)
	}
	wrap(w, "         ", plain, f.Why)
	if f.Status == Holds {
		return
	}
	if pos := f.Expectation.Pos.String(); pos != "" {
		wrap(w, "         ", style.dim, "claimed at "+pos)
	}
	if f.Witness != nil {
		f.Witness.write(w, style)
	}
	for i := range f.Groups {
		g := &f.Groups[i]
		more := ""
		if g.More {
			more = "at least "
		}
		if i == 0 {
			if g.Pairs > 1 {
				wrap(w, "         ", plain, fmt.Sprintf("%s%d pairs of ports are concerned", more, g.Pairs))
			}
			continue
		}
		wrap(w, "       + ", plain, fmt.Sprintf("%s%s: %s", more, plural(g.Pairs, "pair"), g.Cause))
		if g.Witness.Name == "" {
			wrap(w, "         ", style.dim, fmt.Sprintf("for example %s from %s", g.Witness.Packet, g.Witness.FromName))
		}
	}
	if f.Omitted > 0 {
		wrap(w, "       + ", plain, plural(f.Omitted, "further cause"))
	}
}

func (wit *Witness) write(w *bufio.Writer, style Style) {
	if wit.Name != "" {
		return // the sentence said it all
	}
	writeHops(w, style, "there", wit.hops.rows(&wit.Conn.Forward))
	if wit.Conn.Forward.Verdict == fabric.VerdictAllow {
		writeHops(w, style, "back", wit.hops.rows(&wit.Conn.Reply))
	}
	if wit.Forced {
		wrap(w, indent, style.dim, "a running network chooses another target for this very packet; which one is chance")
	}
}

// MarshalJSON gives witnesses a shape of their own.
func (wit *Witness) MarshalJSON() ([]byte, error) {
	out := struct {
		From    string   `json:"from"`
		To      string   `json:"to,omitempty"`
		Packet  string   `json:"packet,omitempty"`
		Name    string   `json:"name,omitempty"`
		Answer  []string `json:"answer,omitempty"`
		Verdict string   `json:"verdict"`
		Code    string   `json:"code,omitempty"`
		Reason  string   `json:"reason"`
		Choices []string `json:"choices,omitempty"`
		Forced  bool     `json:"forced,omitempty"`
		Forward []Hop    `json:"forward,omitempty"`
		Reply   []Hop    `json:"reply,omitempty"`
	}{From: wit.FromName, To: wit.ToName, Name: wit.Name, Verdict: wit.Verdict.String(), Reason: wit.Reason}
	if wit.Answer != nil {
		for _, a := range wit.Answer.Addrs {
			out.Answer = append(out.Answer, a.String())
		}
		return marshal(out)
	}
	_, reason := wit.Conn.Verdict()
	out.Packet, out.Code = wit.Packet.String(), reason.Code.String()
	out.Choices, out.Forced = wit.hops.choices(wit.Choices), wit.Forced
	out.Forward = wit.hops.rows(&wit.Conn.Forward)
	if wit.Conn.Forward.Verdict == fabric.VerdictAllow {
		out.Reply = wit.hops.rows(&wit.Conn.Reply)
	}
	return marshal(out)
}

// WriteJSON writes an explanation as indented JSON.
func (x *Explanation) WriteJSON(out io.Writer) error {
	e := json.NewEncoder(out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(x)
}

// WriteText writes an explanation for people.
func (x *Explanation) WriteText(out io.Writer, style Style) error {
	w := bufio.NewWriter(out)
	if x.Problem != "" {
		wrap(w, "", plain, x.Problem)
		return w.Flush()
	}
	fmt.Fprintf(w, "%s  %s\n", style.bold(x.Packet), style.verdict(x.Verdict))
	wrap(w, "", plain, x.Why)
	writeHops(w, style, "there", x.Forward)
	if len(x.Reply) > 0 {
		writeHops(w, style, "back", x.Reply)
	}
	if len(x.Blockers) == 0 {
		x.writeClosures(w, style)
		return w.Flush()
	}
	fmt.Fprintf(w, "\n%s\n", style.bold("what stops it"))
	for i := range x.Blockers {
		b := &x.Blockers[i]
		wrap(w, fmt.Sprintf("%3d  ", i+1), plain, b.What)
		if b.Fix != "" {
			wrap(w, "     ", func(s string) string { return style.paint("32", s) }, "fix: "+b.Fix)
		}
	}
	if x.Complete {
		wrap(w, "", plain, fmt.Sprintf("With %s the flow works (tried on a copy of the network):", map[bool]string{true: "this change", false: "these changes"}[len(x.Blockers) == 1]))
		writeHops(w, style, "there", x.FixedForward)
		writeHops(w, style, "back", x.FixedReply)
		x.writeOpens(w, style)
	} else {
		wrap(w, "", plain, "What lies behind the last of these was not examined: no single setting lifts it.")
	}
	return w.Flush()
}

func plain(s string) string { return s }

// gap separates the columns of a table, indent is what its rows begin with.
const (
	gap    = "  "
	indent = "          "
)

// columns returns how wide the stage, match and result of a table of hops are:
// as wide as their longest text, the widest cut where that is too much. Short
// tables get room for what mostly comes, so that a way there and its way back
// line up.
func columns(rows []Hop) (n [3]int) {
	n = [3]int{21, 30, 12}
	for i := range rows {
		if r := &rows[i]; r.Stage != "stopped" {
			for k, text := range [3]string{r.Stage, r.Match, r.Result} {
				n[k] = max(n[k], utf8.RuneCountInString(text))
			}
		}
	}
	const room = width - len(indent) - 2*len(gap)
	for n[0]+n[1]+n[2] > room {
		widest := 0
		for k := range n {
			if n[k] > n[widest] {
				widest = k
			}
		}
		n[widest]--
	}
	return n
}

// writeHops writes one way of a packet as a table: each port it passes, and
// below it what happened there.
func writeHops(w *bufio.Writer, style Style, title string, rows []Hop) {
	fmt.Fprintf(w, "    %s\n", style.dim(title))
	n := columns(rows)
	at := 0
	for i := range rows {
		r := &rows[i]
		if r.Hop != at {
			at = r.Hop
			fmt.Fprintf(w, "    %2d  %s\n", at, r.Port)
		}
		if r.Stage == "stopped" {
			continue // a sentence below the table
		}
		line := indent + pad(r.Stage, n[0]) + gap + pad(r.Match, n[1]) + gap + style.result(shorten(r.Result, n[2]))
		fmt.Fprintln(w, strings.TrimRight(line, " "))
	}
	if n := len(rows); n > 0 && rows[n-1].Stage == "stopped" {
		wrap(w, indent, func(s string) string { return style.paint("31", s) }, "stopped: "+rows[n-1].Result)
	}
}

func (s Style) result(text string) string {
	switch strings.TrimSpace(text) {
	case "deny":
		return s.paint("31", text)
	case "unknown":
		return s.paint("33", text)
	default:
		return text
	}
}

// pad makes text exactly n columns wide, cutting out its middle if it is
// longer.
func pad(text string, n int) string {
	text = shorten(text, n)
	return text + strings.Repeat(" ", n-utf8.RuneCountInString(text))
}

// shorten shortens text to n columns by leaving out the middle: names differ at
// their ends.
func shorten(text string, n int) string {
	r := []rune(text)
	if len(r) <= n {
		return text
	}
	head := (n - 1) * 2 / 3
	return string(r[:head]) + "…" + string(r[len(r)-(n-1-head):])
}

// wrap writes text within the width, every line after the first indented like
// the first.
func wrap(w *bufio.Writer, indent string, paint func(string) string, text string) {
	rest := strings.Repeat(" ", utf8.RuneCountInString(indent))
	line, n := "", 0
	flush := func() {
		fmt.Fprintf(w, "%s%s\n", indent, paint(line))
		indent = rest
	}
	for _, word := range strings.Fields(text) {
		k := utf8.RuneCountInString(word)
		if n > 0 && len(rest)+n+1+k > width {
			flush()
			line, n = "", 0
		}
		if n > 0 {
			line, n = line+" ", n+1
		}
		line, n = line+word, n+k
	}
	if n > 0 {
		flush()
	}
}

// Failed reports whether a claim is broken or could not be decided.
func Failed(findings []Finding) bool {
	for i := range findings {
		if findings[i].Status != Holds {
			return true
		}
	}
	return false
}

var _ json.Marshaler = (*Witness)(nil)
