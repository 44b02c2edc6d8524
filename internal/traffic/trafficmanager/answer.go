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
	return d.AnswerOf(&dec), true
}

// AnswerOf says what a resolver gets of a decision with outcome Answered.
func (d *Directory) AnswerOf(dec *Decision) Answer {
	endpoints := []*Endpoint{dec.Endpoint}
	if dec.Endpoint == nil {
		endpoints = d.Values(dec)
	}
	out := Answer{TTL: dec.TTL}
	for _, e := range endpoints {
		if a, err := netip.ParseAddr(e.Target); err == nil {
			out.Addrs = append(out.Addrs, a)
		} else {
			out.Alias = e.Target
		}
	}
	return out
}

// Possible returns a decision for everything that a name may mean, whoever asks
// and whatever chance says, with the states as they are.
func (d *Directory) Possible(name string) []Decision {
	s := d.byName[name]
	if s == nil || s.Disabled {
		return nil
	}
	var out []Decision
	var visit func(*standing)
	visit = func(at *standing) {
		if at.Method == MultiValue {
			dec := Decision{Profile: at.Profile, TTL: s.TTL, Count: min(at.MaxReturn, len(at.best))}
			for dec.From = range at.best {
				out = append(out, dec)
			}
			return
		}
		for i := range at.endpoints {
			if child := at.endpoints[i].child; child != nil {
				visit(child)
				continue
			}
			out = append(out, Decision{Profile: at.Profile, Endpoint: &at.Endpoints[i], TTL: s.TTL})
		}
	}
	visit(s)
	return out
}
