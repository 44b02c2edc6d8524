package node

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// SOCKS version 5 (RFC 1928), as far as a client needs it to connect by TCP
// without authentication.

const (
	socksVersion = 5
	socksConnect = 1

	socksNoAuth       = 0
	socksNoAcceptable = 0xff

	socksIPv4 = 1
	socksName = 3
	socksIPv6 = 4
)

// Reply codes (RFC 1928 section 6).
const (
	socksDone        = 0
	socksFailure     = 1
	socksDenied      = 2 // not allowed by ruleset
	socksUnreachable = 4
	socksRefused     = 5
	socksExpired     = 6
	socksNoCommand   = 7
	socksNoAddress   = 8
)

// socksPatience is how long a client may take to say what it wants.
const socksPatience = 30 * time.Second

// readSOCKS reads what a client wants and returns "host:port"; a client that
// wants something else gets its answer.
func readSOCKS(c net.Conn) (string, error) {
	if err := c.SetDeadline(time.Now().Add(socksPatience)); err != nil {
		return "", err
	}
	if err := greetSOCKS(c); err != nil {
		return "", err
	}
	target, code, err := socksRequest(c)
	if err != nil {
		if code != socksDone {
			_ = answerSOCKS(c, code)
		}
		return "", err
	}
	return target, c.SetDeadline(time.Time{})
}

// greetSOCKS agrees on no authentication (section 3).
func greetSOCKS(c io.ReadWriter) error {
	var head [2]byte
	if _, err := io.ReadFull(c, head[:]); err != nil {
		return err
	}
	if head[0] != socksVersion {
		return fmt.Errorf("it speaks version %d, not 5", head[0])
	}
	methods := make([]byte, head[1])
	if _, err := io.ReadFull(c, methods); err != nil {
		return err
	}
	method := byte(socksNoAcceptable)
	if bytes.IndexByte(methods, socksNoAuth) >= 0 {
		method = socksNoAuth
	}
	if _, err := c.Write([]byte{socksVersion, method}); err != nil {
		return err
	}
	if method != socksNoAuth {
		return errors.New("it insists on authentication")
	}
	return nil
}

// socksRequest reads a request (section 4). With an error comes the code that
// answers it, socksDone if nothing does.
func socksRequest(r io.Reader) (target string, code byte, err error) {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return "", socksDone, err
	}
	if head[0] != socksVersion {
		return "", socksFailure, fmt.Errorf("its request has version %d, not 5", head[0])
	}
	var host string
	switch head[3] {
	case socksIPv4:
		var b [4]byte
		_, err = io.ReadFull(r, b[:])
		host = netip.AddrFrom4(b).String()
	case socksIPv6:
		var b [16]byte
		_, err = io.ReadFull(r, b[:])
		host = netip.AddrFrom16(b).Unmap().String()
	case socksName:
		var n [1]byte
		if _, err = io.ReadFull(r, n[:]); err == nil {
			b := make([]byte, n[0])
			_, err = io.ReadFull(r, b)
			host = string(b)
		}
	default:
		return "", socksNoAddress, fmt.Errorf("addresses of type %d are unknown", head[3])
	}
	if err != nil {
		return "", socksDone, err
	}
	var port [2]byte
	if _, err := io.ReadFull(r, port[:]); err != nil {
		return "", socksDone, err
	}
	if head[1] != socksConnect {
		return "", socksNoCommand, fmt.Errorf("command %d is not CONNECT", head[1])
	}
	if host == "" || strings.ContainsAny(host, "[]") {
		return "", socksFailure, errors.New("it names no host")
	}
	return net.JoinHostPort(host, strconv.Itoa(int(port[0])<<8|int(port[1]))), socksDone, nil
}

// answerSOCKS answers a request (section 6). The address that a connection has
// inside the network is of no use outside: it is left 0.0.0.0:0.
func answerSOCKS(w io.Writer, code byte) error {
	_, err := w.Write([]byte{socksVersion, code, 0, socksIPv4, 0, 0, 0, 0, 0, 0})
	return err
}

// socksCode says by what a connection failed.
func socksCode(err error) byte {
	var e *DialError
	if !errors.As(err, &e) {
		return socksFailure
	}
	switch e.status {
	case statusDenied:
		return socksDenied
	case statusRefused:
		return socksRefused
	case statusTimeout:
		return socksExpired
	case statusUnreachable:
		return socksUnreachable
	}
	return socksFailure
}
