package tds

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"net"
)

// wrapped is a connection whose bytes are carried in packets of prelogin
// messages while TLS begins ([MS-TDS] 2.2.6.5), and bare afterwards.
type wrapped struct {
	net.Conn
	bare bool
	in   []byte
}

func (w *wrapped) Read(b []byte) (int, error) {
	if w.bare && len(w.in) == 0 {
		return w.Conn.Read(b)
	}
	for len(w.in) == 0 {
		m, err := ReadMessage(w.Conn, 1<<16)
		if err != nil {
			return 0, err
		}
		if m.Kind != KindPrelogin {
			return 0, fmt.Errorf("a message of type %d while TLS begins", m.Kind)
		}
		w.in = m.Data
	}
	n := copy(b, w.in)
	w.in = w.in[n:]
	return n, nil
}

func (w *wrapped) Write(b []byte) (int, error) {
	if w.bare {
		return w.Conn.Write(b)
	}
	if err := WriteMessage(w.Conn, KindPrelogin, DefaultPacket, b); err != nil {
		return 0, err
	}
	return len(b), nil
}

// Secure begins TLS as the server, inside packets. TLS 1.3 ends its handshake
// with messages of the server, which clients no longer expect in packets: it is
// for TDS 8.
func Secure(c net.Conn, config *tls.Config) (net.Conn, error) {
	config = config.Clone()
	config.MaxVersion = tls.VersionTLS12
	config.MinVersion = min(config.MinVersion, tls.VersionTLS12)
	config.NextProtos = nil
	w := &wrapped{Conn: c}
	t := tls.Server(w, config)
	if err := t.Handshake(); err != nil {
		return nil, fmt.Errorf("TLS: %w", err)
	}
	w.bare = true
	return t, nil
}

// secureClient is Secure for the other side.
func secureClient(c net.Conn, config *tls.Config) (net.Conn, error) {
	config = config.Clone()
	config.MinVersion, config.MaxVersion = tls.VersionTLS12, tls.VersionTLS12
	w := &wrapped{Conn: c}
	t := tls.Client(w, config)
	if err := t.Handshake(); err != nil {
		return nil, fmt.Errorf("TLS: %w", err)
	}
	w.bare = true
	return t, nil
}

// handshakeRecord is how a TLS connection begins: the type of its first record.
const handshakeRecord = 0x16

// Strict reports whether a connection begins with TLS instead of a prelogin, as
// TDS 8 does, and returns it with what was read of it.
func Strict(c net.Conn) (net.Conn, bool, error) {
	var first [1]byte
	if _, err := c.Read(first[:]); err != nil {
		return c, false, err
	}
	return &begun{c, bytes.NewReader(first[:])}, first[0] == handshakeRecord, nil
}

// ProtocolTDS8 is the application protocol of TDS 8 in TLS.
const ProtocolTDS8 = "tds/8.0"

// begun is a connection of which something was read.
type begun struct {
	net.Conn
	first *bytes.Reader
}

func (b *begun) Read(p []byte) (int, error) {
	if b.first.Len() > 0 {
		return b.first.Read(p)
	}
	return b.Conn.Read(p)
}
