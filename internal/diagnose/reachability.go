package diagnose

import (
	"encoding/json"
	"net/netip"
	"strconv"
	"strings"

	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/model"
)

// Intent is IntentContent of the API.
type Intent struct {
	Description string  `json:"description,omitempty"`
	Source      string  `json:"sourceResourceId"`
	Destination string  `json:"destinationResourceId"`
	Traffic     Traffic `json:"ipTraffic"`
}

// Traffic is IPTraffic of the API: addresses as addresses or prefixes, ports as
// "443", "1024-65535" or "*".
type Traffic struct {
	SourceIPs        []string `json:"sourceIps"`
	DestinationIPs   []string `json:"destinationIps"`
	SourcePorts      []string `json:"sourcePorts"`
	DestinationPorts []string `json:"destinationPorts"`
	Protocols        []string `json:"protocols"` // Any, TCP, UDP, ICMP
}

// The outcomes of an analysis. The API declares its result a string; its example
// has the first, the other two are unconfirmed.
const (
	OutcomeNone    = "NoPacketsReached"
	OutcomeAll     = "AllPacketsReached"
	OutcomeSome    = "SomePacketsReached"
	OutcomeUnknown = "Unknown" // Cerulean's: the analysis came to no conclusion
)

// Analysis is the content of a run's analysisResult. The traces are JSON in
// strings, as in the API's example.
type Analysis struct {
	Outcome   string `json:"resultOutcome"`
	Reached   string `json:"reachedTrace,omitempty"`
	Unreached string `json:"unreachedTrace,omitempty"`
	// Reason says why the outcome is unknown.
	Reason string `json:"reason,omitempty"`
}

// Analyze writes an outcome with ways that show it; either may be nil.
func Analyze(img *fabric.Image, outcome, reason string, reached, unreached *fabric.Trace) (string, error) {
	a := Analysis{Outcome: outcome, Reason: reason}
	var err error
	if reached != nil {
		if a.Reached, err = marshal(trail(img, reached)); err != nil {
			return "", err
		}
	}
	if unreached != nil {
		if a.Unreached, err = marshal(trail(img, unreached)); err != nil {
			return "", err
		}
	}
	return marshal(a)
}

// marshal writes a value as JSON text, leaving ">" as it is.
func marshal(v any) (string, error) {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	return strings.TrimSpace(b.String()), err
}

// stop is one stop of a packet's way.
type stop struct {
	Name        string      `json:"name"`
	Resource    string      `json:"resourceId"`
	Type        string      `json:"resourceType"`
	Packet      packet      `json:"packet"`
	Explanation explanation `json:"explanation"`
}

type packet struct {
	Dst     string `json:"destinationAddress"`
	DstPort string `json:"destinationPort"`
	Src     string `json:"sourceAddress"`
	SrcPort string `json:"sourcePort"`
	Proto   string `json:"protocol"`
}

// explanation says what happened at a stop. Codes that the API's example lacks
// are unconfirmed.
type explanation struct {
	Description string         `json:"description"`
	Code        string         `json:"explanationCode"`
	Address     *matchedSource `json:"matchedNetworkInterfaceAddress,omitempty"`
	Rule        *matchedRule   `json:"matchedSecurityRule,omitempty"`
	Route       *matchedRoute  `json:"matchedSubnetRoute,omitempty"`
	Prefix      *matchedPrefix `json:"matchedSubnetPrefix,omitempty"`
}

type matchedSource struct {
	Interface string `json:"networkInterface"`
	Address   string `json:"ipAddress"`
}

type matchedRule struct {
	Name    string `json:"name"`
	Action  string `json:"action"`
	Dst     string `json:"destinationAddress"`
	Src     string `json:"sourceAddress"`
	DstPort string `json:"destinationPort"`
	SrcPort string `json:"sourcePort"`
	Proto   string `json:"protocol"`
}

type matchedRoute struct {
	Source string   `json:"source"`
	Prefix string   `json:"addressPrefix"`
	Hop    []string `json:"nextHopIpAddress"`
	Kind   string   `json:"nextHopType"`
}

type matchedPrefix struct {
	Subnet string `json:"subnet"`
	Prefix string `json:"subnetPrefix"`
}

