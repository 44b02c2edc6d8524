package gateway

import (
	"bytes"
	"io"
	"net"
	"slices"
	"testing"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// bytesConn is a connection from which bytes are read, a few at a time.
type bytesConn struct {
	net.Conn
	b    []byte
	step int
}

func (c *bytesConn) Read(p []byte) (int, error) {
	if len(c.b) == 0 {
		return 0, io.EOF
	}
	n := copy(p, c.b[:min(len(c.b), c.step)])
	c.b = c.b[n:]
	return n, nil
}

func throughGuard(b []byte, step int) ([]byte, error) {
	return io.ReadAll(newH2Guard(&begunConn{Conn: &bytesConn{b: b, step: step}}))
}

// block is a header block.
func block(fields ...string) []byte {
	var b bytes.Buffer
	e := hpack.NewEncoder(&b)
	for i := 0; i < len(fields); i += 2 {
		_ = e.WriteField(hpack.HeaderField{Name: fields[i], Value: fields[i+1]})
	}
	return b.Bytes()
}

// What RFC 9113 asks for and net/http leaves undone.
func TestH2Guard(t *testing.T) {
	plain := []string{":method", "GET", ":path", "/", ":scheme", "https", ":authority", "a"}
	long := bytes.Repeat([]byte("x"), 9000)
	for name, x := range map[string]struct {
		write func(*http2.Framer)
		want  []string // the last frame's fields; "X" means that it is refused
		same  bool     // the bytes pass as they are
	}{
		"plain": {func(f *http2.Framer) {
			_ = f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block(plain...), EndHeaders: true, EndStream: true})
		}, nil, true},
		"TE trailers": {func(f *http2.Framer) {
			_ = f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block(append(plain, "te", "trailers")...), EndHeaders: true})
		}, nil, true},
		"TE gzip": {func(f *http2.Framer) {
			_ = f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block(append(plain, "te", "gzip")...), EndHeaders: true, PadLength: 7})
		}, []string{"te", "X"}, false},
		"connection": {func(f *http2.Framer) {
			_ = f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block(append(plain, "connection", "close")...), EndHeaders: true, Priority: http2.PriorityParam{Weight: 3}})
		}, []string{"connection", "X"}, false},
		"in a continuation": {func(f *http2.Framer) {
			b := block(append(plain, "upgrade", "x", "x-long", string(long))...)
			_ = f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: b[:20]})
			_ = f.WriteContinuation(1, true, b[20:])
		}, []string{"upgrade", "x-long", "X"}, false},
		"data": {func(f *http2.Framer) {
			_ = f.WriteData(1, true, long)
			_ = f.WritePing(false, [8]byte{1})
			_ = f.WriteSettingsAck()
		}, nil, true},
		"settings": {func(f *http2.Framer) {
			_ = f.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1}, http2.Setting{ID: http2.SettingEnablePush, Val: 0})
		}, nil, true},
		"bad block": {func(f *http2.Framer) {
			_ = f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, EndHeaders: true})
			_ = f.WriteHeaders(http2.HeadersFrameParam{StreamID: 3, BlockFragment: block(append(plain, "te", "gzip")...), EndHeaders: true})
		}, nil, true},
	} {
		for _, step := range []int{1, 10, 1 << 20} {
			var b bytes.Buffer
			b.WriteString(h2Preface)
			x.write(http2.NewFramer(&b, nil))
			got, err := throughGuard(b.Bytes(), step)
			if err != nil {
				t.Fatal(name, err)
			}
			if x.same {
				if !bytes.Equal(got, b.Bytes()) {
					t.Errorf("%s, %d at a time: it was changed", name, step)
				}
				continue
			}
			f := http2.NewFramer(nil, bytes.NewReader(got[len(h2Preface):]))
			var fields []string
			d := hpack.NewDecoder(4096, func(h hpack.HeaderField) { fields = append(fields, h.Name) })
			for {
				frame, err := f.ReadFrame()
				if err != nil {
					break
				}
				switch h := frame.(type) {
				case *http2.HeadersFrame:
					_, err = d.Write(h.HeaderBlockFragment())
				case *http2.ContinuationFrame:
					_, err = d.Write(h.HeaderBlockFragment())
				}
				if err != nil {
					t.Fatal(name, err)
				}
			}
			if err := d.Close(); err != nil || len(fields) < 4 || !slices.Equal(fields[4:], x.want) {
				t.Errorf("%s, %d at a time: %q, %v", name, step, fields, err)
			}
		}
	}
	if got, err := throughGuard([]byte("GET / HTTP/1.1\r\nHost: a\r\n\r\n"), 100); len(got) != 0 || err != nil {
		t.Errorf("no preface: %q, %v", got, err)
	}
}

