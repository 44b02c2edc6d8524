package tds

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// Encryption is what a side says of encryption before the login ([MS-TDS]
// 2.2.6.5).
type Encryption byte

// What sides say.
const (
	EncryptLogin    Encryption = 0 // of the login only
	EncryptAll      Encryption = 1
	EncryptNone     Encryption = 2 // it cannot
	EncryptRequired Encryption = 3
)

// Tokens of a prelogin message.
const (
	preloginVersion    = 0x00
	preloginEncryption = 0x01
	preloginInstance   = 0x02
	preloginThread     = 0x03
	preloginMARS       = 0x04
	preloginFedAuth    = 0x06
	preloginEnd        = 0xff
)

// Prelogin is the first message of either side.
type Prelogin struct {
	Version    [6]byte // major, minor, build, sub-build
	Encryption Encryption
	MARS       bool // several requests at once over one connection
	// FedAuth says whether the side spoke of federated authentication, and
	// FedAuthRequired what.
	FedAuth, FedAuthRequired bool
}

// ParsePrelogin reads a prelogin message.
func ParsePrelogin(b []byte) (Prelogin, error) {
	var p Prelogin
	for i := 0; ; i += 5 {
		if i >= len(b) {
			return p, errors.New("the prelogin has no end of its options")
		}
		if b[i] == preloginEnd {
			return p, nil
		}
		if i+5 > len(b) {
			return p, errors.New("the prelogin ends within an option")
		}
		from, n := int(binary.BigEndian.Uint16(b[i+1:])), int(binary.BigEndian.Uint16(b[i+3:]))
		if from+n > len(b) {
			return p, fmt.Errorf("prelogin option %d lies outside the message", b[i])
		}
		data := b[from : from+n]
		switch {
		case b[i] == preloginVersion && n >= 6:
			copy(p.Version[:], data)
		case b[i] == preloginEncryption && n >= 1:
			p.Encryption = Encryption(data[0] & 0x03)
		case b[i] == preloginMARS && n >= 1:
			p.MARS = data[0] != 0
		case b[i] == preloginFedAuth && n >= 1:
			p.FedAuth, p.FedAuthRequired = true, data[0] != 0
		}
	}
}

// Bytes returns the message.
func (p *Prelogin) Bytes() []byte {
	bit := map[bool]byte{true: 1}
	options := []struct {
		token byte
		data  []byte
	}{
		{preloginVersion, p.Version[:]},
		{preloginEncryption, []byte{byte(p.Encryption)}},
		{preloginInstance, []byte{0}},
		{preloginThread, []byte{}},
		{preloginMARS, []byte{bit[p.MARS]}},
	}
	if p.FedAuth {
		options = append(options, struct {
			token byte
			data  []byte
		}{preloginFedAuth, []byte{bit[p.FedAuthRequired]}})
	}
	at := 5*len(options) + 1
	var head, body []byte
	for _, o := range options {
		head = append(head, o.token)
		head = binary.BigEndian.AppendUint16(head, uint16(at+len(body)))
		head = binary.BigEndian.AppendUint16(head, uint16(len(o.data)))
		body = append(body, o.data...)
	}
	return append(append(head, preloginEnd), body...)
}
