package trafficmanager

import "net/netip"

// Answer is what a resolver gets: an alias, or addresses.
type Answer struct {
	Alias string // a DNS name
	Addrs []netip.Addr
	TTL   uint32 // seconds
}

// Answer decides, and says what a resolver gets; false if it is no data or no
// name.
func (d *Directory) Answer(name string, c *Client) (Answer, bool) {
	dec := d.Decide(name, c)
	if dec.Outcome != Answered {
		return Answer{}, false
	}
	endpoints := []*Endpoint{dec.Endpoint}
	if dec.Endpoint == nil {
		endpoints = d.Values(&dec)
	}
	out := Answer{TTL: dec.TTL}
	for _, e := range endpoints {
		if a, err := netip.ParseAddr(e.Target); err == nil {
			out.Addrs = append(out.Addrs, a)
		} else {
			out.Alias = e.Target
		}
	}
	return out, true
}
