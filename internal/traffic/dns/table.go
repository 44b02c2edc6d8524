package dns

import (
	"encoding/binary"
	"hash/maphash"
)

// table finds the answers that do not depend on who asks. A question costs two
// places of memory: a slot, and an entry with the name and the answer beside each
// other. The nodes that it is made of cost six, which on a zone that does not fit
// into a processor's cache is most of a query's time.
type table struct {
	seed  maphash.Seed
	slots []slot // a power of two, at most half of them taken
	data  []byte // of entries
}

// slot leads to an entry; at is 0 if it is free.
type slot struct{ tag, at uint32 }

// Parts of an entry: numbers of a [body], then the name, then the body's bytes.
const (
	entryKind    = 0  // 2 bytes
	entryNameLen = 2  // 1 byte
	entryCode    = 3  // 1 byte: the response code, and whether it is authoritative
	entryWireLen = 4  // 2 bytes
	entryCounts  = 6  // 3 times 2 bytes
	entryApex    = 12 // 1 byte
	entryHead    = 13

	entryAuthoritative = 0x80
)

// cacheLine is what memory is read by, in bytes: a short entry lies within one.
const cacheLine = 64

// maxTable bounds the bytes of all entries: what is beyond is found in the nodes.
const maxTable = 1 << 31

// newTable makes the table of what nodes answer.
func newTable(nodes map[string]*node) *table {
	t := &table{seed: maphash.MakeSeed(), data: make([]byte, 1, cacheLine)}
	type found struct{ hash, at uint64 }
	var all []found
	for name, n := range nodes {
		if n.cut != nil {
			continue
		}
		for _, k := range n.kinds {
			if b := k.answer.body; k.answer.choose == nil && len(b.wire) < maxTCP && len(t.data) < maxTable {
				all = append(all, found{t.hash([]byte(name), k.kind), uint64(t.add(name, k.kind, b))})
			}
		}
	}
	size := 1
	for size < 2*len(all) {
		size *= 2
	}
	t.slots = make([]slot, size)
	for _, f := range all {
		i := f.hash & uint64(size-1)
		for t.slots[i].at != 0 {
			i = (i + 1) & uint64(size-1)
		}
		t.slots[i] = slot{uint32(f.hash >> 32), uint32(f.at)}
	}
	return t
}

func (t *table) hash(name []byte, kind uint16) uint64 {
	return maphash.Bytes(t.seed, name) ^ uint64(kind)*0x9e3779b97f4a7c15
}

// add appends an entry and returns its place.
func (t *table) add(name string, kind uint16, b *body) int {
	size := entryHead + len(name) + len(b.wire)
	if at := len(t.data) % cacheLine; at+size > cacheLine && size <= cacheLine {
		t.data = append(t.data, make([]byte, cacheLine-at)...)
	}
	at := len(t.data)
	code := b.rcode
	if b.authoritative {
		code |= entryAuthoritative
	}
	t.data = binary.BigEndian.AppendUint16(t.data, kind)
	t.data = append(t.data, byte(len(name)), code)
	for _, v := range []uint16{uint16(len(b.wire)), b.an, b.ns, b.ar} {
		t.data = binary.BigEndian.AppendUint16(t.data, v)
	}
	t.data = append(t.data, byte(b.apex))
	t.data = append(t.data, name...)
	t.data = append(t.data, b.wire...)
	return at
}

// find reads the answer for a name in lower case on the wire, and reports whether
// there is one. about identifies the question.
func (t *table) find(name []byte, kind uint16, to *body) (about uint64, ok bool) {
	h := t.hash(name, kind)
	mask := uint64(len(t.slots) - 1)
	for i := h & mask; ; i = (i + 1) & mask {
		s := t.slots[i]
		if s.at == 0 {
			return 0, false
		}
		if s.tag != uint32(h>>32) {
			continue
		}
		e := t.data[s.at:]
		n := int(e[entryNameLen])
		if binary.BigEndian.Uint16(e) != kind || string(e[entryHead:entryHead+n]) != string(name) {
			continue
		}
		to.rcode, to.authoritative = e[entryCode]&^entryAuthoritative, e[entryCode]&entryAuthoritative != 0
		to.an, to.ns, to.ar = binary.BigEndian.Uint16(e[entryCounts:]), binary.BigEndian.Uint16(e[entryCounts+2:]), binary.BigEndian.Uint16(e[entryCounts+4:])
		to.apex = int(e[entryApex])
		wire := entryHead + n
		to.wire = e[wire : wire+int(binary.BigEndian.Uint16(e[entryWireLen:]))]
		return h &^ 1, true
	}
}

// place is where the entry of a question may begin, as far as one slot tells.
func (t *table) place(name []byte, kind uint16) uint32 {
	return t.slots[t.hash(name, kind)&uint64(len(t.slots)-1)].at
}
