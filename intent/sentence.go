package intent

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/ceruleannet/cerulean/model"
)

// complaint is what is wrong with a piece of text and what to do about it; the
// caller knows the place.
type complaint struct{ what, fix string }

func (c *complaint) Error() string {
	if c.fix == "" {
		return c.what
	}
	return c.what + "; " + c.fix
}

func complain(fix, format string, args ...any) *complaint {
	return &complaint{fmt.Sprintf(format, args...), fix}
}

// sentence is FROM -> TO [TRAFFIC], not yet resolved to names.
type sentence struct {
	from, to string
	both     bool // <->
	traffic  []model.Traffic
}

const sentenceForm = "write FROM -> TO tcp/443"

// parseSentence reads FROM ->|<-> TO [proto/ports ...].
func parseSentence(text string) (sentence, *complaint) {
	var s sentence
	words := strings.Fields(text)
	arrow := -1
	for i, w := range words {
		if w == "->" || w == "<->" {
			if arrow >= 0 {
				return s, complain(sentenceForm, "%q has two arrows", text)
			}
			arrow, s.both = i, w == "<->"
		}
	}
	switch {
	case arrow < 0 && strings.Contains(text, "->"):
		return s, complain("put spaces around the arrow", "%q has no arrow", text)
	case arrow < 0:
		return s, complain(sentenceForm, "%q has no arrow", text)
	case arrow == 0:
		return s, complain(sentenceForm, "%q has nothing before the arrow", text)
	case arrow == len(words)-1:
		return s, complain(sentenceForm, "%q has nothing after the arrow", text)
	}
	s.from = strings.Join(words[:arrow], " ")
	to, traffic, c := splitTarget(words[arrow+1:])
	s.to, s.traffic = to, traffic
	return s, c
}

// splitTarget separates the side from the traffic that follows it. What
// follows "in" is a name, whatever it is called.
func splitTarget(words []string) (string, []model.Traffic, *complaint) {
	n := 1
	for n < len(words) && (!isTraffic(words[n]) || strings.EqualFold(words[n-1], "in")) {
		n++
	}
	traffic, c := parseTraffic(words[n:])
	return strings.Join(words[:n], " "), traffic, c
}

// protocols are the words for IP protocols (IANA, assigned internet protocol
// numbers) that Azure's rules know.
func protocols() map[string]uint8 {
	return map[string]uint8{"icmp": 1, "tcp": protocolTCP, "udp": protocolUDP, "esp": 50, "ah": 51, "icmpv6": 58}
}

const (
	protocolTCP = 6
	protocolUDP = 17
)

// trafficName is a name for protocols and ports.
type trafficName struct {
	name    string
	traffic []model.Traffic
}

// trafficNames are names and ports of the service name registry (IANA), under
// the names people use.
func trafficNames() []trafficName {
	on := func(protocol uint8, ports ...uint16) model.Traffic {
		t := model.Traffic{Protocol: protocol}
		for _, p := range ports {
			t.Ports = append(t.Ports, model.PortRange{Lo: p, Hi: p})
		}
		return t
	}
	tcp := func(ports ...uint16) []model.Traffic { return []model.Traffic{on(protocolTCP, ports...)} }
	udp := func(ports ...uint16) []model.Traffic { return []model.Traffic{on(protocolUDP, ports...)} }
	both := func(port uint16) []model.Traffic { return append(tcp(port), udp(port)...) }
	return []trafficName{
		{"bgp", tcp(179)},
		{"dns", both(53)},
		{"http", tcp(80)},
		{"https", tcp(443)},
		{"ike", udp(500, 4500)},
		{"kerberos", both(88)},
		{"ldap", tcp(389)},
		{"ldaps", tcp(636)},
		{"mongodb", tcp(27017)},
		{"mysql", tcp(3306)},
		{"ntp", udp(123)},
		{"postgres", tcp(5432)},
		{"rdp", both(3389)},
		{"redis", tcp(6379)},
		{"smb", tcp(445)},
		{"smtp", tcp(25)},
		{"sqlserver", tcp(1433)},
		{"ssh", tcp(22)},
		{"syslog", udp(514)},
		{"winrm", tcp(5985, 5986)},
	}
}

// wellKnown returns the traffic that a name stands for.
func wellKnown(name string) ([]model.Traffic, bool) {
	for _, n := range trafficNames() {
		if strings.EqualFold(n.name, name) {
			return n.traffic, true
		}
	}
	return nil, false
}

// trafficWords are the protocols and the names, for suggestions.
func trafficWords() []string {
	words := []string{"icmp", "tcp", "udp", "esp", "ah", "icmpv6"}
	for _, n := range trafficNames() {
		words = append(words, n.name)
	}
	return words
}

func isTraffic(word string) bool {
	proto, _, _ := strings.Cut(strings.TrimSuffix(word, ","), "/")
	_, isProtocol := protocols()[strings.ToLower(proto)]
	_, isName := wellKnown(proto)
	return isProtocol || isName
}

// parseTraffic reads words such as tcp/443,8000-8010 udp/53 icmp https.
func parseTraffic(words []string) ([]model.Traffic, *complaint) {
	var out []model.Traffic
	more := false // the last word ended in a comma
	for _, w := range words {
		list := strings.TrimSuffix(w, ",")
		if len(out) > 0 && more && list != "" && list[0] >= '0' && list[0] <= '9' {
			last := &out[len(out)-1]
			if c := parsePorts(list, last); c != nil {
				return nil, c
			}
			more = list != w
			continue
		}
		more = list != w
		proto, ports, hasPorts := strings.Cut(list, "/")
		if named, ok := wellKnown(proto); ok {
			if hasPorts {
				return nil, complain(fmt.Sprintf("write tcp/%s, or %s alone", ports, proto), "%q: %s says which port it is", w, proto)
			}
			out, more = append(out, named...), false
			continue
		}
		number, ok := protocols()[strings.ToLower(proto)]
		if !ok {
			return nil, complain("write tcp/443, udp/53, icmp or a name such as https", "%q is not traffic", w)
		}
		t := model.Traffic{Protocol: number}
		if hasPorts {
			if number != protocolTCP && number != protocolUDP {
				return nil, complain("write "+strings.ToLower(proto)+" alone", "%q: %s has no ports", w, proto)
			}
			if c := parsePorts(ports, &t); c != nil {
				return nil, c
			}
		}
		out = append(out, t)
	}
	return out, nil
}

func parsePorts(list string, t *model.Traffic) *complaint {
	for item := range strings.SplitSeq(list, ",") {
		lo, hi, isRange := strings.Cut(item, "-")
		if !isRange {
			hi = lo
		}
		a, errA := strconv.ParseUint(lo, 10, 16)
		z, errZ := strconv.ParseUint(hi, 10, 16)
		if errA != nil || errZ != nil {
			return complain("write a number from 0 to 65535, or a range such as 8000-8010", "%q is not a port", item)
		}
		if a > z {
			return complain(fmt.Sprintf("write %d-%d", z, a), "port range %q runs backwards", item)
		}
		t.Ports = append(t.Ports, model.PortRange{Lo: uint16(a), Hi: uint16(z)})
	}
	return nil
}

// portStrings returns ports in the form of Azure's rules.
func portStrings(t model.Traffic) []string {
	if len(t.Ports) == 0 {
		return []string{"*"}
	}
	out := make([]string, len(t.Ports))
	for i, p := range t.Ports {
		out[i] = strconv.Itoa(int(p.Lo))
		if p.Hi != p.Lo {
			out[i] += "-" + strconv.Itoa(int(p.Hi))
		}
	}
	return out
}
