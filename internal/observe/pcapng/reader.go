package pcapng

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"net/netip"
	"time"
)

// maxBlock is the longest block that is read: more than any packet with its
// options takes.
const maxBlock = 16 << 20

// maxInterfaces bounds the interfaces of one section.
const maxInterfaces = 1 << 16

// block is one block as it stands in a file: its type, the byte order of its
// section, and its bytes from type to the second length.
type block struct {
	kind  uint32
	order binary.ByteOrder
	raw   []byte
}

func (b *block) body() []byte { return b.raw[8 : len(b.raw)-4] }

// blocks reads a file block by block.
type blocks struct {
	r     *bufio.Reader
	order binary.ByteOrder
}

// next returns the next block, or io.EOF at the end of the file. The bytes are
// the caller's.
func (s *blocks) next() (block, error) {
	var head [12]byte
	n, err := io.ReadFull(s.r, head[:8])
	switch {
	case err == io.EOF:
		return block{}, io.EOF
	case err != nil:
		return block{}, fmt.Errorf("pcapng: the file ends in the %d bytes of a block's head", n)
	}
	raw := head[:8]
	if binary.LittleEndian.Uint32(head[:]) == blockSection { // reads the same both ways
		if _, err := io.ReadFull(s.r, head[8:]); err != nil {
			return block{}, errors.New("pcapng: the file ends in a section header")
		}
		raw = head[:]
		switch {
		case binary.LittleEndian.Uint32(head[8:]) == byteOrder:
			s.order = binary.LittleEndian
		case binary.BigEndian.Uint32(head[8:]) == byteOrder:
			s.order = binary.BigEndian
		default:
			return block{}, errors.New("pcapng: a section header of no known byte order")
		}
	}
	if s.order == nil {
		return block{}, errors.New("pcapng: no capture file of this format: it does not begin with a section header")
	}
	b := block{kind: s.order.Uint32(head[:]), order: s.order}
	length := s.order.Uint32(head[4:])
	if length < 12 || int(length) < len(raw)+4 || length%4 != 0 || length > maxBlock {
		return block{}, fmt.Errorf("pcapng: a block of type %#x claims %d bytes", b.kind, length)
	}
	// Memory is taken as bytes come, not as the length claims.
	b.raw = append([]byte(nil), raw...)
	for len(b.raw) < int(length) {
		k := len(b.raw)
		b.raw = append(b.raw, make([]byte, min(int(length)-k, 64<<10))...)
		if _, err := io.ReadFull(s.r, b.raw[k:]); err != nil {
			return block{}, fmt.Errorf("pcapng: the file ends in a block of type %#x", b.kind)
		}
	}
	if again := s.order.Uint32(b.raw[length-4:]); again != length {
		return block{}, fmt.Errorf("pcapng: a block of type %#x has the lengths %d and %d", b.kind, length, again)
	}
	return b, nil
}

// Reader reads a capture. What its methods return is the caller's.
type Reader struct {
	blocks     blocks
	section    Section
	interfaces []described
	names      []Name
	statistics []Statistics
}

// described is an interface and how it tells the time.
type described struct {
	Interface
	units  float64 // per second
	exact  uint64  // units per second if that is a whole number up to 10^9, else 0
	offset int64   // seconds
}

// NewReader reads the head of a capture.
func NewReader(r io.Reader) (*Reader, error) {
	x := &Reader{blocks: blocks{r: bufio.NewReader(r)}}
	b, err := x.blocks.next()
	if err == io.EOF {
		return nil, errors.New("pcapng: the file is empty")
	}
	if err != nil {
		return nil, err
	}
	return x, x.head(&b)
}

// Section returns what the head of the section being read says.
func (r *Reader) Section() Section { return r.section }

// Interfaces returns the interfaces of the section being read, so far.
func (r *Reader) Interfaces() []Interface {
	out := make([]Interface, len(r.interfaces))
	for i := range out {
		out[i] = r.interfaces[i].Interface
	}
	return out
}

// Names returns the names of addresses read so far.
func (r *Reader) Names() []Name { return append([]Name(nil), r.names...) }

