package diagnose

import (
	"crypto/sha256"
	"net/netip"
	"slices"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/internal/fabric/ref"
)

// Connectivity is ConnectivityInformation of the API. The status is what the
// service answers ("Connection troubleshoot" has Reachable and Unreachable, its
// SDKs list Connected and Disconnected).
type Connectivity struct {
	Hops         []ConnectivityHop `json:"hops"`
	Status       string            `json:"connectionStatus"` // Reachable, Unreachable, Unknown
	Avg          *int64            `json:"avgLatencyInMs,omitempty"`
	Min          *int64            `json:"minLatencyInMs,omitempty"`
	Max          *int64            `json:"maxLatencyInMs,omitempty"`
	ProbesSent   int               `json:"probesSent"`
	ProbesFailed int               `json:"probesFailed"`
}

// ConnectivityHop is ConnectivityHop of the API.
type ConnectivityHop struct {
	Type          string   `json:"type"`
	ID            string   `json:"id"`
	Address       string   `json:"address"`
	Resource      string   `json:"resourceId,omitempty"`
	Next          []string `json:"nextHopIds"`
	Previous      []string `json:"previousHopIds"`
	Links         []Link   `json:"links"`
	PreviousLinks []Link   `json:"previousLinks"`
	Issues        []Issue  `json:"issues"`
}

// Link is HopLink of the API. Times are of links that packets pass both ways.
type Link struct {
	Type       string            `json:"linkType"` // VirtualNetwork, Internet
	NextHop    string            `json:"nextHopId"`
	Issues     []Issue           `json:"issues"`
	Context    map[string]string `json:"context"`
	Resource   string            `json:"resourceId"`
	Properties *LinkTimes        `json:"properties,omitempty"`
}

// LinkTimes are HopLinkProperties of the API, in milliseconds.
type LinkTimes struct {
	Min int64 `json:"roundTripTimeMin"`
	Avg int64 `json:"roundTripTimeAvg"`
	Max int64 `json:"roundTripTimeMax"`
}

// Issue is ConnectivityIssue of the API.
type Issue struct {
	Origin   string              `json:"origin"` // Local, Inbound, Outbound
	Severity string              `json:"severity"`
	Type     string              `json:"type"`
	Context  []map[string]string `json:"context"`
}

// probes is how many a check sends ("Connection troubleshoot", answers of the
// service).
const probes = 30

// Connect answers connectivityCheck: the way of a connection's first packet hop
// by hop, with what stopped it or its reply, and the round-trip time that the
// image's regions have. The probes of one check meet with one fate. machine
// names the virtual machine of an interface, or returns its argument.
func Connect(img *fabric.Image, from fabric.PortID, p fabric.Packet, machine func(string) string) Connectivity {
	c := ref.Connect(img, from, p)
	w := &hopWriter{img: img, c: &c, machine: machine}
	verdict, reason := c.Verdict()
	for i, at := range c.Forward.Path {
		w.hop(at, i == 0)
	}
	if c.Forward.Verdict != fabric.VerdictAllow {
		w.destination()
	}
	w.connect(verdict == fabric.VerdictAllow)
	out := Connectivity{Hops: w.hops, Status: "Unreachable", ProbesSent: probes, ProbesFailed: probes}
	switch verdict {
	case fabric.VerdictAllow:
		out.Status, out.ProbesFailed = "Reachable", 0
		if total := w.total.Round(time.Millisecond).Milliseconds(); !w.untimed {
			out.Avg, out.Min, out.Max = &total, &total, &total
		}
		return out
	case fabric.VerdictUnknown:
		out.Status = "Unknown"
	}
	w.issue(reason)
	return out
}

type hopWriter struct {
	img     *fabric.Image
	c       *fabric.Connection
	machine func(string) string
	hops    []ConnectivityHop
	ports   []fabric.PortID // of the hops; None for a destination that was not reached
	total   time.Duration
	untimed bool // a part of the way has no known time
}

func (w *hopWriter) add(at fabric.PortID, h ConnectivityHop) {
	h.Next, h.Previous, h.Links, h.PreviousLinks, h.Issues = []string{}, []string{}, []Link{}, []Link{}, []Issue{}
	// The same question about the same network has the same answer.
	sum := sha256.Sum256([]byte(w.c.Forward.Packet.String() + " " + strconv.Itoa(len(w.hops))))
	h.ID = uuid.UUID(sum[:16]).String()
	w.hops, w.ports = append(w.hops, h), append(w.ports, at)
}

// hop adds a port that the packet passed.
func (w *hopWriter) hop(at fabric.PortID, first bool) {
	p := &w.img.Ports[at]
	h := ConnectivityHop{Type: hopType(p), Resource: w.machine(p.Origin.Resource)}
	switch own := w.img.Sets[p.Addrs]; {
	case first:
		h.Type, h.Address = "Source", w.c.Forward.Packet.Src.String()
	case own.Contains(fabric.AddrValue(w.c.Forward.Final.Dst)):
		h.Address = w.c.Forward.Final.Dst.String()
	case p.Kind == fabric.PortEdge:
		h.Address = w.c.Forward.Packet.Dst.String()
	default:
		if p.Forward != nil {
			h.Type = "VirtualAppliance"
		}
		if !own.IsEmpty() && !own.IsAll() {
			h.Address = own.Min().Addr().String()
		}
	}
	w.add(at, h)
}

