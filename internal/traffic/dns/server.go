package dns

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// Options configure a server. The zero value is ready to use.
type Options struct {
	// Sockets is how many UDP sockets share an address where the system can do
	// that; 0 is one for each processor.
	Sockets int
	// RateLimit is how many equal answers a network (IPv4 /24, IPv6 /56) gets in a
	// second by UDP; 0 is no limit. Above it every second answer is sent
	// truncated, the others are not sent.
	RateLimit int
	// MaxConns bounds the TCP connections at a time; 0 is 1,024. Beyond it new
	// ones are closed.
	MaxConns int
	// IdleTimeout ends TCP connections without a query; 0 is 10 seconds.
	IdleTimeout time.Duration
}

// Server answers queries by UDP and TCP at one address.
type Server struct {
	opts     Options
	snapshot atomic.Pointer[Snapshot]
	limiter  *limiter
	begun    time.Time
	counters []*counters // one for each socket, the last of TCP

	addr   netip.AddrPort
	udp    []*udpSocket
	tcp    []net.Listener
	conns  chan struct{}
	ending context.Context
	end    context.CancelFunc
	group  sync.WaitGroup
	once   sync.Once
}

// Stats counts what a server did since it started.
type Stats struct {
	Queries   uint64         // received, malformed ones included
	Answers   map[int]uint64 // sent, by response code
	Truncated uint64         // of these
	Limited   uint64         // held back by the rate limit, sent truncated or not at all
	Silent    uint64         // messages that were no queries
	Unsent    uint64         // answers that the system did not take
	TCP       uint64         // connections
}

// counters are of one socket, so that sockets do not share cache lines.
type counters struct {
	queries, truncated, limited, silent, unsent, conns atomic.Uint64
	answers                                            [16]atomic.Uint64
	_                                                  [64]byte
}

// Listen opens the sockets of an address, UDP and TCP, and answers from the
// snapshot until Close. Port 0 is any port that is free for both. An address
// that is unspecified means every address of its family; [::] of both.
func Listen(addr netip.AddrPort, s *Snapshot, opts Options) (*Server, error) {
	if opts.Sockets <= 0 {
		opts.Sockets = runtime.GOMAXPROCS(0)
	}
	if opts.MaxConns <= 0 {
		opts.MaxConns = 1024
	}
	if opts.IdleTimeout <= 0 {
		opts.IdleTimeout = 10 * time.Second
	}
	srv := &Server{opts: opts, limiter: newLimiter(opts.RateLimit), begun: time.Now(), conns: make(chan struct{}, opts.MaxConns)}
	srv.snapshot.Store(s)
	srv.ending, srv.end = context.WithCancel(context.Background())
	if err := srv.open(addr); err != nil {
		srv.Close()
		return nil, fmt.Errorf("listen for DNS at %s: %w", addr, err)
	}
	for _, c := range srv.udp {
		count := &counters{}
		srv.counters = append(srv.counters, count)
		srv.group.Go(func() { srv.serveUDP(c, count) })
	}
	count := &counters{}
	srv.counters = append(srv.counters, count)
	for _, l := range srv.tcp {
		srv.group.Go(func() { srv.acceptTCP(l, count) })
	}
	return srv, nil
}

// portTries is how often another port is tried if one is free for UDP only.
const portTries = 16

// open opens sockets for both protocols at one port.
func (srv *Server) open(addr netip.AddrPort) error {
	var err error
	for range portTries {
		if err = srv.openAt(addr); err == nil || addr.Port() != 0 {
			return err
		}
		srv.closeSockets()
	}
	return err
}

func (srv *Server) openAt(addr netip.AddrPort) error {
	families := []netip.Addr{addr.Addr()}
	if addr.Addr() == netip.IPv6Unspecified() {
		families = append(families, netip.IPv4Unspecified())
	}
	port := addr.Port()
	for i, ip := range families {
		sockets, err := listenUDP(netip.AddrPortFrom(ip, port), srv.opts.Sockets)
		if err != nil {
			if i > 0 {
				return nil // a machine without IPv4
			}
			return err
		}
		srv.udp = append(srv.udp, sockets...)
		port = sockets[0].addr.Port()
		if i == 0 {
			srv.addr = netip.AddrPortFrom(ip, port)
		}
		l, err := net.Listen(network6("tcp", ip), netip.AddrPortFrom(ip, port).String())
		if err != nil {
			return err
		}
		srv.tcp = append(srv.tcp, l)
	}
	return nil
}