// Statistics returns the statistics read so far.
func (r *Reader) Statistics() []Statistics { return append([]Statistics(nil), r.statistics...) }

// Next returns the next packet, or io.EOF after the last.
func (r *Reader) Next() (Packet, error) {
	for {
		b, err := r.blocks.next()
		if err != nil {
			return Packet{}, err
		}
		switch b.kind {
		case blockSection:
			err = r.head(&b)
		case blockInterface:
			err = r.describe(&b)
		case blockNames:
			err = r.name(&b)
		case blockStatistics:
			err = r.count(&b)
		case blockPacket:
			return r.packet(&b)
		case blockSimple:
			return r.simple(&b)
		}
		if err != nil {
			return Packet{}, err
		}
	}
}

func (r *Reader) head(b *block) error {
	if b.kind != blockSection {
		return errors.New("pcapng: the file does not begin with a section header")
	}
	body := b.body()
	if len(body) < 16 {
		return errors.New("pcapng: a section header is too short")
	}
	if major := b.order.Uint16(body[4:]); major != 1 {
		return fmt.Errorf("pcapng: version %d of the format is not known", major)
	}
	r.section, r.interfaces = Section{}, nil
	return options(b, body[16:], func(code uint16, v []byte) error {
		switch code {
		case optComment:
			r.section.Comment = string(v)
		case optHardware:
			r.section.Hardware = string(v)
		case optOS:
			r.section.OS = string(v)
		case optApplication:
			r.section.Application = string(v)
		}
		return nil
	})
}

func (r *Reader) describe(b *block) error {
	body := b.body()
	if len(body) < 8 || len(r.interfaces) >= maxInterfaces {
		return errors.New("pcapng: an interface description is too short, or there are too many")
	}
	d := described{
		Interface: Interface{Link: LinkType(b.order.Uint16(body)), SnapLen: b.order.Uint32(body[4:])},
		units:     1e6, exact: 1e6, // the format's default
	}
	err := options(b, body[8:], func(code uint16, v []byte) error {
		switch {
		case code == optName:
			d.Name = string(v)
		case code == optDescription:
			d.Description = string(v)
		case code == optFilter && len(v) > 0 && v[0] == 0:
			d.Filter = string(v[1:])
		case code == optResolution && len(v) == 1:
			base := 10.0
			if v[0]&0x80 != 0 {
				base = 2
			}
			d.units, d.exact = math.Pow(base, float64(v[0]&0x7f)), 0
			if d.units <= 1e9 {
				d.exact = uint64(d.units)
			}
		case code == optOffset && len(v) == 8:
			d.offset = int64(b.order.Uint64(v))
		}
		return nil
	})
	r.interfaces = append(r.interfaces, d)
	return err
}

// when turns a time of an interface into one of ours.
func (d *described) when(high, low uint32) time.Time {
	n := uint64(high)<<32 | uint64(low)
	if d.exact > 0 {
		fraction := n % d.exact * (1e9 / d.exact)
		if 1e9%d.exact != 0 {
			fraction = uint64(float64(n%d.exact) / float64(d.exact) * 1e9)
		}
		return time.Unix(int64(n/d.exact)+d.offset, int64(fraction))
	}
	whole, fraction := math.Modf(float64(n) / d.units)
	return time.Unix(int64(whole)+d.offset, int64(fraction*1e9))
}

func (r *Reader) packet(b *block) (Packet, error) {
	body := b.body()
	if len(body) < 20 {
		return Packet{}, errors.New("pcapng: a packet block is too short")
	}
	n, kept := b.order.Uint32(body), uint64(b.order.Uint32(body[12:]))
	padded := (kept + 3) &^ 3
	if uint64(n) >= uint64(len(r.interfaces)) {
		return Packet{}, fmt.Errorf("pcapng: a packet of interface %d, of which nothing was said", n)
	}
	if padded > uint64(len(body)-20) {
		return Packet{}, fmt.Errorf("pcapng: a packet claims %d bytes in a block of %d", kept, len(b.raw))
	}
	p := Packet{
		Interface: int(n), Time: r.interfaces[n].when(b.order.Uint32(body[4:]), b.order.Uint32(body[8:])),
		Data: body[20 : 20+kept : 20+kept], Length: int(b.order.Uint32(body[16:])),
	}
	return p, options(b, body[20+padded:], func(code uint16, v []byte) error {
		switch {
		case code == optComment:
			p.Comments = append(p.Comments, string(v))
		case code == optFlags && len(v) == 4:
			if d := Direction(b.order.Uint32(v) & 3); d <= Outbound {
				p.Direction = d
			}
		case code == optDrops && len(v) == 8:
			p.Dropped = b.order.Uint64(v)
		case code == optPacketID && len(v) == 8:
			p.ID = b.order.Uint64(v)
		}
		return nil
	})
}

