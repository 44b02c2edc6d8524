package pcapng

import (
	"encoding/binary"
	"fmt"
	"io"
	"strings"
	"time"
)

// Writer writes one section of a capture. Every method writes whole blocks with
// a single call of the underlying writer, so that whoever reads along never sees
// half a block. It is not safe for concurrent use.
type Writer struct {
	w          io.Writer
	interfaces []Interface
	buf        []byte
}

// NewWriter begins a section.
func NewWriter(w io.Writer, s Section) (*Writer, error) {
	x := &Writer{w: w}
	x.begin(blockSection)
	x.u32(byteOrder)
	x.u16(1) // version 1.0
	x.u16(0)
	x.u64(1<<64 - 1) // the section's length is not known yet
	x.text(optComment, s.Comment)
	x.text(optHardware, s.Hardware)
	x.text(optOS, s.OS)
	x.text(optApplication, s.Application)
	return x, x.end(true)
}

// AddInterface tells of an interface and returns its number. Interfaces may be
// added at any time before their first packet.
func (w *Writer) AddInterface(i Interface) (int, error) {
	w.begin(blockInterface)
	w.u16(uint16(i.Link))
	w.u16(0)
	w.u32(i.SnapLen)
	w.text(optName, i.Name)
	w.text(optDescription, i.Description)
	w.option(optResolution, []byte{nanoseconds})
	if i.Filter != "" {
		w.option(optFilter, append([]byte{0}, cut(i.Filter, maxOption-1)...)) // 0: as text
	}
	if err := w.end(true); err != nil {
		return 0, err
	}
	w.interfaces = append(w.interfaces, i)
	return len(w.interfaces) - 1, nil
}

// WritePacket writes a packet; no more than the interface's SnapLen of it.
func (w *Writer) WritePacket(p Packet) error {
	if p.Interface < 0 || p.Interface >= len(w.interfaces) {
		return fmt.Errorf("pcapng: packet of interface %d; there are %d", p.Interface, len(w.interfaces))
	}
	data := p.Data
	if most := w.interfaces[p.Interface].SnapLen; most > 0 && len(data) > int(most) {
		data = data[:most]
	}
	w.begin(blockPacket)
	w.u32(uint32(p.Interface))
	w.time(p.Time)
	w.u32(uint32(len(data)))
	w.u32(uint32(max(p.Length, len(p.Data))))
	w.padded(data)
	for _, c := range p.Comments {
		w.text(optComment, c)
	}
	if p.Direction != DirectionUnknown {
		w.option(optFlags, binary.LittleEndian.AppendUint32(nil, uint32(p.Direction)))
	}
	w.count(optDrops, p.Dropped)
	w.count(optPacketID, p.ID)
	return w.end(true)
}

// WriteNames writes names of addresses. Names that cannot be written are left
// out.
func (w *Writer) WriteNames(names []Name) error {
	const v4, v6, end = 1, 2, 0 // types of records
	w.begin(blockNames)
	for _, n := range names {
		if n.Name == "" || strings.IndexByte(n.Name, 0) >= 0 || len(n.Name) > 255 || !n.Addr.IsValid() {
			continue
		}
		kind, addr := uint16(v6), n.Addr.AsSlice()
		if n.Addr.Is4() {
			kind = v4
		}
		w.u16(kind)
		w.u16(uint16(len(addr) + len(n.Name) + 1))
		w.padded(append(append(addr, n.Name...), 0))
	}
	w.u16(end)
	w.u16(0)
	return w.end(false)
}

// WriteStatistics writes what an interface counted.
func (w *Writer) WriteStatistics(s Statistics) error {
	if s.Interface < 0 || s.Interface >= len(w.interfaces) {
		return fmt.Errorf("pcapng: statistics of interface %d; there are %d", s.Interface, len(w.interfaces))
	}
	w.begin(blockStatistics)
	w.u32(uint32(s.Interface))
	w.time(s.Stop)
	moment := func(code uint16, t time.Time) {
		w.u16(code)
		w.u16(8)
		w.time(t)
	}
	if !s.Start.IsZero() {
		moment(optStart, s.Start)
	}
	moment(optStop, s.Stop)
	for _, c := range []struct {
		code uint16
		n    uint64
	}{{optReceived, s.Received}, {optDropped, s.Dropped}, {optAccepted, s.Accepted}} {
		w.option(c.code, binary.LittleEndian.AppendUint64(nil, c.n))
	}
	return w.end(true)
}

func (w *Writer) u16(v uint16) { w.buf = binary.LittleEndian.AppendUint16(w.buf, v) }
func (w *Writer) u32(v uint32) { w.buf = binary.LittleEndian.AppendUint32(w.buf, v) }
func (w *Writer) u64(v uint64) { w.buf = binary.LittleEndian.AppendUint64(w.buf, v) }

// time writes a time as two words, the upper first whatever the byte order.
// Times before 1970 do not exist in a capture.
func (w *Writer) time(t time.Time) {
	n := uint64(max(t.UnixNano(), 0))
	w.u32(uint32(n >> 32))
	w.u32(uint32(n))
}

// padded writes bytes up to a multiple of four.
func (w *Writer) padded(b []byte) {
	w.buf = append(w.buf, b...)
	for len(w.buf)%4 != 0 {
		w.buf = append(w.buf, 0)
	}
}

func (w *Writer) option(code uint16, value []byte) {
	w.u16(code)
	w.u16(uint16(len(value)))
	w.padded(value)
}

// text writes an option unless it is empty.
func (w *Writer) text(code uint16, s string) {
	if s != "" {
		w.option(code, []byte(cut(s, maxOption)))
	}
}

// count writes an option of eight bytes unless it is 0.
func (w *Writer) count(code uint16, n uint64) {
	if n != 0 {
		w.option(code, binary.LittleEndian.AppendUint64(nil, n))
	}
}

// cut shortens text to n bytes of valid UTF-8.
func cut(s string, n int) string {
	s = strings.ToValidUTF8(s, "\ufffd")
	if len(s) > n {
		s = strings.ToValidUTF8(s[:n], "")
	}
	return s
}

// begin starts a block; its length is filled in by end.
func (w *Writer) begin(kind uint32) {
	w.buf = w.buf[:0]
	w.u32(kind)
	w.u32(0)
}

// end ends the block, its options first if it has any, and writes it.
func (w *Writer) end(options bool) error {
	if options {
		w.u16(optEnd)
		w.u16(0)
	}
	n := uint32(len(w.buf) + 4)
	w.u32(n)
	binary.LittleEndian.PutUint32(w.buf[4:], n)
	_, err := w.w.Write(w.buf)
	return err
}
