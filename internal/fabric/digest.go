package fabric

import (
	"bufio"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"
)

// Digest is the SHA-256 of what the image is, without epoch, declared places
// and the order in which sets, filters and tables happen to be stored: they
// count by their content where they are used. Two images with equal digests
// behave alike.
func (img *Image) Digest() [sha256.Size]byte {
	d := &digester{img: img, sets: make([]*digest, len(img.Sets)), filters: make([]*digest, len(img.Filters)), tables: make([]*digest, len(img.Tables))}
	// Everything that is not stored by number is described with the numbers
	// blanked.
	bare := *img
	bare.Sets, bare.Filters, bare.Tables = nil, nil, nil
	bare.Platform = 0
	bare.Ports = slices.Clone(img.Ports)
	h := sha256.New()
	w := bufio.NewWriter(h)
	w.Write(d.set(img.Platform)[:])
	for i := range img.Ports {
		p, out := &img.Ports[i], &bare.Ports[i]
		out.Addrs, out.Egress, out.Ingress = 0, nil, nil
		w.Write(d.set(p.Addrs)[:])
		d.list(w, p.Egress)
		d.list(w, p.Ingress)
		if p.Routes != None {
			w.Write(d.table(p.Routes)[:])
		}
		out.Routes = 0
		if f := p.Forward; f != nil {
			d.list(w, f.Policy)
			w.Write(d.set(f.Private)[:])
			forward := *f
			forward.Policy, forward.Private = nil, 0
			out.Forward = &forward
		}
		if in := p.Inward; in != nil {
			w.Write(d.set(in.Addrs)[:])
			inward := Inward{Redirects: slices.Clone(in.Redirects)}
			for j := range inward.Redirects {
				r := &inward.Redirects[j]
				for f := range r.Match {
					w.Write(d.set(r.Match[f])[:])
					r.Match[f] = 0
				}
			}
			out.Inward = &inward
		}
	}
	// A hash never fails to take bytes.
	_ = bare.Describe(w)
	_ = w.Flush()
	return [sha256.Size]byte(h.Sum(nil))
}

type digest = [sha256.Size]byte

// digester remembers the digests of the parts that others refer to.
type digester struct {
	img                   *Image
	sets, filters, tables []*digest
}

func (d *digester) set(id SetID) *digest {
	if d.sets[id] == nil {
		b := make([]byte, 0, 32*len(d.img.Sets[id]))
		for _, r := range d.img.Sets[id] {
			for _, v := range [...]uint64{r.Lo.Hi, r.Lo.Lo, r.Hi.Hi, r.Hi.Lo} {
				b = binary.BigEndian.AppendUint64(b, v)
			}
		}
		sum := sha256.Sum256(b)
		d.sets[id] = &sum
	}
	return d.sets[id]
}

func (d *digester) list(w *bufio.Writer, ids []FilterID) {
	fmt.Fprintf(w, "filters %d\n", len(ids))
	for _, id := range ids {
		w.Write(d.filter(id)[:])
	}
}

func (d *digester) filter(id FilterID) *digest {
	if d.filters[id] == nil {
		f := &d.img.Filters[id]
		b := fmt.Appendf(nil, "%s %q %q %s\n", f.Stage, f.Name, f.Origin.text(), f.Default)
		for i := range f.Rules {
			r := &f.Rules[i]
			b = fmt.Appendf(b, "%d %s %v %q\n", r.Priority, r.Action, r.Masquerade, r.Origin.text())
			for _, m := range r.Match {
				b = append(b, d.set(m)[:]...)
			}
		}
		sum := sha256.Sum256(b)
		d.filters[id] = &sum
	}
	return d.filters[id]
}

func (d *digester) table(id TableID) *digest {
	if d.tables[id] == nil {
		t := &d.img.Tables[id]
		b := fmt.Appendf(nil, "%q %q\n", t.Name, t.Origin.text())
		for _, r := range t.Routes {
			b = fmt.Appendf(b, "%s %s %s %v %v %q\n", r.Prefix, r.Source, r.Kind, r.Hop, r.Inactive, r.Origin.text())
		}
		sum := sha256.Sum256(b)
		d.tables[id] = &sum
	}
	return d.tables[id]
}
