package observe

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/ceruleannet/cerulean/internal/fabric"
)

// Line is a sighting as one line of text, much as tcpdump writes it: the time,
// the interface, In or Out, the headers, and what was decided.
func (p *Packet) Line() string {
	var b strings.Builder
	way := "Out"
	if p.Inbound {
		way = "In "
	}
	fmt.Fprintf(&b, "%s %s %s %s", p.Time.Format("15:04:05.000000"), PortName(p.Image, p.At), way, p.Headers.text(p.Length))
	d := p.Decision()
	fmt.Fprintf(&b, " | %s", d.Verdict)
	switch {
	case d.Verdict != fabric.VerdictAllow.String():
		fmt.Fprintf(&b, ": %s", strings.TrimPrefix(d.Text, "lost: "))
		if d.Place != "" {
			fmt.Fprintf(&b, " (%s)", d.Place)
		}
	case d.Reason == fabric.CodePlatform.String():
		b.WriteString(": platform")
	case p.Reply:
		b.WriteString(": reply of an established flow")
	case len(p.Rules) > 0:
		fmt.Fprintf(&b, ": %s", strings.Join(p.Rules, ", "))
	}
	if p.Result.Flow != 0 {
		fmt.Fprintf(&b, " | flow %d", p.Result.Flow)
	}
	return b.String()
}

// text is the headers in words; n is the packet's length.
func (h *Headers) text(n int) string {
	p := h.Packet
	if !p.Src.IsValid() {
		return fmt.Sprintf("[not IP], length %d", n)
	}
	family := "IP"
	if p.Src.Is6() {
		family = "IP6"
	}
	src, dst := p.Src.String(), p.Dst.String()
	if h.Ports {
		src, dst = netip.AddrPortFrom(p.Src, p.SrcPort).String(), netip.AddrPortFrom(p.Dst, p.DstPort).String()
	}
	head := fmt.Sprintf("%s %s > %s: ", family, src, dst)
	switch {
	case h.Fragment:
		return head + fmt.Sprintf("%s fragment, length %d", fabric.ProtoName(p.Proto), n)
	case h.Payload < 0:
		return head + fmt.Sprintf("%s, cut off, length %d", fabric.ProtoName(p.Proto), n)
	case p.Proto == fabric.ProtoTCP:
		text := fmt.Sprintf("Flags [%s], seq %d", flagText(h.TCP), h.Seq)
		if h.TCP&0x10 != 0 {
			text += fmt.Sprintf(", ack %d", h.Ack)
		}
		return head + text + fmt.Sprintf(", win %d, length %d", h.Window, h.Payload)
	case p.Proto == fabric.ProtoUDP:
		return head + fmt.Sprintf("UDP, length %d", h.Payload)
	case p.Proto == fabric.ProtoICMP || p.Proto == fabric.ProtoICMPv6:
		return head + h.icmpText()
	default:
		return head + fmt.Sprintf("%s, length %d", fabric.ProtoName(p.Proto), h.Payload)
	}
}

// flagText writes TCP flags as tcpdump does: "S", "S.", ".", "P.", "F.", "R".
func flagText(flags uint8) string {
	text := ""
	for i, letter := range "FSRP" {
		if flags&(1<<i) != 0 {
			text += string(letter)
		}
	}
	if flags&0x20 != 0 {
		text += "U"
	}
	if flags&0x10 != 0 {
		text += "."
	}
	if text == "" {
		return "none"
	}
	return text
}

// icmpText names the messages that are seen most (RFC 792, RFC 4443).
func (h *Headers) icmpText() string {
	name, echo := map[[2]uint8]string{
		{1, 0}: "echo reply", {1, 8}: "echo request", {1, 3}: "unreachable", {1, 11}: "time exceeded",
		{58, 128}: "echo request", {58, 129}: "echo reply", {58, 1}: "unreachable", {58, 2}: "packet too big", {58, 3}: "time exceeded",
	}[[2]uint8{h.Packet.Proto, h.Type}], false
	echo = strings.HasPrefix(name, "echo")
	kind := "ICMP"
	if h.Packet.Proto == fabric.ProtoICMPv6 {
		kind = "ICMP6"
	}
	switch {
	case echo:
		return fmt.Sprintf("%s %s, id %d, seq %d, length %d", kind, name, h.ID, h.Number, h.Payload+8)
	case name != "":
		return fmt.Sprintf("%s %s, code %d, length %d", kind, name, h.Code, h.Payload+8)
	default:
		return fmt.Sprintf("%s type %d, code %d, length %d", kind, h.Type, h.Code, h.Payload+8)
	}
}
