package node

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
)

// Forward is a port of this machine that leads to one inside the network.
type Forward struct {
	// Local is the port on 127.0.0.1; 0 takes a free one.
	Local uint16
	// Host is the name or address inside, Port its port.
	Host string
	Port uint16
}

// ParseForward reads [LOCAL:]HOST:PORT; an IPv6 address is in brackets. Without
// LOCAL it is PORT.
func ParseForward(text string) (Forward, error) {
	fail := func(what string) (Forward, error) {
		return Forward{}, fmt.Errorf("%q: %s; use HOST:PORT or LOCAL:HOST:PORT, an IPv6 address in brackets", text, what)
	}
	at := strings.LastIndexByte(text, ':')
	if at < 0 {
		return fail("it has no port")
	}
	port, err := strconv.ParseUint(text[at+1:], 10, 16)
	if err != nil || port == 0 {
		return fail(fmt.Sprintf("%q is no port", text[at+1:]))
	}
	f := Forward{Local: uint16(port), Port: uint16(port)}
	f.Host = text[:at]
	if i := strings.IndexByte(f.Host, ':'); i >= 0 && !strings.HasPrefix(f.Host, "[") {
		local, err := strconv.ParseUint(f.Host[:i], 10, 16)
		if err != nil {
			return fail(fmt.Sprintf("%q is no port", f.Host[:i]))
		}
		f.Local, f.Host = uint16(local), f.Host[i+1:]
	}
	if inner, ok := strings.CutPrefix(f.Host, "["); ok {
		if f.Host, ok = strings.CutSuffix(inner, "]"); !ok {
			return fail("a bracket is not closed")
		}
	} else if strings.ContainsAny(f.Host, ":[]") {
		return fail(fmt.Sprintf("%q is no host", f.Host))
	}
	if f.Host == "" {
		return fail("it names no host")
	}
	return f, nil
}

// Bridge leads from this machine into a running network.
type Bridge struct {
	remote *Remote
	ctx    context.Context
	end    context.CancelFunc
	// failed hears of connections that could not be made.
	failed func(error)

	mu        sync.Mutex
	listeners []net.Listener
	conns     sync.WaitGroup
}

// Bridge returns a bridge without ports. failed hears of connections that could
// not be made inside; it may be called by several goroutines at a time.
func (r *Remote) Bridge(failed func(error)) *Bridge {
	b := &Bridge{remote: r, failed: failed}
	b.ctx, b.end = context.WithCancel(context.Background())
	return b
}

// Forward opens a port on 127.0.0.1. Connections to it are made inside the
// network from a host; empty means from the target itself, which asks no rule, as
// a shell on it would. It returns the address to connect to.
func (b *Bridge) Forward(f Forward, from string) (net.Addr, error) {
	if from == "" {
		from = f.Host
	}
	if err := b.remote.Has(b.ctx, from); err != nil {
		return nil, err
	}
	address := net.JoinHostPort(f.Host, strconv.Itoa(int(f.Port)))
	return b.listen(fmt.Sprintf("127.0.0.1:%d", f.Local), func(c net.Conn) {
		inside, err := b.remote.Dial(b.ctx, from, address)
		if err != nil {
			b.fail(err)
			return
		}
		defer inside.Close()
		b.carry(inside, c)
	})
}

// SOCKS opens a SOCKS5 server (RFC 1928) at an address of this machine; its
// connections are made inside the network from a host. It returns its address.
func (b *Bridge) SOCKS(address, from string) (net.Addr, error) {
	if err := b.remote.Has(b.ctx, from); err != nil {
		return nil, err
	}
	return b.listen(address, func(c net.Conn) {
		target, err := readSOCKS(c)
		if err != nil {
			b.fail(fmt.Errorf("SOCKS client %s: %w", c.RemoteAddr(), err))
			return
		}
		inside, err := b.remote.Dial(b.ctx, from, target)
		if err != nil {
			_ = answerSOCKS(c, socksCode(err))
			b.fail(err)
			return
		}
		defer inside.Close()
		if answerSOCKS(c, socksDone) == nil {
			b.carry(inside, c)
		}
	})
}

// carry joins two connections until both end, or the bridge does.
func (b *Bridge) carry(inside, c net.Conn) {
	stop := context.AfterFunc(b.ctx, func() { inside.Close(); c.Close() })
	defer stop()
	splice(inside, c)
}

func (b *Bridge) fail(err error) {
	if b.ctx.Err() == nil {
		b.failed(err)
	}
}

func (b *Bridge) listen(address string, handle func(net.Conn)) (net.Addr, error) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ctx.Err() != nil {
		return nil, errors.Join(net.ErrClosed, l.Close())
	}
	b.listeners = append(b.listeners, l)
	b.conns.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			b.conns.Go(func() {
				defer c.Close()
				stop := context.AfterFunc(b.ctx, func() { c.Close() })
				defer stop()
				handle(c)
			})
		}
	})
	return l.Addr(), nil
}

// Close closes every port and connection and waits until they have ended.
func (b *Bridge) Close() error {
	b.mu.Lock()
	b.end()
	var err error
	for _, l := range b.listeners {
		err = errors.Join(err, l.Close())
	}
	b.listeners = nil
	b.mu.Unlock()
	b.conns.Wait()
	return err
}
