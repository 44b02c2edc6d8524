package observe

import (
	"fmt"
	"io"
	"net/netip"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/ceruleannet/cerulean/internal/engine"
	"github.com/ceruleannet/cerulean/internal/fabric"
)

// FlowRow is one flow in words.
type FlowRow struct {
	ID    uint64 `json:"id"`
	State string `json:"state"` // "open"; "closing" once TCP has ended; "denied"
	From  string `json:"from"`  // the port where it enters, or "platform" of a health probe
	To    string `json:"to"`    // the port where it ends or was stopped, or "platform"
	// Protocol, Source and Destination are of the flow as it enters;
	// Translated is the flow as it arrives, where that differs.
	Protocol    string   `json:"protocol"`
	Source      string   `json:"source"`
	Destination string   `json:"destination"`
	Translated  string   `json:"translated,omitempty"`
	Path        []string `json:"path"`
	Decision    Decision `json:"decision"`
	// Reply is what became of its replies, once there was one.
	Reply *Decision `json:"reply,omitempty"`
	Rules []string  `json:"rules,omitempty"` // the rules that its first packet met
	// Out and Back are what it carried, from its opener and to it.
	PacketsOut  uint64 `json:"packetsOut"`
	BytesOut    uint64 `json:"bytesOut"`
	PacketsBack uint64 `json:"packetsBack"`
	BytesBack   uint64 `json:"bytesBack"`
	// AgeMS and IdleMS are since its first and its last packet.
	AgeMS  float64 `json:"ageMs"`
	IdleMS float64 `json:"idleMs"`
	// ConnectMS is how long its first reply took; nil if it is not known.
	ConnectMS *float64 `json:"connectMs,omitempty"`
	Began     string   `json:"began,omitempty"` // of an event: RFC 3339
	Ended     string   `json:"ended,omitempty"` // of an event: why, "idle", "fin", "reset", …
}

// Row puts a flow into words. img is the image in force, now the time of the
// flows; connect is how long its first reply took, 0 if that is not known.
func Row(img *fabric.Image, f *engine.Flow, now, connect time.Duration) FlowRow {
	p := f.Forward.Packet
	r := FlowRow{
		ID: uint64(f.ID), State: "open", From: PortName(img, f.Forward.From), Protocol: fabric.ProtoName(p.Proto),
		Source: end(p, p.Src, p.SrcPort), Destination: end(p, p.Dst, p.DstPort),
		PacketsOut: f.Forward.Packets, BytesOut: f.Forward.Bytes, PacketsBack: f.Reply.Packets, BytesBack: f.Reply.Bytes,
		AgeMS: millis(now - f.Began), IdleMS: millis(now - f.Seen),
	}
	if f.Platform {
		r.From = "platform"
	}
	t := Retrace(img, f)
	r.Rules = RuleNames(img, MetBy(&t))
	verdict, reason, path := f.Forward.Verdict, f.Forward.Reason, f.Forward.Path
	if !f.Forward.Decided { // another image came into force since its last packet
		verdict, reason, path = t.Verdict, t.Reason, t.Path
	}
	for _, at := range path {
		r.Path = append(r.Path, PortName(img, at))
	}
	if n := len(r.Path); n > 0 {
		r.To = r.Path[n-1]
	}
	if reason.Code == fabric.CodePlatform && !f.Platform {
		r.To = "platform"
	}
	r.Decision = Decide(img, verdict, fabric.FaultNone, reason)
	switch {
	case f.Forward.Verdict != fabric.VerdictAllow:
		r.State = "denied"
	case f.Closed:
		r.State = "closing"
	}
	if q := f.Reply.Packet.Reverse(); r.State != "denied" && q != p && q.Src.IsValid() {
		r.Translated = fmt.Sprintf("%s > %s", end(q, q.Src, q.SrcPort), end(q, q.Dst, q.DstPort))
	}
	if f.Reply.Decided && f.Reply.Packets > 0 {
		d := Decide(img, f.Reply.Verdict, fabric.FaultNone, f.Reply.Reason)
		r.Reply = &d
	}
	if connect > 0 {
		ms := millis(connect)
		r.ConnectMS = &ms
	}
	return r
}

