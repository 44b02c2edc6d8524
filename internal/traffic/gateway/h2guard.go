package gateway

import (
	"encoding/binary"
	"io"
	"slices"
	"strings"

	"golang.org/x/net/http2/hpack"
)

// h2guard stands between a client's connection and net/http's reader of HTTP/2, and
// sees to what that leaves undone of RFC 9113: the preface must be there (3.4); of
// several values of a setting in one frame the last counts (6.5.3), where net/http
// ends the connection; and a request with fields of one connection, with a TE other
// than trailers (8.2.2), with two hosts or lengths that differ, with a length that is no number, or with white space in
// its path (8.3.1) is malformed, where net/http answers 400 or goes on. It changes what
// comes in so that net/http does what is due.
type h2guard struct {
	*begunConn
	preface bool   // it was read
	in      []byte // what was read and not looked at yet, in buf
	buf     []byte
	out     []byte // what is to be given next
	pass    int    // bytes of a frame's payload that pass as they are
	empty   int    // frames in a row that brought nothing

	fields    *hpack.Decoder // nil once a block could not be read: net/http will say so
	malformed bool           // the header block that is being read
	block     int            // its bytes so far
	host      string         // that it names
	length    string
}

const (
	h2Preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
	h2Frame   = 16 << 10 // SETTINGS_MAX_FRAME_SIZE as it is announced
	h2Head    = 9        // bytes before a payload
	// maxEmpty is how many frames of a body or a header block may come without anything
	// in them (RFC 9113, 10.5): then the connection ends. net/http reads on for ever.
	maxEmpty = 1000
)

// Types and flags of frames (RFC 9113, 6).
const (
	frameData         = 0x0
	frameHeaders      = 0x1
	frameSettings     = 0x4
	frameContinuation = 0x9
	flagAck           = 0x1
	flagEndStream     = 0x1
	flagEndHeaders    = 0x4
	flagPadded        = 0x8
	flagPriority      = 0x20
)

func newH2Guard(c *begunConn) *h2guard {
	g := &h2guard{begunConn: c, buf: make([]byte, fastBuffer)}
	g.fields = hpack.NewDecoder(4096, g.field) // the size that nothing else was said about
	g.fields.SetMaxStringLength(maxHeader)
	return g
}

// Read implements [net.Conn].
func (g *h2guard) Read(p []byte) (int, error) {
	for {
		if len(g.out) > 0 {
			n := copy(p, g.out)
			g.out = g.out[n:]
			return n, nil
		}
		if g.pass > 0 {
			if len(g.in) == 0 {
				if err := g.more(); err != nil {
					return 0, err
				}
			}
			n := copy(p, g.in[:min(len(g.in), g.pass)])
			g.in, g.pass = g.in[n:], g.pass-n
			return n, nil
		}
		if err := g.next(); err != nil {
			return 0, err
		}
	}
}

// more reads what comes next behind what was read.
func (g *h2guard) more() error {
	if len(g.in) == 0 {
		g.in = g.buf[:0]
	} else if len(g.in) == cap(g.in) {
		// The frame is longer than what is left of the buffer.
		if len(g.in) > len(g.buf)/2 {
			g.buf = make([]byte, 2*len(g.buf))
		}
		g.in = g.buf[:copy(g.buf, g.in)]
	}
	n, err := g.begunConn.Read(g.in[len(g.in):cap(g.in)])
	g.in = g.in[:len(g.in)+n]
	if n > 0 {
		return nil
	}
	return err
}

// need reads until so many bytes are there.
func (g *h2guard) need(n int) error {
	for len(g.in) < n {
		if err := g.more(); err != nil {
			return err
		}
	}
	return nil
}

