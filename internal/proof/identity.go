package proof

import (
	"crypto/sha256"
	"fmt"
	"strings"

	"github.com/ceruleannet/cerulean/internal/fabric"
)

// identity tells the ports of two images apart and alike: positions differ from
// image to image, so ports are known by what they are, and compared by what
// they do.
type identity struct {
	img    *fabric.Image
	keys   []string                 // by port: what it is
	at     map[string]fabric.PortID // the port of a key
	filter map[fabric.FilterID][sha256.Size]byte
	table  map[fabric.TableID][sha256.Size]byte
	public map[fabric.PortID][]string
}

func newIdentity(img *fabric.Image) *identity {
	id := &identity{
		img: img, keys: make([]string, len(img.Ports)), at: map[string]fabric.PortID{},
		filter: map[fabric.FilterID][sha256.Size]byte{}, table: map[fabric.TableID][sha256.Size]byte{},
		public: map[fabric.PortID][]string{},
	}
	for i := range img.Ports {
		p := &img.Ports[i]
		key := strings.ToLower(fmt.Sprintf("%s %s %s %s", p.Kind, p.Origin.Resource, p.Origin.Name, p.Name))
		for n := 2; ; n++ {
			if _, taken := id.at[key]; !taken {
				break
			}
			key = fmt.Sprintf("%s #%d", key, n)
		}
		id.keys[i], id.at[key] = key, fabric.PortID(i)
	}
	for _, p := range img.Publics {
		if p.Port != fabric.None {
			id.public[p.Port] = append(id.public[p.Port], fmt.Sprint(p.Addr, p.Private, p.Unknown, p.Closed))
		}
	}
	return id
}

// behaviour is a digest of all that a port does to packets. Two ports of one
// key with the same behaviour do the same in their images.
func (id *identity) behaviour(at fabric.PortID) [sha256.Size]byte {
	var b strings.Builder
	p := &id.img.Ports[at]
	fmt.Fprintln(&b, p.Kind, p.Silent, p.Behind, id.space(p.Space), id.segment(p.Segment))
	if p.Kind != fabric.PortEdge {
		// The internet is all addresses that nobody else has: what others take of
		// it is their change.
		id.set(&b, p.Addrs)
		t := id.routes(p.Routes)
		b.Write(t[:])
	}
	id.filters(&b, p.Egress)
	id.filters(&b, p.Ingress)
	if o := p.Outbound; o != nil {
		fmt.Fprintln(&b, "out", o.Pairs, o.Pool, o.Barred)
	}
	if f := p.Forward; f != nil {
		fmt.Fprintln(&b, "forward", f.Stateful, f.Own)
		id.set(&b, f.Private)
		id.filters(&b, f.Policy)
	}
	if in := p.Inward; in != nil {
		id.set(&b, in.Addrs)
		for i := range in.Redirects {
			r := &in.Redirects[i]
			fmt.Fprintln(&b, "redirect", r.Floating, r.Apart, r.Source)
			for _, m := range r.Match {
				id.set(&b, m)
			}
			for _, t := range r.Targets {
				fmt.Fprintln(&b, id.port(t.Port), t.Addr, t.DstPort, t.Down, t.Closed)
			}
		}
	}
	for _, a := range p.Admits {
		fmt.Fprintln(&b, "admits", id.segment(a.Segment))
	}
	fmt.Fprintln(&b, id.public[at])
	return sha256.Sum256([]byte(b.String()))
}

func (id *identity) port(p fabric.PortID) string {
	if p == fabric.None {
		return "none"
	}
	return id.keys[p]
}

func (id *identity) space(s fabric.SpaceID) string {
	if s == fabric.None {
		return "none"
	}
	return id.img.Spaces[s].Name + " " + strings.ToLower(id.img.Spaces[s].Origin.Resource)
}

func (id *identity) segment(s fabric.SegmentID) string {
	if s == fabric.None {
		return "none"
	}
	return id.img.Segments[s].Name + " " + strings.ToLower(id.img.Segments[s].Origin.Resource)
}

func (id *identity) set(b *strings.Builder, s fabric.SetID) {
	for _, r := range id.img.Sets[s] {
		fmt.Fprintf(b, "%x.%x-%x.%x ", r.Lo.Hi, r.Lo.Lo, r.Hi.Hi, r.Hi.Lo)
	}
	b.WriteByte('\n')
}

func (id *identity) filters(b *strings.Builder, list []fabric.FilterID) {
	for _, f := range list {
		h, ok := id.filter[f]
		if !ok {
			var text strings.Builder
			filter := &id.img.Filters[f]
			fmt.Fprintln(&text, filter.Default)
			for i := range filter.Rules {
				r := &filter.Rules[i]
				fmt.Fprintln(&text, r.Action, r.Masquerade)
				for _, m := range r.Match {
					id.set(&text, m)
				}
			}
			h = sha256.Sum256([]byte(text.String()))
			id.filter[f] = h
		}
		b.Write(h[:])
	}
	b.WriteByte('\n')
}

func (id *identity) routes(t fabric.TableID) [sha256.Size]byte {
	h, ok := id.table[t]
	if !ok {
		var text strings.Builder
		for _, r := range id.img.Tables[t].Routes {
			if r.Inactive {
				continue
			}
			fmt.Fprintln(&text, r.Prefix, r.Hop.Kind)
			switch r.Hop.Kind {
			case fabric.HopSpace:
				text.WriteString(id.space(r.Hop.Space))
			case fabric.HopPort:
				text.WriteString(id.port(r.Hop.Port))
			case fabric.HopService:
				text.WriteString(id.segment(r.Hop.Segment))
			}
		}
		h = sha256.Sum256([]byte(text.String()))
		id.table[t] = h
	}
	return h
}

// changed returns the ports of an image that the other does not have, or that
// do something else there, and the counterpart of every port or None.
func (id *identity) changed(other *identity) (flagged []bool, counterpart []fabric.PortID) {
	flagged = make([]bool, len(id.keys))
	counterpart = make([]fabric.PortID, len(id.keys))
	for i, key := range id.keys {
		q, ok := other.at[key]
		counterpart[i] = fabric.None
		if ok {
			counterpart[i] = q
		}
		flagged[i] = !ok || id.behaviour(fabric.PortID(i)) != other.behaviour(q)
	}
	return flagged, counterpart
}