func millis(d time.Duration) float64 { return float64(max(d, 0)) / float64(time.Millisecond) }

// end is one end of a flow.
func end(p fabric.Packet, a netip.Addr, port uint16) string {
	if !p.HasPorts() {
		return a.String()
	}
	return netip.AddrPortFrom(a, port).String()
}

// Verdict is the flow's verdict in a word, with what stopped it.
func (r *FlowRow) verdict() string {
	d := &r.Decision
	if d.Verdict == fabric.VerdictAllow.String() && r.Reply != nil && r.Reply.Verdict != d.Verdict {
		return "reply " + r.Reply.Verdict
	}
	return d.Verdict
}

// why is the rule or reason to show beside the verdict.
func (r *FlowRow) why() string {
	d := &r.Decision
	if d.Verdict == fabric.VerdictAllow.String() && r.Reply != nil && r.Reply.Verdict != d.Verdict {
		d = r.Reply
	}
	switch {
	case d.Verdict != fabric.VerdictAllow.String() && d.Rule != "":
		return d.Rule + " at " + d.At
	case d.Verdict != fabric.VerdictAllow.String():
		return d.Text
	case len(r.Rules) == 0:
		return "no rule"
	default:
		return strings.Join(r.Rules, ", ")
	}
}

// WriteRows writes flows as a table.
func WriteRows(w io.Writer, rows []FlowRow) error {
	if len(rows) == 0 {
		_, err := fmt.Fprintln(w, "no flows")
		return err
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "FLOW\tSTATE\tFROM\tTO\tPROTO\tSOURCE\tDESTINATION\tVERDICT\tBECAUSE OF\tOUT\tBACK\tAGE\tCONNECT")
	for i := range rows {
		r := &rows[i]
		connect := "-"
		if r.ConnectMS != nil {
			connect = duration(*r.ConnectMS)
		}
		fmt.Fprintf(t, "%d\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", r.ID, r.State, r.From, r.To, r.Protocol, r.Source, r.Destination,
			r.verdict(), r.why(), carried(r.PacketsOut, r.BytesOut), carried(r.PacketsBack, r.BytesBack), duration(r.AgeMS), connect)
	}
	return t.Flush()
}

// Line is a flow as one line of text, for following.
func (r *FlowRow) Line() string {
	what := "begins"
	switch {
	case r.Ended != "":
		what = "ends (" + r.Ended + ")"
	case r.State == "denied":
		what = "denied"
	}
	text := fmt.Sprintf("%s %s: %s %s > %s, %s to %s: %s: %s", clock(r.Began), what, r.Protocol, r.Source, r.Destination, r.From, r.To, r.verdict(), r.why())
	if r.Translated != "" {
		text += "; arrives as " + r.Translated
	}
	if r.Ended != "" {
		text += fmt.Sprintf("; %s out, %s back in %s", carried(r.PacketsOut, r.BytesOut), carried(r.PacketsBack, r.BytesBack), duration(r.AgeMS))
	}
	if r.ID != 0 {
		text += fmt.Sprintf("; flow %d", r.ID)
	}
	return text
}

func clock(rfc3339 string) string {
	t, err := time.Parse(time.RFC3339Nano, rfc3339)
	if err != nil {
		return "--:--:--"
	}
	return t.Format("15:04:05.000000")
}

// carried is a number of packets and of bytes, as people read them.
func carried(packets, bytes uint64) string {
	size, unit := float64(bytes), "B"
	for _, u := range []string{"KiB", "MiB", "GiB", "TiB"} {
		if size < 1024 {
			break
		}
		size, unit = size/1024, u
	}
	if unit == "B" {
		return fmt.Sprintf("%d/%d B", packets, bytes)
	}
	return fmt.Sprintf("%d/%.1f %s", packets, size, unit)
}

func duration(ms float64) string {
	d := time.Duration(ms * float64(time.Millisecond))
	switch {
	case d >= time.Minute:
		return d.Round(time.Second).String()
	case d >= time.Second:
		return d.Round(100 * time.Millisecond).String()
	case d >= time.Millisecond:
		return d.Round(100 * time.Microsecond).String()
	default:
		return d.Round(time.Microsecond).String()
	}
}
