package tds

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Kind is the type of a message ([MS-TDS] 2.2.3.1.1).
type Kind byte

// The kinds of messages.
const (
	KindBatch       Kind = 0x01
	KindRPC         Kind = 0x03
	KindReply       Kind = 0x04
	KindAttention   Kind = 0x06
	KindBulk        Kind = 0x07
	KindFedAuth     Kind = 0x08
	KindTransaction Kind = 0x0e
	KindLogin       Kind = 0x10
	KindSSPI        Kind = 0x11
	KindPrelogin    Kind = 0x12
)

// Bits of a packet's status ([MS-TDS] 2.2.3.1.2).
const (
	statusEnd       = 0x01
	statusIgnore    = 0x02
	statusReset     = 0x08
	statusResetKeep = 0x10
)

// headerSize is the length of a packet's header, and the bounds of packets in
// bytes with it ([MS-TDS] 2.2.6.4).
const (
	headerSize    = 8
	MinPacket     = 512
	MaxPacket     = 32767
	DefaultPacket = 4096
)

// ErrTooLong is the error of a message longer than its reader takes.
var ErrTooLong = errors.New("the message is too long")

// Message is what one side says before it waits for the other.
type Message struct {
	Kind Kind
	// Reset asks for a session as new before the message is executed; Keep that
	// its transaction stays.
	Reset, Keep bool
	Data        []byte
}

// ReadMessage reads the packets of one message, of limit bytes at most.
func ReadMessage(r io.Reader, limit int) (Message, error) {
	var m Message
	for first := true; ; first = false {
		var h [headerSize]byte
		if _, err := io.ReadFull(r, h[:]); err != nil {
			if !first && errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return m, err
		}
		size := int(binary.BigEndian.Uint16(h[2:]))
		switch {
		case size < headerSize:
			return m, fmt.Errorf("a packet of %d bytes is shorter than its header", size)
		case first:
			m.Kind = Kind(h[0])
			m.Reset, m.Keep = h[1]&(statusReset|statusResetKeep) != 0, h[1]&statusResetKeep != 0
		case Kind(h[0]) != m.Kind:
			return m, fmt.Errorf("a packet of type %d within a message of type %d", h[0], m.Kind)
		}
		if len(m.Data)+size-headerSize > limit {
			return m, ErrTooLong
		}
		at := len(m.Data)
		m.Data = append(m.Data, make([]byte, size-headerSize)...)
		if _, err := io.ReadFull(r, m.Data[at:]); err != nil {
			return m, io.ErrUnexpectedEOF
		}
		if h[1]&statusEnd != 0 {
			if h[1]&statusIgnore != 0 {
				m.Data = nil // its sender thought better of it
			}
			return m, nil
		}
	}
}

// WriteMessage writes a message as packets of at most size bytes.
func WriteMessage(w io.Writer, kind Kind, size int, data []byte) error {
	size = min(max(size, MinPacket), MaxPacket)
	var out []byte
	for id := byte(1); ; id++ {
		part := data[:min(len(data), size-headerSize)]
		data = data[len(part):]
		status := byte(0)
		if len(data) == 0 {
			status = statusEnd
		}
		out = append(out[:0], byte(kind), status)
		out = binary.BigEndian.AppendUint16(out, uint16(headerSize+len(part)))
		out = append(out, 0, 0, id, 0)
		out = append(out, part...)
		if _, err := w.Write(out); err != nil || status == statusEnd {
			return err
		}
	}
}
