package live

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/miekg/dns"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/transport/icmp"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
	"gvisor.dev/gvisor/pkg/tcpip/transport/udp"

	"github.com/ceruleannet/cerulean/internal/engine"
	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/model"
)

// exchange makes one real exchange of packets and reports what they met.
func (n *Network) exchange(ctx context.Context, img *fabric.Image, p pair, a attempt, greeted *sync.Map) Probe {
	out := Probe{From: p.from.Name, To: p.to.Name, Verdict: fabric.VerdictDeny, Reason: fabric.At(fabric.CodeNone, fabric.None)}
	x, err := p.from.open(transportOf(a.proto), netip.AddrPortFrom(p.src, 0), netip.AddrPortFrom(p.dst, a.port))
	if err != nil {
		out.Said, out.Disagreement = err.Error(), err
		return out
	}
	out.Packet = x.packet
	watch := n.wire.watchFlow(x.link, x.packet, nil)
	n.wire.tellAll(watch)
	defer n.wire.unwatch(watch)
	if a.proto == fabric.ProtoTCP {
		out.Said, err = n.talkTCP(ctx, x, watch, p, a.port, greeted)
	} else {
		out.Said, err = talkDatagram(ctx, x, a.proto, n.saying(img, p, a))
	}
	n.wire.mu.Lock()
	at := watch.key.at
	flow, known := n.wire.engine.Flow(watch.flow)
	n.wire.mu.Unlock()
	var f *engine.Flow
	if known && watch.flow != 0 {
		f = &flow
		out.Forward, out.Reply = flow.Forward.Path, flow.Reply.Path
	}
	var denied *DeniedError
	switch {
	case err == nil || errors.Is(err, ErrRefused):
		// Delivered both ways: the destination's host answered.
		out.Verdict, out.Delivered = fabric.VerdictAllow, true
		if f != nil {
			out.Reason = f.Forward.Reason
		}
		if err != nil {
			out.Said = "answered: nobody listens"
		}
	case errors.As(err, &denied):
		out.Verdict, out.Reason, out.Delivered, out.Said = denied.Verdict, denied.Reason, denied.Reply, denied.Text
	default:
		out.Said = err.Error()
		out.Disagreement = fmt.Errorf("%s from %s: no answer: %w", x.packet, out.From, err)
		return out
	}
	out.Disagreement = judge(img, at, &out, f)
	if now := n.Image(); out.Disagreement != nil && now != img && len(now.Ports) == len(img.Ports) {
		out.Disagreement = judge(now, at, &out, f) // health probes changed the image meanwhile
	}
	return out
}

func transportOf(proto uint8) tcpip.TransportProtocolNumber {
	switch proto {
	case fabric.ProtoTCP:
		return tcp.ProtocolNumber
	case fabric.ProtoUDP:
		return udp.ProtocolNumber
	case fabric.ProtoICMPv6:
		return icmp.ProtocolNumber6
	default:
		return icmp.ProtocolNumber4
	}
}

// talkTCP connects and, where a service is declared, hears that the right host
// answers.
func (n *Network) talkTCP(ctx context.Context, x *socket, watch *watcher, p pair, port uint16, greeted *sync.Map) (string, error) {
	c, err := x.connect(ctx, watch)
	if err != nil {
		return "", err
	}
	defer c.Close()
	stop := context.AfterFunc(ctx, func() { c.Close() })
	defer stop()
	var kind model.ServiceKind
	for _, s := range p.to.Services() {
		if s.Port == port && s.Kind != model.ServiceUDP && !n.opts.NoServices {
			kind = s.Kind
		}
	}
	switch kind {
	case model.ServiceTCP:
		line, err := bufio.NewReader(c).ReadString('\n')
		if err != nil {
			return "", fmt.Errorf("connected, but no greeting: %w", err)
		}
		if line != greeting(p.to.Name, port) {
			return "", fmt.Errorf("the greeting %q is not from %s", line, p.to.Name)
		}
		return strings.TrimSpace(line), nil
	case model.ServiceHTTP, model.ServiceHTTPS:
		if !p.to.resource.IsZero() {
			return "connected", nil // a data plane has no page
		}
		// One request for each destination; a handshake is dear.
		if _, done := greeted.LoadOrStore(netip.AddrPortFrom(p.dst, port), true); done {
			return "connected", nil
		}
		return n.get(ctx, c, kind, p)
	default:
		return "connected", nil
	}
}

// get asks a web service for its host's name over an open connection.
func (n *Network) get(ctx context.Context, c net.Conn, kind model.ServiceKind, p pair) (string, error) {
	if kind == model.ServiceHTTPS {
		config := n.authority.clientConfig()
		config.ServerName = p.to.Name
		t := tls.Client(c, config)
		if err := t.HandshakeContext(ctx); err != nil {
			return "", fmt.Errorf("connected, but no TLS: %w", err)
		}
		c = t
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+p.to.Name+"/", nil)
	if err != nil {
		return "", err
	}
	req.Close = true
	if err := req.Write(c); err != nil {
		return "", err
	}
	r := bufio.NewReader(c)
	res, err := http.ReadResponse(r, req)
	if err != nil {
		return "", fmt.Errorf("connected, but no response: %w", err)
	}
	defer res.Body.Close()
	line, err := bufio.NewReader(res.Body).ReadString('\n')
	if err != nil || line != p.to.Name+"\n" {
		return "", fmt.Errorf("the page %q is not from %s (%v)", line, p.to.Name, err)
	}
	return fmt.Sprintf("%s %s: %s", kind, res.Status, strings.TrimSpace(line)), nil
}

// again is how long a datagram's or a ping's answer is waited for before it is sent
// again: links lose some.
const again = time.Second

// talkDatagram sends a datagram or a ping, again and again until something comes
// back.
func talkDatagram(ctx context.Context, x *socket, proto uint8, say []byte) (string, error) {
	if terr := x.ep.Connect(fullAddr(netip.AddrPortFrom(x.packet.Dst, x.packet.DstPort))); terr != nil {
		x.ep.Close()
		return "", stackError(terr)
	}
	d := newDatagrams(x)
	defer d.Close()
	stop := context.AfterFunc(ctx, d.interrupt)
	defer stop()
	if proto != fabric.ProtoUDP {
		say = echoRequest(proto)
	}
	b := make([]byte, mtu)
	for {
		if _, err := d.Write(say); err != nil {
			return "", err
		}
		if err := d.SetReadDeadline(time.Now().Add(again)); err != nil {
			return "", err
		}
		_, err := d.Read(b)
		switch {
		case err == nil:
			return "answered", nil
		case ctx.Err() != nil || !isTimeout(err):
			return "", orContext(ctx, err)
		}
	}
}

// saying is what a datagram says to who serves at the other end, so that it is
// answered: a DNS server answers queries only.
func (n *Network) saying(img *fabric.Image, p pair, a attempt) []byte {
	if a.proto == fabric.ProtoUDP && n.serves(img, p, a) == model.ServiceDNS {
		if b, err := new(dns.Msg).SetQuestion("cerulean.invalid.", dns.TypeA).Pack(); err == nil {
			return b
		}
	}
	return []byte("cerulean")
}
