package sql

import (
	"crypto/subtle"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/ceruleannet/cerulean/internal/sql/tds"
)

// What the server says it is: a version of SQL Server whose protocol it speaks,
// and what it is besides.
const (
	productName    = "Microsoft SQL Server"
	productVersion = "12.0.2000.8"
	productText    = "Microsoft SQL Azure (RTM) - " + productVersion + " (this network's own server: Transact-SQL as far as SQLite has it)"
	productEdition = "SQL Azure"
)

// loginPatience is how long a login may take, maxLogin what it may say in bytes.
const (
	loginPatience = 30 * time.Second
	maxLogin      = 128 << 10
)

func same(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

// greet takes a connection through prelogin and TLS, as TDS 7.4 or 8 has it.
func greet(conn net.Conn, config *tls.Config) (net.Conn, error) {
	conn, strict, err := tds.Strict(conn)
	if err != nil {
		return nil, err
	}
	if strict {
		config = config.Clone()
		config.NextProtos = []string{tds.ProtocolTDS8}
		t := tls.Server(conn, config)
		if err := t.Handshake(); err != nil {
			return nil, fmt.Errorf("TLS: %w", err)
		}
		conn = t
	}
	m, err := tds.ReadMessage(conn, maxLogin)
	if err != nil {
		return nil, err
	}
	if m.Kind != tds.KindPrelogin {
		return nil, fmt.Errorf("a message of type %d before the prelogin", m.Kind)
	}
	asked, err := tds.ParsePrelogin(m.Data)
	if err != nil {
		return nil, err
	}
	// Azure's servers demand encryption of everything.
	answer := tds.Prelogin{Version: [6]byte{12, 0, 0x07, 0xd0}, Encryption: tds.EncryptRequired, FedAuth: asked.FedAuth, FedAuthRequired: asked.FedAuthRequired}
	if asked.Encryption == tds.EncryptAll {
		answer.Encryption = tds.EncryptAll
	}
	if err := tds.WriteMessage(conn, tds.KindReply, tds.DefaultPacket, answer.Bytes()); err != nil || strict {
		return conn, err
	}
	if asked.Encryption == tds.EncryptNone {
		return nil, errors.New("the client cannot encrypt")
	}
	return tds.Secure(conn, config)
}

// login reads who logs in and answers. It reports whether the session may go on.
func (x *session) login() bool {
	m, err := tds.ReadMessage(x.conn, maxLogin)
	if err != nil || m.Kind != tds.KindLogin {
		return false
	}
	l, err := tds.ParseLogin(m.Data)
	if err != nil {
		return false
	}
	if l.PacketSize != 0 {
		x.packet = int(min(max(l.PacketSize, tds.MinPacket), tds.MaxPacket))
	}
	x.environment = environment{server: x.at.Name(), edition: productEdition, version: productText, session: x.number, user: l.User}
	r := &tds.Reply{}
	if p := x.admit(&l); p != nil {
		p.Server = x.at.Name()
		r.Error(p)
		r.End(tds.End{Failed: true})
		_ = tds.WriteMessage(x.conn, tds.KindReply, x.packet, r.Bytes())
		return false
	}
	r.Database(x.in(), "master")
	r.Collation()
	r.LoginAck(min(l.Version, tds.Version74), productName, [4]byte{12, 0, 0x07, 0xd0})
	r.PacketSize(x.packet)
	if l.FedAuth != nil && l.FedAuth.Library == tds.FedAuthToken {
		r.FedAuthAck(l.FedAuth.Nonce)
	} else if l.FedAuth != nil {
		r.FedAuthAck(nil)
	}
	r.End(tds.End{})
	return tds.WriteMessage(x.conn, tds.KindReply, x.packet, r.Bytes()) == nil
}

// admit decides about a login: the firewall first, then who it is, then the
// database.
func (x *session) admit(l *tds.Login) *problem {
	s := x.owner
	if x.refused {
		s.mu.Lock()
		access, _ := s.server(x.at).properties["publicNetworkAccess"].(string)
		s.mu.Unlock()
		if strings.EqualFold(access, "Disabled") {
			return noPublicAccess()
		}
		return refusedBy(x.at.Name(), x.from.String())
	}
	switch {
	case l.Version>>24 < 0x72 && l.Version != tds.Version80:
		return newProblem(numberLogin, 14, 1, "This server speaks TDS 7.2 to 8.0.")
	case l.Integrated:
		return newProblem(numberLogin, 14, 1, "Windows logins are not supported in this version of SQL Server.")
	case l.FedAuth != nil:
		token := l.FedAuth.Token
		if l.FedAuth.Library == tds.FedAuthADAL {
			var err error
			if token, err = x.ask(); err != nil {
				return loginFailed("<token-identified principal>")
			}
		}
		name, err := s.identify(x.at, token)
		if err != nil {
			p := loginFailed("<token-identified principal>")
			p.Text += " " + err.Error() + "."
			return p
		}
		x.environment.user = name
	case !s.authorize(x.at, l.User, l.Password):
		return loginFailed(l.User)
	}
	name := strings.ToLower(l.Database)
	if name == "" {
		name = "master"
	}
	if _, ok := s.find(x.at, name); !ok {
		return noDatabase(l.Database)
	}
	x.enter(name)
	return nil
}

// ask tells a client where tokens are to be had, and reads the one it got.
func (x *session) ask() (string, error) {
	r := &tds.Reply{}
	r.FedAuthInfo("https://login.microsoftonline.com/"+x.owner.cloud.Tenant(), audience+"/")
	if err := tds.WriteMessage(x.conn, tds.KindReply, x.packet, r.Bytes()); err != nil {
		return "", err
	}
	m, err := tds.ReadMessage(x.conn, maxLogin)
	if err != nil {
		return "", err
	}
	if m.Kind != tds.KindFedAuth {
		return "", fmt.Errorf("a message of type %d in place of a token", m.Kind)
	}
	return tds.ParseToken(m.Data)
}
