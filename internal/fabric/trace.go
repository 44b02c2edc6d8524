package fabric

// StepKind says what happened in one step of a trace.
type StepKind uint8

// The kinds of step.
const (
	StepEnter      StepKind = iota // the packet arrived at, or started from, the port
	StepFilter                     // a filter was evaluated
	StepSession                    // filters or a policy were skipped: the flow is established
	StepRoute                      // a route was chosen
	StepTranslate                  // an address was rewritten
	StepDeliver                    // the port took the packet
	StepStop                       // the packet ended here without being delivered
	StepRedirect                   // a redirect handed the packet to a target, or had none
	StepAdmit                      // filters were skipped: the packet came by an admitted service endpoint
	StepMasquerade                 // a forwarder put its own address in place of the source
	StepRestore                    // a redirect or masquerade of the flow was reversed for its reply
)

// Direction tells the two filter lists of a port, and its policy, apart.
type Direction uint8

// The directions.
const (
	Out     Direction = iota // egress
	In                       // ingress
	Through                  // policy of a forwarder
)

// String returns "outbound", "inbound" or "forwarding".
func (d Direction) String() string { return [...]string{"outbound", "inbound", "forwarding"}[d] }

// Step is one thing that happened to a packet.
type Step struct {
	Kind      StepKind
	Port      PortID
	Direction Direction
	Filter    FilterID // StepFilter
	Rule      int32    // StepFilter: the rule that matched, or None for the default. StepRedirect: the redirect. StepAdmit: the admission
	Target    int32    // StepRedirect: the target, or None
	Action    Action   // StepFilter
	Table     TableID  // StepRoute
	Route     int32    // StepRoute
	Packet    Packet   // after the step
}

// Trace is the way of one packet through the network.
type Trace struct {
	From    PortID
	Packet  Packet // as it entered
	Verdict Verdict
	Reason  Reason
	// Path are the ports passed, the first and the last included.
	Path []PortID
	// Choices are the choices that redirects made, in order.
	Choices []Choice
	// Direct means the last step was by a service endpoint: replies go back to
	// the port before, whatever the routes.
	Direct bool
	// Final is the packet as it arrived or was stopped.
	Final Packet
	Steps []Step
}

// End returns the last port of the path.
func (t *Trace) End() PortID {
	if len(t.Path) == 0 {
		return None
	}
	return t.Path[len(t.Path)-1]
}

// Passed reports whether the path contains a port.
func (t *Trace) Passed(p PortID) bool {
	for _, q := range t.Path {
		if q == p {
			return true
		}
	}
	return false
}

// Connection is a flow: its first packet and the reply to it.
type Connection struct {
	Forward, Reply Trace
}

// Verdict returns the verdict and reason of the whole flow: the reply's if the
// first packet was delivered and the reply was not, else the first packet's.
func (c *Connection) Verdict() (Verdict, Reason) {
	if c.Forward.Verdict == VerdictAllow && c.Reply.Verdict != VerdictAllow {
		return c.Reply.Verdict, c.Reply.Reason
	}
	return c.Forward.Verdict, c.Forward.Reason
}