// trail writes the way of a packet.
func trail(img *fabric.Image, t *fabric.Trace) []stop {
	w := trailWriter{img: img, packet: t.Packet}
	for i := range t.Steps {
		w.step(&t.Steps[i], i == 0)
	}
	if t.Verdict != fabric.VerdictAllow && t.Reason.Filter == fabric.None {
		w.end(t)
	}
	return w.stops
}

type trailWriter struct {
	img    *fabric.Image
	packet fabric.Packet
	stops  []stop
}

func (w *trailWriter) add(resource string, e explanation) {
	p := w.packet
	w.stops = append(w.stops, stop{
		Name: leafOf(resource), Resource: resource, Type: typeOf(resource), Explanation: e,
		Packet: packet{p.Dst.String(), strconv.Itoa(int(p.DstPort)), p.Src.String(), strconv.Itoa(int(p.SrcPort)), protocolName(p.Proto)},
	})
}

func (w *trailWriter) step(s *fabric.Step, first bool) {
	port := &w.img.Ports[s.Port]
	w.packet = s.Packet
	switch s.Kind {
	case fabric.StepEnter:
		switch {
		case first:
			w.add(port.Origin.Resource, explanation{
				Description: "Packet has source IP address matching one of the network interface IPs.", Code: "MATCHED_NETWORK_INTERFACE_IP_SOURCE",
				Address: &matchedSource{port.Origin.Resource, s.Packet.Src.String()},
			})
		case port.Segment != fabric.None && w.img.Sets[port.Addrs].Contains(fabric.AddrValue(s.Packet.Dst)):
			segment := &w.img.Segments[port.Segment]
			w.add(w.img.Spaces[segment.Space].Origin.Resource, explanation{
				Description: "Packet destination IP is destined to subnet prefix.", Code: "MATCHED_SUBNET_PREFIX",
				Prefix: &matchedPrefix{segment.Origin.Resource, prefixOf(segment.Prefixes, s.Packet.Dst)},
			})
		}
	case fabric.StepFilter:
		w.rule(s)
	case fabric.StepRoute:
		r := &w.img.Tables[s.Table].Routes[s.Route]
		e := explanation{
			Description: "Packet matched a system route.", Code: "MATCHED_SYSTEM_ROUTE",
			Route: &matchedRoute{Source: r.Source, Prefix: r.Prefix.String(), Hop: []string{}, Kind: r.Kind},
		}
		if r.Source == "User" {
			e.Description, e.Code = "Packet matched a user-defined route.", "MATCHED_USER_DEFINED_ROUTE"
		}
		if r.Hop.Via.IsValid() {
			e.Route.Hop = append(e.Route.Hop, r.Hop.Via.String())
		}
		at := port.Origin.Resource
		if port.Segment != fabric.None {
			at = w.img.Segments[port.Segment].Origin.Resource
		}
		w.add(at, e)
	case fabric.StepTranslate, fabric.StepRedirect, fabric.StepMasquerade:
		w.add(port.Origin.Resource, explanation{Description: "The packet's addresses were translated.", Code: "TRANSLATED_ADDRESS"})
	case fabric.StepAdmit:
		w.add(port.Origin.Resource, explanation{Description: "Packet came by a service endpoint that the service admits.", Code: "MATCHED_SERVICE_ENDPOINT"})
	case fabric.StepDeliver:
		w.add(port.Origin.Resource, explanation{Description: "Packet has reached its destination.", Code: "REACHED_DESTINATION"})
	}
}

