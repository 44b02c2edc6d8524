package proof

import (
	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/model"
)

// box is traffic as sets of protocols, source ports and destination ports, for
// the address families it exists in.
type box struct {
	protos, srcPorts, dstPorts setID
	v4, v6                     bool
}

// boxes turns traffic into disjoint boxes. Protocols without ports have both
// ports zero, as packets do.
//
// Claims that something is denied include port 0, which hosts do not use (RFC
// 6335 section 6) but attackers can, and ICMP of the wrong address family.
// Claims that something works (real) leave both out.
func boxes(a *arena, traffic []model.Traffic, real bool) []box {
	num := func(lo, hi uint16) setID { return a.intern(fabric.NumSet(lo, hi)) }
	low := uint16(0)
	if real {
		low = 1
	}
	ephemeral, zero := num(low, 65535), num(0, 0)
	withPorts := a.union(num(fabric.ProtoTCP, fabric.ProtoTCP), num(fabric.ProtoUDP, fabric.ProtoUDP))
	icmp, icmp6 := num(fabric.ProtoICMP, fabric.ProtoICMP), num(fabric.ProtoICMPv6, fabric.ProtoICMPv6)
	if len(traffic) == 0 {
		rest := a.subtract(num(0, 255), withPorts)
		out := []box{{withPorts, ephemeral, ephemeral, true, true}}
		if !real {
			return append(out, box{rest, zero, zero, true, true})
		}
		return append(out, box{a.subtract(rest, icmp6), zero, zero, true, false}, box{a.subtract(rest, icmp), zero, zero, false, true})
	}
	ports := map[uint8]setID{}
	var order []uint8
	for _, t := range traffic {
		set := ephemeral
		if len(t.Ports) > 0 {
			set = emptySet
			for _, r := range t.Ports {
				set = a.union(set, num(r.Lo, r.Hi))
			}
		}
		if _, ok := ports[t.Protocol]; !ok {
			order = append(order, t.Protocol)
		}
		ports[t.Protocol] = a.union(ports[t.Protocol], set)
	}
	var out []box
	for _, proto := range order {
		b := box{num(uint16(proto), uint16(proto)), zero, zero, proto != fabric.ProtoICMPv6, proto != fabric.ProtoICMP}
		if (fabric.Packet{Proto: proto}).HasPorts() {
			b.srcPorts, b.dstPorts = ephemeral, ports[proto]
		}
		out = append(out, b)
	}
	return out
}