// Of several values of a setting the last counts (RFC 9113, 6.5.3).
func TestH2GuardSettings(t *testing.T) {
	var b, want bytes.Buffer
	b.WriteString(h2Preface)
	want.WriteString(h2Preface)
	one := http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1}
	two := http2.Setting{ID: http2.SettingEnablePush, Val: 0}
	three := http2.Setting{ID: http2.SettingInitialWindowSize, Val: 3}
	_ = http2.NewFramer(&b, nil).WriteSettings(one, two, three)
	_ = http2.NewFramer(&want, nil).WriteSettings(two, three)
	if got, err := throughGuard(b.Bytes(), 5); err != nil || !bytes.Equal(got, want.Bytes()) {
		t.Errorf("%x, %v", got, err)
	}
}

// Whatever comes, what passes is as long as what came, but for what the guard is for,
// and is the same however it is cut.
// A connection ends that sends frames of a body or a header block without anything in
// them, one after the other (RFC 9113, 10.5); some are no harm.
func TestH2GuardEmptyFrames(t *testing.T) {
	head := block(":method", "GET", ":path", "/", ":scheme", "https", ":authority", "a")
	for name, x := range map[string]struct {
		begin http2.HeadersFrameParam
		more  func(*http2.Framer)
		n     int
		ends  bool
	}{
		"data":              {http2.HeadersFrameParam{StreamID: 1, BlockFragment: head, EndHeaders: true}, func(f *http2.Framer) { _ = f.WriteData(1, false, nil) }, maxEmpty + 1, true},
		"some data":         {http2.HeadersFrameParam{StreamID: 1, BlockFragment: head, EndHeaders: true}, func(f *http2.Framer) { _ = f.WriteData(1, false, nil) }, maxEmpty, false},
		"continuation":      {http2.HeadersFrameParam{StreamID: 1, BlockFragment: head}, func(f *http2.Framer) { _ = f.WriteContinuation(1, false, nil) }, maxEmpty + 1, true},
		"some continuation": {http2.HeadersFrameParam{StreamID: 1, BlockFragment: head}, func(f *http2.Framer) { _ = f.WriteContinuation(1, false, nil) }, maxEmpty, false},
		"data between": {http2.HeadersFrameParam{StreamID: 1, BlockFragment: head, EndHeaders: true}, func(f *http2.Framer) {
			_ = f.WriteData(1, false, nil)
			_ = f.WriteData(1, false, []byte("x"))
		}, 2 * maxEmpty, false},
	} {
		b := bytes.NewBufferString(http2.ClientPreface)
		f := http2.NewFramer(b, nil)
		_ = f.WriteHeaders(x.begin)
		for range x.n {
			x.more(f)
		}
		sent := b.Len()
		got, err := throughGuard(b.Bytes(), 1<<14)
		if err != nil || (len(got) < sent) != x.ends {
			t.Errorf("%s: %d of %d bytes, %v", name, len(got), sent, err)
		}
	}
}

func FuzzH2Guard(f *testing.F) {
	for _, fields := range [][]string{{":method", "GET"}, {":method", "GET", "te", "x"}} {
		var b bytes.Buffer
		w := http2.NewFramer(&b, nil)
		_ = w.WriteSettings(http2.Setting{ID: 4, Val: 1}, http2.Setting{ID: 4, Val: 2})
		_ = w.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block(fields...), EndHeaders: true, PadLength: 3})
		_ = w.WriteData(1, true, []byte("data"))
		f.Add(b.Bytes(), uint8(3))
	}
	f.Fuzz(func(t *testing.T, b []byte, step uint8) {
		b = append([]byte(h2Preface), b...)
		whole, err := throughGuard(b, len(b))
		if err != nil {
			t.Fatal(err)
		}
		cut, err := throughGuard(b, int(step)+1)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(whole, cut) {
			t.Fatalf("%x\n%x", whole, cut)
		}
		if n := bytes.Count(whole, unreadable); n == 0 && len(whole) > len(b) {
			t.Fatalf("%d bytes became %d", len(b), len(whole))
		}
	})
}