// destination adds where the packet was meant to go, if it did not get there.
func (w *hopWriter) destination() {
	dst := w.c.Forward.Packet.Dst
	at := fabric.PortID(fabric.None)
	for i := range w.c.Forward.Path {
		if p := &w.img.Ports[w.c.Forward.Path[i]]; w.img.Sets[p.Addrs].Contains(fabric.AddrValue(dst)) {
			return // it is a hop already
		}
	}
	if from := &w.img.Ports[w.c.Forward.From]; from.Space != fabric.None {
		at = w.ownerOf(from, dst)
	}
	h := ConnectivityHop{Type: "Destination", Address: dst.String(), Resource: "Unknown"}
	switch {
	case at != fabric.None:
		p := &w.img.Ports[at]
		h.Type, h.Resource = hopType(p), w.machine(p.Origin.Resource)
	case w.img.Edge != fabric.None && w.img.Sets[w.img.Ports[w.img.Edge].Addrs].Contains(fabric.AddrValue(dst)):
		h.Type, h.Resource = "Internet", ""
	}
	w.add(fabric.None, h)
}

// ownerOf finds who has an address: in the sender's own network, else in the
// only network that has it.
func (w *hopWriter) ownerOf(from *fabric.Port, dst netip.Addr) fabric.PortID {
	if at, ok := w.img.Spaces[from.Space].PortOf(dst); ok {
		return at
	}
	found := fabric.PortID(fabric.None)
	for i := range w.img.Spaces {
		if at, ok := w.img.Spaces[i].PortOf(dst); ok && w.img.Ports[at].Kind != fabric.PortVacant {
			if found != fabric.None {
				return fabric.None
			}
			found = at
		}
	}
	return found
}

// hopType names what a hop is, as answers of the service do; names of kinds they
// do not show are unconfirmed.
func hopType(p *fabric.Port) string {
	switch p.Kind {
	case fabric.PortEdge:
		return "Internet"
	case fabric.PortHost:
		return "VirtualMachine"
	case fabric.PortForwarder:
		return "VirtualAppliance"
	case fabric.PortBalancer:
		return "LoadBalancer"
	case fabric.PortEndpoint:
		return "PrivateEndpoint"
	case fabric.PortService:
		return "PlatformService"
	case fabric.PortSite:
		return "OnPremises"
	default:
		return "VnetLocal"
	}
}

// connect joins the hops; times are shown where packets pass.
func (w *hopWriter) connect(works bool) {
	for i := 1; i < len(w.hops); i++ {
		before, after := &w.hops[i-1], &w.hops[i]
		before.Next, after.Previous = append(before.Next, after.ID), append(after.Previous, before.ID)
		link := Link{Type: "VirtualNetwork", NextHop: after.ID, Issues: []Issue{}, Context: map[string]string{}}
		if after.Type == "Internet" || before.Type == "Internet" {
			link.Type = "Internet"
		}
		back := link
		back.NextHop = before.ID
		after.PreviousLinks = append(after.PreviousLinks, back)
		if works {
			if rtt, known := w.roundTrip(w.ports[i-1], w.ports[i]); known {
				w.total += rtt
				ms := rtt.Round(time.Millisecond).Milliseconds()
				link.Properties = &LinkTimes{ms, ms, ms}
			} else {
				w.untimed = true
			}
		}
		before.Links = append(before.Links, link)
	}
}

// roundTrip is the time between two ports and back. How far the internet and
// on-premises networks are nobody publishes.
func (w *hopWriter) roundTrip(a, b fabric.PortID) (time.Duration, bool) {
	if a == fabric.None || b == fabric.None {
		return 0, false
	}
	from, to := w.img.Ports[a].Region, w.img.Ports[b].Region
	if from == fabric.None || to == fabric.None {
		return 0, false
	}
	return w.img.Delay[from][to] + w.img.Delay[to][from], true
}

// issue says at its hop what stopped the connection.
func (w *hopWriter) issue(reason fabric.Reason) {
	x := Issue{Origin: "Outbound", Severity: "Error", Type: "Unknown", Context: []map[string]string{}}
	context := func(key, value string) { x.Context = append(x.Context, map[string]string{"key": key, "value": value}) }
	trace := &w.c.Forward
	if trace.Verdict == fabric.VerdictAllow {
		trace = &w.c.Reply
	}
	switch {
	case reason.Filter != fabric.None:
		x.Type = "NetworkSecurityRule"
		f := &w.img.Filters[reason.Filter]
		if f.Stage == fabric.StagePolicy {
			x.Type = "Platform"
		}
		for _, s := range trace.Steps {
			if s.Kind == fabric.StepFilter && s.Port == reason.Port && s.Filter == reason.Filter && s.Direction == fabric.In {
				x.Origin = "Inbound"
			}
		}
		context("RuleName", ruleID(f, reason.Rule))
	case reason.Table != fabric.None && reason.Route != fabric.None:
		r := &w.img.Tables[reason.Table].Routes[reason.Route]
		if r.Source == "User" {
			x.Type = "UserDefinedRoute"
		}
		kind := r.Source
		if kind == "Default" {
			kind = "System"
		}
		context("RouteType", kind)
	default:
		x.Type = "Platform"
		if reason.Port != trace.From {
			x.Origin = "Inbound"
		}
		context("Reason", reason.Code.String())
	}
	at := slices.Index(w.ports, reason.Port)
	if at < 0 {
		at = len(w.hops) - 1
	}
	w.hops[at].Issues = append(w.hops[at].Issues, x)
}

// ruleID names a rule by the ID of its group and its name, as connectivityCheck
// does.
func ruleID(f *fabric.Filter, rule int32) string {
	if rule == fabric.None {
		return f.Origin.Resource
	}
	o := f.Rules[rule].Origin
	switch {
	case f.Stage == fabric.StageAdmin || f.Stage == fabric.StagePolicy:
		return o.Resource
	case isDefault(o.Name):
		return f.Origin.Resource + "/DefaultSecurityRules/" + o.Name
	default:
		return f.Origin.Resource + "/SecurityRules/" + o.Name
	}
}
