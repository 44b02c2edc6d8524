package fabric

import "time"

// ProbeKind is how a health probe asks.
type ProbeKind uint8

// The kinds of probe.
const (
	ProbeTCP   ProbeKind = iota // a TCP handshake, then a close
	ProbeHTTP                   // a GET that must be answered with status 200
	ProbeHTTPS                  // the same over TLS
)

// String returns Azure's name of the kind.
func (k ProbeKind) String() string { return [...]string{"Tcp", "Http", "Https"}[k] }

// Probe is the question by which a balancer finds out which targets are well
// ("Azure Load Balancer health probes"). The platform sends it from an address
// of its own, so it meets the target's ingress filters.
type Probe struct {
	Name     string
	Origin   Origin
	Kind     ProbeKind
	Port     uint16
	Path     string        // of ProbeHTTP and ProbeHTTPS
	Interval time.Duration // between two questions; at least 5 s
	// Threshold is how many answers in a row change a target's state, either
	// way; at least 1.
	Threshold int
	// AllUp means that the members take new flows where none is up
	// (noHealthyBackendsBehavior AllProbedUp).
	AllUp bool
}