// rule writes a filter's decision.
func (w *trailWriter) rule(s *fabric.Step) {
	f := &w.img.Filters[s.Filter]
	e := explanation{Description: "Packet matched a network security rule.", Code: "MATCHED_NETWORK_SECURITY_RULE"}
	switch f.Stage {
	case fabric.StageAdmin:
		e.Description, e.Code = "Packet matched an admin security rule.", "MATCHED_ADMIN_SECURITY_RULE"
	case fabric.StagePolicy:
		e.Description, e.Code = "Packet matched a firewall rule.", "MATCHED_FIREWALL_RULE"
	}
	if s.Rule == fabric.None {
		if s.Action == fabric.Pass {
			return // no rule applies and the next filter decides
		}
		e.Description, e.Code = "Packet matched no rule and is denied.", "NO_RULE_MATCHED"
		w.add(f.Origin.Resource, e)
		return
	}
	r := &f.Rules[s.Rule]
	name, action := ruleName(f, s.Rule), strings.ToLower(access(s.Action))
	if f.Stage == fabric.StageAdmin || f.Stage == fabric.StagePolicy {
		name, action = r.Origin.Name, access(s.Action)
	}
	set := func(field fabric.Field) fabric.Set { return w.img.Sets[r.Match[field]] }
	proto := "All"
	if p := set(fabric.Proto); len(p) == 1 && p[0].Lo == p[0].Hi {
		proto = protocolName(uint8(p[0].Lo.Lo))
	}
	e.Rule = &matchedRule{
		Name: name, Action: action, Proto: proto, Src: fewTexts(set(fabric.Src)), Dst: fewTexts(set(fabric.Dst)),
		SrcPort: strings.Join(rangeTexts(set(fabric.SrcPort)), ","), DstPort: strings.Join(rangeTexts(set(fabric.DstPort)), ","),
	}
	w.add(groupOf(f, s.Rule), e)
}

// end writes why a packet went no further, where no rule says so.
func (w *trailWriter) end(t *fabric.Trace) {
	w.packet = t.Final
	at := w.img.Ports[t.Reason.Port].Origin.Resource
	if o := w.img.OriginOf(t.Reason); o.Resource != "" {
		at = o.Resource
	}
	description := "Packet is dropped"
	if t.Verdict == fabric.VerdictUnknown {
		description = "What becomes of the packet is not modelled"
	}
	code := t.Reason.Code.String()
	w.add(at, explanation{Description: description + ": " + code + ".", Code: strings.ToUpper(strings.ReplaceAll(code, "-", "_"))})
}

// maxTexts is how many prefixes are shown of a rule.
const maxTexts = 16

func fewTexts(s fabric.Set) string {
	if s.IsAll() {
		return "*"
	}
	list := s.Prefixes()
	more := ""
	if len(list) > maxTexts {
		list, more = list[:maxTexts], ",..."
	}
	texts := make([]string, len(list))
	for i, p := range list {
		texts[i] = p.String()
	}
	return strings.Join(texts, ",") + more
}

func prefixOf(prefixes []netip.Prefix, a netip.Addr) string {
	for _, p := range prefixes {
		if p.Contains(a) {
			return p.String()
		}
	}
	return ""
}

func leafOf(resource string) string { return resource[strings.LastIndexByte(resource, '/')+1:] }

// typeOf returns the type of a resource, or "" for what has no ID, the internet
// for example.
func typeOf(resource string) string {
	id, err := model.ParseID(resource)
	if err != nil {
		return ""
	}
	return id.Type()
}

// Run is a ReachabilityAnalysisRun of the API.
type Run struct {
	Properties RunProperties `json:"properties"`
}

// RunProperties are ReachabilityAnalysisRunProperties of the API.
type RunProperties struct {
	Intent Intent `json:"intentContent"`
	Result string `json:"analysisResult"`
	State  string `json:"provisioningState"`
}

// RunOf writes a flow as a run of the network verifier; nil if it went nowhere.
func RunOf(img *fabric.Image, c *fabric.Connection) (*Run, error) {
	t := &c.Forward
	if len(t.Path) == 0 {
		return nil, nil
	}
	outcome, reached, unreached := OutcomeNone, (*fabric.Trace)(nil), t
	switch t.Verdict {
	case fabric.VerdictAllow:
		outcome, reached, unreached = OutcomeAll, t, nil
	case fabric.VerdictUnknown:
		outcome = OutcomeUnknown
	}
	text, err := Analyze(img, outcome, "", reached, unreached)
	if err != nil {
		return nil, err
	}
	p := t.Packet
	return &Run{RunProperties{
		State: "Succeeded", Result: text,
		Intent: Intent{
			Source: img.Ports[t.From].Origin.Resource, Destination: img.Ports[t.End()].Origin.Resource,
			Traffic: Traffic{
				Protocols: []string{protocolName(p.Proto)}, SourceIPs: []string{p.Src.String()}, DestinationIPs: []string{p.Dst.String()},
				SourcePorts: []string{strconv.Itoa(int(p.SrcPort))}, DestinationPorts: []string{strconv.Itoa(int(p.DstPort))},
			},
		},
	}}, nil
}