// simple reads a packet of the first interface without a time.
func (r *Reader) simple(b *block) (Packet, error) {
	body := b.body()
	if len(body) < 4 || len(r.interfaces) == 0 {
		return Packet{}, errors.New("pcapng: a simple packet block is too short or has no interface")
	}
	length := b.order.Uint32(body)
	kept := uint64(length)
	if most := r.interfaces[0].SnapLen; most > 0 {
		kept = min(kept, uint64(most))
	}
	if kept > uint64(len(body)-4) {
		return Packet{}, fmt.Errorf("pcapng: a packet claims %d bytes in a block of %d", kept, len(b.raw))
	}
	return Packet{Data: body[4 : 4+kept : 4+kept], Length: int(length)}, nil
}

func (r *Reader) name(b *block) error {
	body := b.body()
	for len(body) >= 4 {
		kind, n := b.order.Uint16(body), int(b.order.Uint16(body[2:]))
		if kind == 0 {
			return nil
		}
		if padded := (n + 3) &^ 3; padded > len(body)-4 {
			return errors.New("pcapng: a name claims more bytes than its block has")
		}
		v := body[4 : 4+n]
		size := map[uint16]int{1: 4, 2: 16}[kind]
		if a, ok := netip.AddrFromSlice(v[:min(size, n)]); ok && len(r.names) < maxInterfaces {
			for _, s := range split(v[size:]) {
				r.names = append(r.names, Name{a, s})
			}
		}
		body = body[4+(n+3)&^3:]
	}
	return nil
}

// split returns the zero-terminated texts of a list.
func split(b []byte) (out []string) {
	for start, i := 0, 0; i < len(b); i++ {
		if b[i] == 0 {
			out = append(out, string(b[start:i]))
			start = i + 1
		}
	}
	return out
}

func (r *Reader) count(b *block) error {
	body := b.body()
	if len(body) < 12 {
		return errors.New("pcapng: a block of statistics is too short")
	}
	n := b.order.Uint32(body)
	if uint64(n) >= uint64(len(r.interfaces)) || len(r.statistics) >= maxInterfaces {
		return fmt.Errorf("pcapng: statistics of interface %d, of which nothing was said", n)
	}
	d := &r.interfaces[n]
	s := Statistics{Interface: int(n), Stop: d.when(b.order.Uint32(body[4:]), b.order.Uint32(body[8:]))}
	err := options(b, body[12:], func(code uint16, v []byte) error {
		if len(v) != 8 {
			return nil
		}
		switch code {
		case optStart:
			s.Start = d.when(b.order.Uint32(v), b.order.Uint32(v[4:]))
		case optReceived:
			s.Received = b.order.Uint64(v)
		case optDropped:
			s.Dropped = b.order.Uint64(v)
		case optAccepted:
			s.Accepted = b.order.Uint64(v)
		}
		return nil
	})
	r.statistics = append(r.statistics, s)
	return err
}

// options calls f with each option of a block.
func options(b *block, body []byte, f func(code uint16, value []byte) error) error {
	for len(body) >= 4 {
		code, n := b.order.Uint16(body), int(b.order.Uint16(body[2:]))
		if code == optEnd {
			return nil
		}
		padded := (n + 3) &^ 3
		if padded > len(body)-4 {
			return fmt.Errorf("pcapng: option %d claims %d bytes, more than its block has", code, n)
		}
		if err := f(code, body[4:4+n]); err != nil {
			return err
		}
		body = body[4+padded:]
	}
	return nil
}
