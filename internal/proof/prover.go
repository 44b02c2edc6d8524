package proof

import (
	"fmt"
	"slices"
	"sort"
	"strings"
	"sync/atomic"

	"github.com/ceruleannet/cerulean/internal/fabric"
)

// Prover answers questions about one image. It is safe for concurrent use.
type Prover struct {
	img *fabric.Image
	// class has, by port, the first port that behaves like it: same filters,
	// routes, way out, region and space. Only ports that do not forward or
	// redirect have classmates.
	class []fabric.PortID
	// layer has, by port, the index in layers of the layer that holds it, or
	// alone for ports that are always followed one by one: forwarders, balancers,
	// services and the edge.
	layer  []int32
	layers []layer
	// unique says that no two ports own the same address.
	unique     bool
	partitions []atomic.Pointer[partition]
	shape      atomic.Pointer[shape] // for contracts
}

const alone = -1

// layer is a group of ports no two of which own the same address, so within it
// an address names a port. Networks without overlapping address space have one.
type layer struct {
	owners []fabric.Owner // sorted, disjoint
}

// from returns the index of the first range that does not end below a value.
func (l *layer) from(v fabric.Value) int { return firstOwner(l.owners, v) }

func firstOwner(owners []fabric.Owner, v fabric.Value) int {
	return sort.Search(len(owners), func(i int) bool { return !owners[i].Range.Hi.Less(v) })
}

// at returns the port that owns a value in the layer.
func (l *layer) at(v fabric.Value) (fabric.PortID, bool) {
	i := l.from(v)
	if i == len(l.owners) || !l.owners[i].Range.Contains(v) {
		return fabric.None, false
	}
	return l.owners[i].Port, true
}

// New prepares an image. The image must not change afterwards.
func New(img *fabric.Image) *Prover {
	p := &Prover{
		img: img, class: make([]fabric.PortID, len(img.Ports)), layer: make([]int32, len(img.Ports)),
		partitions: make([]atomic.Pointer[partition], len(img.Tables)),
	}
	first := map[string]fabric.PortID{}
	var key strings.Builder
	for i := range img.Ports {
		id, port := fabric.PortID(i), &img.Ports[i]
		p.class[id] = id
		if single(port) {
			continue
		}
		key.Reset()
		fmt.Fprint(&key, port.Egress, port.Ingress, port.Routes, port.Space, port.Region)
		if port.Outbound != nil {
			fmt.Fprint(&key, port.Outbound.Pairs, port.Outbound.Pool, port.Outbound.Barred)
		}
		if f, ok := first[key.String()]; ok {
			p.class[id] = f
		} else {
			first[key.String()] = id
		}
	}
	p.layout()
	return p
}

// single reports whether a port is always followed by itself: it does more with
// packets than take or drop them.
func single(p *fabric.Port) bool {
	return p.Forward != nil || p.Inward != nil || len(p.Admits) > 0 || p.Kind == fabric.PortEdge
}

// Image returns the image the prover speaks of.
func (p *Prover) Image() *fabric.Image { return p.img }

// layout puts every port into the first layer where its addresses are free.
func (p *Prover) layout() {
	var all []fabric.Owner
	for i := range p.img.Ports {
		port := &p.img.Ports[i]
		if single(port) {
			p.layer[i] = alone
		}
		for _, r := range p.img.Sets[port.Addrs] {
			all = append(all, fabric.Owner{Range: r, Port: fabric.PortID(i)})
		}
	}
	slices.SortStableFunc(all, func(a, b fabric.Owner) int { return a.Range.Lo.Compare(b.Range.Lo) })
	// One sweep finds which ports share an address.
	clash := map[fabric.PortID]map[fabric.PortID]bool{}
	var open []fabric.Owner
	for _, o := range all {
		open = slices.DeleteFunc(open, func(x fabric.Owner) bool { return x.Range.Hi.Less(o.Range.Lo) })
		for _, x := range open {
			for _, pair := range [2][2]fabric.PortID{{x.Port, o.Port}, {o.Port, x.Port}} {
				if clash[pair[0]] == nil {
					clash[pair[0]] = map[fabric.PortID]bool{}
				}
				clash[pair[0]][pair[1]] = true
			}
		}
		open = append(open, o)
	}
	p.unique = len(clash) == 0
	top := int32(0)
	for i := range p.layer {
		others := clash[fabric.PortID(i)]
		if p.layer[i] == alone || len(others) == 0 {
			continue
		}
		taken := map[int32]bool{}
		for q := range others {
			if int(q) < i && p.layer[q] != alone {
				taken[p.layer[q]] = true
			}
		}
		for taken[p.layer[i]] {
			p.layer[i]++
		}
		top = max(top, p.layer[i])
	}
	p.layers = make([]layer, top+1)
	for _, o := range all {
		if p.layer[o.Port] == alone {
			continue
		}
		l := &p.layers[p.layer[o.Port]]
		l.owners = append(l.owners, o)
	}
}

// partition returns a route table as a partition, built at first use.
func (p *Prover) partition(id fabric.TableID) *partition {
	if t := p.partitions[id].Load(); t != nil {
		return t
	}
	t := newPartition(&p.img.Tables[id])
	p.partitions[id].Store(t)
	return t
}
