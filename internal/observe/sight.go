package observe

import (
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/ceruleannet/cerulean/internal/engine"
	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/model"
)

// Sight is a packet as a tap of the network shows it.
type Sight struct {
	Time  time.Time
	Image *fabric.Image
	// Frame is the packet as it entered, valid during the call only.
	Frame engine.Frame
	// Left is the packet as it left, valid during the call only; nil if it was
	// not delivered.
	Left   []byte
	Result engine.Result
}

// Flows looks up flows of the engine.
type Flows interface {
	// Flow returns a flow of the table.
	Flow(id engine.FlowID) (engine.Flow, bool)
}

// Names reports whether a name means a port, in any case: the name or the
// resource ID of the port or of its network interface, "internet", one of its
// addresses, or a host, subnet, virtual network, firewall, balancer, private
// endpoint, service, gateway or site it belongs to. A subnet is named alone or as
// "VNET/SUBNET".
func Names(img *fabric.Image, at fabric.PortID, name string) bool {
	p := &img.Ports[at]
	name = strings.ToLower(name)
	resource := strings.ToLower(p.Origin.Resource)
	if strings.EqualFold(p.Name, name) || resource != "" && (resource == name || resource[strings.LastIndexByte(resource, '/')+1:] == name) {
		return true
	}
	if vnet, subnet, ok := strings.Cut(name, "/"); ok {
		return p.Has(fabric.Label{Kind: string(model.LabelVNet), Name: vnet}) &&
			p.Has(fabric.Label{Kind: string(model.LabelSubnet), Name: subnet})
	}
	for _, l := range p.Labels {
		if l.Name == name && slices.Contains(selecting, l.Kind) {
			return true
		}
	}
	if a, err := netip.ParseAddr(name); err == nil && p.Kind != fabric.PortEdge {
		return img.Sets[p.Addrs].Contains(fabric.AddrValue(a.Unmap()))
	}
	return false
}

// selecting are the kinds of label by which a port is named; groups, tags and
// regions are too wide for looking at packets.
var selecting = []string{
	string(model.LabelHost), string(model.LabelSubnet), string(model.LabelVNet), string(model.LabelFirewall),
	string(model.LabelBalancer), string(model.LabelService), string(model.LabelEndpoint), string(model.LabelGateway), string(model.LabelSite),
}

// HostAddrs returns the addresses of the ports that a name means, in the order
// of ports. At most 1,000 of a port are listed.
func HostAddrs(img *fabric.Image, name string) []netip.Addr {
	var out []netip.Addr
	for i := range img.Ports {
		p := &img.Ports[i]
		if p.Kind == fabric.PortEdge || p.Kind == fabric.PortVacant || !Names(img, fabric.PortID(i), name) {
			continue
		}
		out = appendAddrs(out, img.Sets[p.Addrs])
	}
	return out
}

func appendAddrs(out []netip.Addr, s fabric.Set) []netip.Addr {
	const most = 1000
	n := 0
	for _, r := range s {
		for v := r.Lo; n < most; v = v.Next() {
			if n++; !slices.Contains(out, v.Addr()) {
				out = append(out, v.Addr())
			}
			if v == r.Hi {
				break
			}
		}
	}
	return out
}

// PortName returns the name of a port, "?" if the image has no such port.
func PortName(img *fabric.Image, at fabric.PortID) string {
	if at < 0 || int(at) >= len(img.Ports) {
		return "?"
	}
	return img.Ports[at].Name
}
