package node

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/ceruleannet/cerulean/internal/engine"
	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/internal/observe"
)

// LiveExplanation is what a running network did with a flow, beside what its
// design says.
type LiveExplanation struct{ observe.LiveExplanation }

// WriteJSON writes the explanation as JSON.
func (x *LiveExplanation) WriteJSON(w io.Writer) error { return writeJSON(w, x) }

// ExplainLive explains a flow of a running network: one number, or a place where
// it begins and one where it ends, with its port as "db-1:5432", "db-1:udp/53" or
// "db-1:icmp". Of several flows the youngest is explained.
func (r *Remote) ExplainLive(ctx context.Context, flow ...string) (*LiveExplanation, error) {
	var x LiveExplanation
	return &x, r.Get(ctx, "/v1/flows/explain?"+url.Values{"flow": flow}.Encode(), &x)
}

func (s *System) explainLive(w http.ResponseWriter, r *http.Request) {
	f, err := s.liveFlow(r.URL.Query()["flow"])
	if err != nil {
		refuse(w, http.StatusNotFound, err)
		return
	}
	answer(w, LiveExplanation{observe.ExplainFlow(s.Net.Image(), s.Design.Image, &f, s.Net.Uptime(), s.meter.Connect(f.ID))})
}

// liveFlow finds the flow that a request asks about.
func (s *System) liveFlow(words []string) (engine.Flow, error) {
	switch len(words) {
	case 1:
		n, err := strconv.ParseUint(words[0], 10, 64)
		if err != nil {
			return engine.Flow{}, fmt.Errorf("%q is no flow's number; 'cerulean flows' lists them", words[0])
		}
		f, ok := s.Net.Flow(engine.FlowID(n))
		if !ok {
			return f, fmt.Errorf("flow %d is over; 'cerulean flows' lists those that live", n)
		}
		return f, nil
	case 2:
	default:
		return engine.Flow{}, errors.New("name a flow by its number, or where it begins and ends")
	}
	to, proto, port, err := splitTarget(words[1])
	if err != nil {
		return engine.Flow{}, err
	}
	img := s.Net.Image()
	addrs := observe.HostAddrs(img, to)
	if a, err := netip.ParseAddr(to); err == nil {
		addrs = append(addrs, a)
	}
	var best engine.Flow
	found := false
	s.Net.EachFlow(func(f engine.Flow) bool {
		p, q := f.Forward.Packet, f.Reply.Packet.Reverse()
		last := f.Forward.From
		if n := len(f.Forward.Path); n > 0 {
			last = f.Forward.Path[n-1]
		}
		switch {
		case !observe.Names(img, f.Forward.From, words[0]),
			!observe.Names(img, last, to) && !slices.Contains(addrs, p.Dst) && !slices.Contains(addrs, q.Dst),
			proto != 0 && p.Proto != proto && !(proto == fabric.ProtoICMP && p.Proto == fabric.ProtoICMPv6),
			port != 0 && p.DstPort != port && q.DstPort != port:
		case !found || f.Began >= best.Began:
			best, found = f, true
		}
		return true
	})
	if !found {
		return best, fmt.Errorf("no flow from %s to %s lives; open one and ask again, or ask the design without --live", words[0], words[1])
	}
	return best, nil
}

// splitTarget reads "PLACE", "PLACE:5432", "PLACE:udp/53" or "PLACE:icmp"; an
// IPv6 address with a port is in brackets.
func splitTarget(text string) (place string, proto uint8, port uint16, err error) {
	if _, err := netip.ParseAddr(text); err == nil {
		return text, 0, 0, nil
	}
	i := strings.LastIndexByte(text, ':')
	if i < 0 || strings.HasSuffix(text, "]") {
		return strings.Trim(text, "[]"), 0, 0, nil
	}
	place = strings.Trim(text[:i], "[]")
	name, number, both := strings.Cut(text[i+1:], "/")
	if !both {
		if strings.EqualFold(name, "icmp") {
			return place, fabric.ProtoICMP, 0, nil
		}
		name, number = "tcp", name
	}
	switch strings.ToLower(name) {
	case "tcp":
		proto = fabric.ProtoTCP
	case "udp":
		proto = fabric.ProtoUDP
	default:
		return "", 0, 0, fmt.Errorf("%q: use PLACE:PORT, PLACE:tcp/PORT, PLACE:udp/PORT or PLACE:icmp", text)
	}
	n, bad := strconv.ParseUint(number, 10, 16)
	if bad != nil {
		return "", 0, 0, fmt.Errorf("%q: %q is no port", text, number)
	}
	return place, proto, uint16(n), nil
}
