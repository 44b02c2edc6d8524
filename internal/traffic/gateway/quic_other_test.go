package gateway

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/binary"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"golang.org/x/net/quic"
)

// h3Field is a field line of QPACK in its plainest form: a literal with a literal name
// and neither table nor Huffman code (RFC 9204, 4.5.6). Names and values are shorter
// than 7 and 127 bytes, or the name's length takes a second byte.
func h3Field(name, value string) []byte {
	var out []byte
	if len(name) < 7 {
		out = append(out, 0x20|byte(len(name)))
	} else {
		out = append(out, 0x27, byte(len(name)-7))
	}
	out = append(out, name...)
	out = append(out, byte(len(value)))
	return append(out, value...)
}

// h3Frame is a frame of HTTP/3 (RFC 9114, 7.1).
func h3Frame(kind byte, payload []byte) []byte {
	out := binary.BigEndian.AppendUint16([]byte{kind}, 0x4000|uint16(len(payload)))
	return append(out, payload...)
}

// HTTP/3 with the QUIC of golang.org/x/net, which shares no code with the gateway's: the
// frames are written and read here.
func TestHTTP3OtherQUIC(t *testing.T) {
	m := backendServer(t, "one", func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		_, _ = io.WriteString(w, r.Method+" "+r.URL.Path+" "+r.Host+" "+string(b))
	})
	cert, roots := certificate(t, "shop.example")
	c := simple(m)
	c.Listeners[0].Protocol, c.Listeners[0].Certificates, c.Listeners[0].HTTP3 = HTTPS, []tls.Certificate{cert}, true
	udp := ""
	startWith(t, c, func(o *Options) {
		o.OnRequest = nil
		o.ListenPacket = func(_ context.Context, network, _ string) (net.PacketConn, error) {
			p, err := net.ListenPacket(network, "127.0.0.1:0")
			if err == nil {
				udp = p.LocalAddr().String()
			}
			return p, err
		}
	})
	config := &quic.Config{TLSConfig: &tls.Config{RootCAs: roots, ServerName: "shop.example", MinVersion: tls.VersionTLS13, NextProtos: []string{"h3"}}}
	end, err := quic.Listen("udp", "127.0.0.1:0", nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	defer end.Close(ctx)
	conn, err := end.Dial(ctx, "udp", udp, config)
	if err != nil {
		t.Fatal(err)
	}
	control, err := conn.NewSendOnlyStream(ctx)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = control.Write(append([]byte{0x00}, h3Frame(0x4, nil)...)) // the control stream, with SETTINGS
	control.Flush()
	for _, x := range []struct{ method, path, body, want string }{
		{"GET", "/a", "", "GET /a shop.example "},
		{"POST", "/b", "hello", "POST /b shop.example hello"},
	} {
		s, err := conn.NewStream(ctx)
		if err != nil {
			t.Fatal(err)
		}
		block := []byte{0, 0} // no table
		for _, f := range [][2]string{{":method", x.method}, {":scheme", "https"}, {":authority", "shop.example"}, {":path", x.path}} {
			block = append(block, h3Field(f[0], f[1])...)
		}
		_, _ = s.Write(h3Frame(0x1, block))
		if x.body != "" {
			_, _ = s.Write(h3Frame(0x0, []byte(x.body)))
		}
		s.CloseWrite()
		answer, err := io.ReadAll(s)
		if err != nil {
			t.Fatal(err)
		}
		// 0xd9 is the line of the static table that is :status 200 (RFC 9204, A).
		if len(answer) < 5 || answer[0] != 0x1 || !bytes.Contains(answer[:8], []byte{0xd9}) || !bytes.HasSuffix(answer, []byte(x.want)) {
			t.Errorf("%s: %q", x.path, answer)
		}
		s.Close()
	}
}
