package tds

import (
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
)

// maxReply bounds what a [Client] takes of one answer, in bytes.
const maxReply = 16 << 20

// Client is a session at a server, for one goroutine at a time.
type Client struct{ conn net.Conn }

// Connect logs in over a connection, encrypted, and owns it from then on. The
// error of a login that is refused is a [*Problem]. Set deadlines on the
// connection before.
func Connect(conn net.Conn, config *tls.Config, l Login) (*Client, error) {
	c, err := connect(conn, config, l)
	if err != nil {
		conn.Close()
		return nil, err
	}
	return c, nil
}

func connect(conn net.Conn, config *tls.Config, l Login) (*Client, error) {
	hello := Prelogin{Encryption: EncryptAll, FedAuth: l.FedAuth != nil, FedAuthRequired: l.FedAuth != nil}
	if err := WriteMessage(conn, KindPrelogin, DefaultPacket, hello.Bytes()); err != nil {
		return nil, err
	}
	m, err := ReadMessage(conn, 1<<16)
	if err != nil {
		return nil, err
	}
	answer, err := ParsePrelogin(m.Data)
	if err != nil {
		return nil, err
	}
	if answer.Encryption != EncryptAll && answer.Encryption != EncryptRequired {
		return nil, errors.New("the server does not encrypt")
	}
	secure, err := secureClient(conn, config)
	if err != nil {
		return nil, err
	}
	c := &Client{secure}
	l.Version, l.PacketSize = Version74, DefaultPacket
	if err := WriteMessage(c.conn, KindLogin, DefaultPacket, l.Bytes()); err != nil {
		return nil, err
	}
	_, err = c.answer()
	return c, err
}

// Run executes a batch and returns the rows of its last result. The error of a
// statement that fails is a [*Problem]; any other ends the session.
func (c *Client) Run(statements string) ([][]any, error) {
	if err := WriteMessage(c.conn, KindBatch, DefaultPacket, BatchBytes(statements)); err != nil {
		return nil, err
	}
	return c.answer()
}

// Close ends the session.
func (c *Client) Close() error { return c.conn.Close() }

func (c *Client) answer() ([][]any, error) {
	m, err := ReadMessage(c.conn, maxReply)
	if err != nil {
		return nil, err
	}
	return parseReply(m.Data)
}

// parseReply reads the rows of the last result of an answer, and its first error.
func parseReply(b []byte) (rows [][]any, err error) {
	r := &reader{b: b}
	var columns []Type
	for len(r.b) > 0 && r.err == nil {
		switch id := r.u8(); id {
		case tokenColumns:
			columns, rows = nil, nil
			for range r.u16() {
				r.take(6)
				columns = append(columns, r.readType())
				r.short()
				if r.err != nil {
					break
				}
			}
		case tokenRow:
			row := make([]any, len(columns))
			for i, t := range columns {
				row[i] = r.readValue(t)
			}
			rows = append(rows, row)
		case tokenError:
			if p := r.problem(); err == nil && r.err == nil {
				err = p
			}
		case tokenInfo, tokenEnvironment, tokenLoginAck, tokenOrder:
			r.take(int(r.u16()))
		case tokenDone, tokenDoneProc, tokenDoneInProc:
			r.take(12)
		case tokenReturnStatus:
			r.take(4)
		case tokenFeatures:
			for r.err == nil && r.u8() != featureEnd {
				r.take(int(min(r.u32(), 1<<20)))
			}
		default:
			return nil, fmt.Errorf("the answer's token 0x%02x is not known here", id)
		}
	}
	if r.err != nil {
		return nil, r.err
	}
	return rows, err
}

// problem reads an error.
func (r *reader) problem() *Problem {
	in := &reader{b: r.take(int(r.u16()))}
	p := &Problem{Number: int32(in.u32()), State: in.u8(), Class: in.u8(), Text: in.long(), Server: in.short()}
	in.short()
	if b := in.take(4); b != nil {
		p.Line = int32(binary.LittleEndian.Uint32(b))
	}
	if in.err != nil {
		r.fail("an error within the answer: %w", in.err)
	}
	return p
}
