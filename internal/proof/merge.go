package proof

import "github.com/ceruleannet/cerulean/internal/fabric"

// joined are the fields along which boxes are joined, the most promising first.
var joined = [...]fabric.Field{fabric.Src, fabric.Dst, fabric.DstPort, fabric.Proto, fabric.SrcPort}

// merge joins boxes that differ in one field of the cube only. They have the
// same way behind them and the same before them. No packet is in two of them,
// because a packet's way is one: the boxes of a search are a partition.
//
// Boxes that began at different ports differ in their sources and are joined
// along them alone: within a layer the source names the port.
func (w *walk) merge(list []state) []state {
	var groups [][]setID
	for _, f := range joined {
		if len(list) < 2 {
			return list
		}
		index := w.index
		clear(index)
		groups = groups[:0]
		out := list[:0:0]
		for _, s := range list {
			k := s
			k.cube[f] = emptySet
			i, ok := index[k]
			if !ok {
				index[k] = len(out)
				out, groups = append(out, s), append(groups, nil)
				continue
			}
			if groups[i] == nil {
				groups[i] = append(groups[i], out[i].cube[f])
			}
			groups[i] = append(groups[i], s.cube[f])
		}
		if len(out) == len(list) {
			continue
		}
		for i := range out {
			if groups[i] != nil {
				out[i].cube[f] = w.a.union(groups[i]...)
			}
		}
		list = out
	}
	return list
}
