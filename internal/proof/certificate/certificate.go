package certificate

import (
	"encoding/json"
	"fmt"
	"io"
	"net/netip"
	"strings"

	"github.com/ceruleannet/cerulean/internal/fabric"
)

// Format is the version of the document.
const Format = "cerulean-certificate/1"

// Certificate is proofs about one image.
type Certificate struct {
	Format  string  `json:"format"`
	Network string  `json:"network"`
	Image   string  `json:"image"` // SHA-256 of the image's description, in hex
	Claims  []Claim `json:"claims"`
}

// Claim says that no packet of some traffic, from some ports with an address of
// theirs as its source and with any destination, is delivered at other ports: at
// a load balancer, that none sent to it is delivered anywhere by way of it.
type Claim struct {
	Name string `json:"name"`
	Text string `json:"text"`
	// From and To are the ports that send, and those where nothing may arrive.
	From []Side `json:"from"`
	To   []Side `json:"to"`
	// Past, if any, narrows the claim to what passes one of these ports on the way.
	Past    []Side    `json:"past,omitempty"`
	Traffic []Traffic `json:"traffic"` // disjoint
	Leaves  []Leaf    `json:"leaves"`
}

// Traffic is protocols with their ports, in the address families it exists in.
type Traffic struct {
	Protocols        Ranges `json:"protocols"`
	SourcePorts      Ranges `json:"sourcePorts"`
	DestinationPorts Ranges `json:"destinationPorts"`
	IPv4             bool   `json:"ipv4"`
	IPv6             bool   `json:"ipv6"`
}

// Side is a port and the addresses of it that a claim speaks of.
type Side struct {
	Port  fabric.PortID `json:"port"`
	Name  string        `json:"name"`
	Addrs Ranges        `json:"addresses"`
}

// Leaf is a box of packets and what becomes of all of them.
type Leaf struct {
	Box [fabric.NumFields]Ranges `json:"box"` // as the packets began: source, destination, source port, destination port, protocol
	// From are the ports they begin at.
	From []fabric.PortID `json:"from"`
	// Elsewhere means that they are delivered, but not at a port of the claim.
	Elsewhere bool `json:"elsewhere,omitempty"`
	// Varies means that where they end depends on what balancers choose: not at
	// a port of the claim, whatever that is.
	Varies bool        `json:"varies,omitempty"`
	Code   fabric.Code `json:"code"`
	// Filter and Rule, or Table and Route, are what stops them; none is -1.
	Filter fabric.FilterID `json:"filter"`
	Rule   int32           `json:"rule"`
	Table  fabric.TableID  `json:"table"`
	Route  int32           `json:"route"`
	Why    string          `json:"why"` // for people
}

// Ranges is a set in a document: "10.0.0.0-10.0.0.255 10.1.0.4" of addresses,
// "0-79 443" of numbers, "*" of all values.
type Ranges string

// AddrRanges writes a set of addresses.
func AddrRanges(s fabric.Set) Ranges {
	return write(s, func(v fabric.Value) string {
		// IPv6 text even inside the IPv4-mapped block's borders keeps every value.
		return v.Addr().String()
	})
}

// NumRanges writes a set of port or protocol numbers.
func NumRanges(s fabric.Set) Ranges {
	return write(s, func(v fabric.Value) string { return fmt.Sprintf("%d", v.Lo) })
}

func write(s fabric.Set, one func(fabric.Value) string) Ranges {
	if s.IsAll() {
		return "*"
	}
	parts := make([]string, len(s))
	for i, r := range s {
		if parts[i] = one(r.Lo); r.Lo != r.Hi {
			parts[i] += "-" + one(r.Hi)
		}
	}
	return Ranges(strings.Join(parts, " "))
}

// Set reads the ranges of addresses, or of numbers.
func (t Ranges) Set(addrs bool) (fabric.Set, error) {
	if t == "*" {
		return fabric.AllValues(), nil
	}
	var out []fabric.Range
	for _, part := range strings.Fields(string(t)) {
		lo, hi, both := strings.Cut(part, "-")
		if !both {
			hi = lo
		}
		a, err := value(lo, addrs)
		if err != nil {
			return nil, err
		}
		b, err := value(hi, addrs)
		if err != nil {
			return nil, err
		}
		if b.Less(a) {
			return nil, fmt.Errorf("range %q ends before it begins", part)
		}
		out = append(out, fabric.Range{Lo: a, Hi: b})
	}
	return fabric.NewSet(out...), nil
}

func value(text string, addr bool) (fabric.Value, error) {
	if addr {
		a, err := netip.ParseAddr(text)
		return fabric.AddrValue(a), err
	}
	var n uint64
	if _, err := fmt.Sscanf(text, "%d", &n); err != nil || fmt.Sprint(n) != text {
		return fabric.Value{}, fmt.Errorf("%q is not a number", text)
	}
	return fabric.Value{Lo: n}, nil
}

// Read decodes a certificate.
func Read(r io.Reader) (*Certificate, error) {
	d := json.NewDecoder(r)
	d.DisallowUnknownFields()
	var c Certificate
	if err := d.Decode(&c); err != nil {
		return nil, fmt.Errorf("certificate: %w", err)
	}
	if c.Format != Format {
		return nil, fmt.Errorf("certificate: format %q; this version reads %q", c.Format, Format)
	}
	return &c, nil
}

// Write encodes a certificate, a claim and a leaf a line.
func (c *Certificate) Write(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", " ")
	return e.Encode(c)
}
