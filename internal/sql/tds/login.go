package tds

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// Libraries of federated authentication ([MS-TDS] 2.2.6.4).
const (
	FedAuthToken byte = 0x01 // the login has the token
	FedAuthADAL  byte = 0x02 // the server says where to get one
)

const (
	featureFedAuth = 0x02
	featureEnd     = 0xff
	// loginFixed is the length of a login's fixed part.
	loginFixed = 94
	// maxLoginText bounds a text of a login, in bytes.
	maxLoginText = 8192
)

// Versions of the protocol, as logins say them.
const (
	Version74 uint32 = 0x74000004
	Version80 uint32 = 0x08000000
)

// FedAuth is how a client means to prove who it is by a token.
type FedAuth struct {
	Library byte
	Token   string // of the library FedAuthToken
	Nonce   []byte // 32 bytes that the server repeats, if any
}

// Login is who logs in, and to what.
type Login struct {
	Version                           uint32
	PacketSize                        uint32
	Host, User, Password, App, Server string
	Library, Language, Database       string
	ReadOnly                          bool // the application means to read only
	Integrated                        bool // by SSPI
	FedAuth                           *FedAuth
}

// ParseLogin reads a LOGIN7 message ([MS-TDS] 2.2.6.4).
func ParseLogin(b []byte) (Login, error) {
	var l Login
	if len(b) < loginFixed {
		return l, errors.New("the login is shorter than its fixed part")
	}
	l.Version, l.PacketSize = binary.LittleEndian.Uint32(b[4:]), binary.LittleEndian.Uint32(b[8:])
	flags2, types, flags3 := b[25], b[26], b[27]
	l.Integrated = flags2&0x80 != 0
	l.ReadOnly = types&0x20 != 0
	var err error
	part := func(at, width int) []byte {
		from, n := int(binary.LittleEndian.Uint16(b[at:])), width*int(binary.LittleEndian.Uint16(b[at+2:]))
		if n > maxLoginText || from+n > len(b) {
			if n > 0 && err == nil {
				err = fmt.Errorf("the login's text at %d lies outside the message", at)
			}
			return nil
		}
		return b[from : from+n]
	}
	text := func(at int) string { return decode16(part(at, 2)) }
	l.Host, l.User = text(36), text(40)
	password := append([]byte(nil), part(44, 2)...)
	for i, c := range password { // obfuscated, not encrypted
		c ^= 0xa5
		password[i] = c<<4 | c>>4
	}
	l.Password = decode16(password)
	l.App, l.Server, l.Library, l.Language, l.Database = text(48), text(52), text(60), text(64), text(68)
	if flags3&0x10 != 0 {
		if at := part(56, 1); len(at) >= 4 {
			from := binary.LittleEndian.Uint32(at)
			if uint64(from) >= uint64(len(b)) {
				return l, errors.New("the login's features lie outside the message")
			}
			if l.FedAuth, err = features(&reader{b: b[from:]}, err); err != nil {
				return l, err
			}
		}
	}
	return l, err
}

// features reads the extensions that a login asks for.
func features(r *reader, err error) (*FedAuth, error) {
	var out *FedAuth
	for err == nil {
		id := r.u8()
		if id == featureEnd || r.err != nil {
			return out, r.err
		}
		data := r.take(int(min(r.u32(), 1<<20)))
		if r.err != nil {
			return nil, r.err
		}
		if id != featureFedAuth {
			continue
		}
		f := &reader{b: data}
		out = &FedAuth{Library: f.u8() >> 1}
		if out.Library == FedAuthToken {
			out.Token = decode16(f.take(int(min(f.u32(), 1<<20))))
			if len(f.b) >= 32 {
				out.Nonce = f.take(32)
			}
		}
		if f.err != nil {
			return nil, f.err
		}
	}
	return nil, err
}

// ParseToken reads the message with the token that an information asked for.
func ParseToken(b []byte) (string, error) {
	r := &reader{b: b}
	r.u32() // of the whole
	token := decode16(r.take(int(min(r.u32(), 1<<20))))
	return token, r.err
}

// Bytes returns the message, with a password or a token in it.
func (l *Login) Bytes() []byte {
	password := encode16(l.Password)
	for i, c := range password {
		password[i] = (c<<4 | c>>4) ^ 0xa5
	}
	b := make([]byte, loginFixed)
	binary.LittleEndian.PutUint32(b[4:], l.Version)
	binary.LittleEndian.PutUint32(b[8:], l.PacketSize)
	b[24] = 0xe0 // the language and the database must be right
	if l.ReadOnly {
		b[26] |= 0x20
	}
	put := func(at int, data []byte, width int) {
		binary.LittleEndian.PutUint16(b[at:], uint16(len(b)))
		binary.LittleEndian.PutUint16(b[at+2:], uint16(len(data)/width))
		b = append(b, data...)
	}
	put(36, encode16(l.Host), 2)
	put(40, encode16(l.User), 2)
	put(44, password, 2)
	put(48, encode16(l.App), 2)
	put(52, encode16(l.Server), 2)
	put(60, encode16(l.Library), 2)
	put(64, encode16(l.Language), 2)
	put(68, encode16(l.Database), 2)
	if l.FedAuth != nil {
		b[27] |= 0x10
		put(56, make([]byte, 4), 1)
		binary.LittleEndian.PutUint32(b[len(b)-4:], uint32(len(b)))
		token := encode16(l.FedAuth.Token)
		data := []byte{l.FedAuth.Library << 1}
		if l.FedAuth.Library == FedAuthToken {
			data = binary.LittleEndian.AppendUint32(data, uint32(len(token)))
			data = append(append(data, token...), l.FedAuth.Nonce...)
		}
		b = append(b, featureFedAuth)
		b = binary.LittleEndian.AppendUint32(b, uint32(len(data)))
		b = append(append(b, data...), featureEnd)
	}
	binary.LittleEndian.PutUint32(b, uint32(len(b)))
	return b
}