// next looks at the preface or the next frame.
func (g *h2guard) next() error {
	if !g.preface {
		if err := g.need(len(h2Preface)); err != nil {
			return err
		}
		if string(g.in[:len(h2Preface)]) != h2Preface {
			return io.EOF // and not a word of HTTP/1.1
		}
		g.preface = true
		g.give(len(h2Preface))
		return nil
	}
	if err := g.need(h2Head); err != nil {
		return err
	}
	length := int(g.in[0])<<16 | int(g.in[1])<<8 | int(g.in[2])
	kind, flags := g.in[3], g.in[4]
	switch {
	case length > 0 && (kind == frameData || kind == frameHeaders || kind == frameContinuation):
		g.empty = 0
	case kind == frameContinuation && flags&flagEndHeaders == 0, kind == frameData && flags&flagEndStream == 0:
		if g.empty++; g.empty > maxEmpty {
			return io.EOF
		}
	}
	looked := kind == frameHeaders || kind == frameContinuation || kind == frameSettings && flags&flagAck == 0
	if !looked || length > h2Frame {
		g.pass = h2Head + length
		return nil
	}
	if err := g.need(h2Head + length); err != nil {
		return err
	}
	frame := g.in[:h2Head+length]
	switch kind {
	case frameSettings:
		if d := lastOfEach(frame); d != nil {
			g.in = g.in[len(frame):]
			g.out = d
			return nil
		}
	default:
		if d := g.headers(frame, kind, flags); d != nil {
			g.in = g.in[len(frame):]
			g.out = d
			return nil
		}
	}
	g.give(len(frame))
	return nil
}

// give lets bytes pass as they are.
func (g *h2guard) give(n int) { g.out, g.in = g.in[:n:n], g.in[n:] }

// lastOfEach returns a SETTINGS frame in which each setting has its last value only;
// nil if it is so already, or is no such frame.
func lastOfEach(frame []byte) []byte {
	const size = 6
	payload := frame[h2Head:]
	if len(payload)%size != 0 {
		return nil
	}
	out := append([]byte(nil), frame[:h2Head]...)
	for i := 0; i < len(payload); i += size {
		at := slices.IndexFunc(slices.Collect(slices.Chunk(out[h2Head:], size)), func(s []byte) bool { return s[0] == payload[i] && s[1] == payload[i+1] })
		if at >= 0 {
			at = h2Head + at*size
			out = slices.Delete(out, at, at+size)
		}
		out = append(out, payload[i:i+size]...)
	}
	if len(out) == len(frame) {
		return nil
	}
	setLength(out)
	return out
}

func setLength(frame []byte) {
	var b [4]byte
	binary.BigEndian.PutUint32(b[:], uint32(len(frame)-h2Head))
	copy(frame, b[1:])
}

// unreadable is a field whose name has a capital: net/http takes a request with it for
// malformed, as RFC 9113, 8.2.1 says. It enters no table.
var unreadable = []byte{0x10, 1, 'X', 0}

// headers reads a part of a header block. It returns the frame as net/http shall see
// it if the request is malformed.
func (g *h2guard) headers(frame []byte, kind, flags byte) []byte {
	payload, pad := frame[h2Head:], 0
	if kind == frameHeaders {
		g.malformed, g.block, g.host, g.length = false, 0, "", ""
		if flags&flagPadded != 0 {
			if len(payload) == 0 {
				return nil
			}
			pad, payload = int(payload[0]), payload[1:]
		}
		if flags&flagPriority != 0 {
			if len(payload) < 5 {
				return nil
			}
			payload = payload[5:]
		}
		if pad > len(payload) {
			return nil
		}
		payload = payload[:len(payload)-pad]
	}
	if g.block += len(payload); g.block > 4*maxHeader {
		g.fields = nil // net/http ends the connection
	}
	if g.fields == nil {
		return nil
	}
	_, err := g.fields.Write(payload)
	if flags&flagEndHeaders != 0 && err == nil {
		err = g.fields.Close()
	}
	if err != nil {
		g.fields = nil
		return nil
	}
	if !g.malformed || flags&flagEndHeaders == 0 {
		return nil
	}
	out := append([]byte(nil), frame[:len(frame)-pad]...)
	out = append(append(out, unreadable...), frame[len(frame)-pad:]...)
	setLength(out)
	return out
}

// field notes what must not be in a request.
func (g *h2guard) field(f hpack.HeaderField) {
	switch f.Name {
	case "connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade":
		g.malformed = true
	case "te":
		g.malformed = g.malformed || f.Value != "trailers"
	case ":path":
		g.malformed = g.malformed || strings.ContainsAny(f.Value, " \t")
	case ":authority", "host": // RFC 9113, 8.3.1
		g.malformed = g.malformed || g.host != "" && !strings.EqualFold(g.host, f.Value)
		g.host = f.Value
	case "content-length": // RFC 9110, 8.6
		g.malformed = g.malformed || g.length != "" && g.length != f.Value || strings.Trim(f.Value, "0123456789") != "" || f.Value == ""
		g.length = f.Value
	}
}