// network6 is the protocol with its family, so that a socket of [::] does not
// take IPv4 too.
func network6(proto string, ip netip.Addr) string {
	if ip.Is4() {
		return proto + "4"
	}
	return proto + "6"
}

// Addr returns the address that the server answers at.
func (srv *Server) Addr() netip.AddrPort { return srv.addr }

// Swap puts another snapshot into force: every query is answered from one
// snapshot as a whole.
func (srv *Server) Swap(s *Snapshot) { srv.snapshot.Store(s) }

// Snapshot returns the snapshot in force.
func (srv *Server) Snapshot() *Snapshot { return srv.snapshot.Load() }

// Stats returns what the server did so far.
func (srv *Server) Stats() Stats {
	out := Stats{Answers: map[int]uint64{}}
	for _, c := range srv.counters {
		out.Queries += c.queries.Load()
		out.Truncated += c.truncated.Load()
		out.Limited += c.limited.Load()
		out.Silent += c.silent.Load()
		out.Unsent += c.unsent.Load()
		out.TCP += c.conns.Load()
		for code := range c.answers {
			if n := c.answers[code].Load(); n > 0 {
				out.Answers[code] += n
			}
		}
	}
	return out
}

// Close ends the server: sockets, connections and goroutines.
func (srv *Server) Close() error {
	srv.once.Do(func() {
		srv.end()
		srv.closeSockets()
	})
	return nil
}

// closeSockets closes the sockets, those of UDP once nobody uses them any more: the
// number of a closed one may be another's at once.
func (srv *Server) closeSockets() {
	for _, c := range srv.udp {
		c.wake()
	}
	for _, l := range srv.tcp {
		_ = l.Close()
	}
	srv.group.Wait()
	for _, c := range srv.udp {
		c.close()
	}
	srv.udp, srv.tcp = nil, nil
}

// worker answers the queries of one socket.
type worker struct {
	responder
	srv    *Server
	random *rand.PCG
	local  tally
}

// tally counts what a worker did since it last told.
type tally struct {
	queries, truncated, limited, silent, unsent uint64
	answers                                     [16]uint64
}

func (srv *Server) worker() *worker {
	return &worker{srv: srv, random: rand.NewPCG(rand.Uint64(), rand.Uint64())}
}

// answer answers one datagram into out; nothing is to be sent if it is empty.
func (w *worker) answer(s *Snapshot, out, message []byte, from netip.Addr, second uint64) []byte {
	w.query = &w.own
	rcode, ok := w.own.read(message)
	return w.answerRead(s, out, message, from, second, rcode, ok)
}

// answerRead is answer of a query that was read.
func (w *worker) answerRead(s *Snapshot, out, message []byte, from netip.Addr, second uint64, rcode int, ok bool) []byte {
	w.local.queries++
	r := Request{Message: message, From: from, Random: w.random.Uint64()}
	out, o := w.finish(s, out, &r, rcode, ok)
	if o.Silent {
		w.local.silent++
		return out
	}
	switch w.srv.limiter.take(from, &o, second) {
	case drop:
		w.local.limited++
		return out[:0]
	case sendTruncated:
		w.local.limited++
		o.Truncated = true
		end := headerLen
		if out[5] != 0 {
			end = w.query.end
		}
		out = out[:end]
		out[2] |= 0x02
		clear(out[6:headerLen])
	}
	w.local.answers[o.Rcode&0xf]++
	if o.Truncated {
		w.local.truncated++
	}
	return out
}

// tell adds what the worker did to the socket's counters.
func (w *worker) tell(c *counters) {
	t := &w.local
	add := func(to *atomic.Uint64, n uint64) {
		if n > 0 {
			to.Add(n)
		}
	}
	add(&c.queries, t.queries)
	add(&c.truncated, t.truncated)
	add(&c.limited, t.limited)
	add(&c.silent, t.silent)
	add(&c.unsent, t.unsent)
	for i, n := range t.answers {
		add(&c.answers[i], n)
	}
	*t = tally{}
}

// second is the server's clock for limits.
func (srv *Server) second() uint64 { return uint64(time.Since(srv.begun) / time.Second) }
