package proof

import (
	"bufio"
	"fmt"
	"io"
	"strings"

	"github.com/ceruleannet/cerulean/internal/fabric"
)

// WriteText writes a difference for people: what appears, then what
// disappears, a paragraph each with one packet to show it.
func (d *Difference) WriteText(out io.Writer, style Style) error {
	w := bufio.NewWriter(out)
	if d.Same() {
		fmt.Fprintln(w, "the same for all packets")
		return w.Flush()
	}
	for i := range d.Changes {
		d.Changes[i].write(w, style, "")
	}
	return w.Flush()
}

// WriteFates writes what becomes of all traffic between two selections.
func WriteFates(out io.Writer, fates []Fate, style Style) error {
	w := bufio.NewWriter(out)
	for i := range fates {
		f := &fates[i]
		colour := map[Level]string{LevelWorks: "32", LevelDenied: "31"}[f.Level]
		if colour == "" {
			colour = "33"
		}
		fmt.Fprintf(w, "%s  %s\n", style.paint(colour, fmt.Sprintf("%-7s", f.Level)), f.Traffic)
		c := Change{Pairs: f.Pairs, More: f.More}
		ends := "from " + listed(f.From)
		if len(f.To) > 0 {
			ends += " to " + listed(f.To)
		}
		wrap(w, "         ", plain, ends+c.count())
		if f.Because != "" {
			because := f.Because
			if f.Place != "" {
				because += " [" + f.Place + "]"
			}
			wrap(w, "         ", plain, because)
		}
		wrap(w, "         ", style.dim, fmt.Sprintf("for example %s from %s", f.Witness.Packet, f.Witness.FromName))
	}
	return w.Flush()
}

// headline says what became of the traffic.
func (c *Change) headline() string {
	switch {
	case c.Elsewhere:
		return "goes elsewhere"
	case c.After == LevelWorks && c.Before == LevelDenied:
		return "appears"
	case c.Before == LevelWorks && c.After == LevelDenied:
		return "disappears"
	default:
		return c.Before.String() + ", now " + c.After.String()
	}
}

func (c *Change) sign() (sign, colour string) {
	switch {
	case c.Elsewhere:
		return "~", "33"
	case c.Appears():
		return "+", "31" // more is let through: look at it
	default:
		return "-", "33"
	}
}

func (c *Change) write(w *bufio.Writer, style Style, indent string) {
	sign, colour := c.sign()
	fmt.Fprintf(w, "%s%s %s  %s\n", indent, style.paint(colour, sign), style.bold(c.headline()), c.Traffic)
	deep := indent + "    "
	wrap(w, deep, plain, "from "+listed(c.From)+" to "+listed(c.To)+c.count())
	because := c.Because
	if c.Place != "" {
		because += " [" + c.Place + "]"
	}
	switch {
	case c.Elsewhere:
	case c.Appears():
		wrap(w, deep, plain, "before: "+because)
	default:
		wrap(w, deep, plain, "now: "+because)
	}
	if c.Witness != nil {
		wrap(w, deep, style.dim, fmt.Sprintf("for example %s from %s to %s", c.Witness.Packet, c.Witness.FromName, c.Witness.ToName))
	}
}

func (c *Change) count() string {
	switch {
	case c.More:
		return fmt.Sprintf(" (at least %d pairs of ports)", c.Pairs)
	case c.Pairs > 1:
		return fmt.Sprintf(" (%d pairs of ports)", c.Pairs)
	default:
		return ""
	}
}

// listed writes names of ports.
func listed(list []string) string {
	text := strings.Join(list, ", ")
	if len(list) == maxNames {
		text += " and others"
	}
	return text
}

// writeOpens says what else the changes of an explanation open.
func (x *Explanation) writeOpens(w *bufio.Writer, style Style) {
	if x.opened == nil || x.Opens == nil {
		return
	}
	if len(x.Opens) == 1 && x.only(&x.Opens[0]) {
		wrap(w, "", plain, "Nothing else would be let through.")
		return
	}
	wrap(w, "", plain, "All that would be let through, or lost, by it:")
	for i := range x.Opens {
		x.Opens[i].write(w, style, "  ")
	}
}

// only reports whether a change is about the explained flow alone.
func (x *Explanation) only(c *Change) bool {
	p := x.Conn.Forward.Packet
	text := fabric.ProtoName(p.Proto)
	if p.HasPorts() {
		text += fmt.Sprintf("/%d", p.DstPort)
	}
	return c.Pairs <= 1 && c.Traffic == text
}

// How many closures are written, and how many changes of each.
const (
	maxClosures = 6
	maxListed   = 3
)

// writeClosures says how a flow that works could be stopped.
func (x *Explanation) writeClosures(w *bufio.Writer, style Style) {
	if len(x.Closures) == 0 {
		return
	}
	fmt.Fprintf(w, "\n%s\n", style.bold("what would stop it, the smallest change first"))
	for i := range x.Closures {
		if i == maxClosures {
			fmt.Fprintf(w, "     and %s that stop more\n", plural(len(x.Closures)-i, "other change"))
			break
		}
		c := &x.Closures[i]
		text := c.Fix
		if c.Place != "" {
			text += " [" + c.Place + "]"
		}
		wrap(w, fmt.Sprintf("%3d  ", i+1), plain, text)
		switch {
		case len(c.Closes) == 1 && x.only(&c.Closes[0]):
			wrap(w, "     ", style.dim, "nothing else stops")
		default:
			wrap(w, "     ", style.dim, fmt.Sprintf("it changes what becomes of %s:", plural(c.Pairs, "pair")))
			for j := range c.Closes {
				if j == maxListed {
					fmt.Fprintf(w, "       and %s\n", plural(len(c.Closes)-j, "further change"))
					break
				}
				wrap(w, "       ", style.dim, fmt.Sprintf("%s: %s from %s to %s%s", c.Closes[j].headline(), c.Closes[j].Traffic,
					listed(c.Closes[j].From), listed(c.Closes[j].To), c.Closes[j].count()))
			}
		}
	}
}
