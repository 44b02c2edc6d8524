package live

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"sync"
	"time"

	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/model"
)

// maxAnswer bounds how much of an answer's body is read.
const maxAnswer = 1 << 20

// Requested is a real request of a host, and its answer.
type Requested struct {
	From    string
	Source  netip.Addr // where it came from
	Server  netip.AddrPort
	Status  int // 0 if there was no answer
	Header  http.Header
	Body    []byte
	Took    time.Duration
	Assumed bool // no zone has the name: it was asked where its listener is
	Err     error
}

// sender is a host that asks from one of its addresses.
type sender struct {
	host  *Host
	local netip.Addr
}

// Get sends a GET of a URL from a host: the name is really asked for, and the
// packets really travel. otherwise is where to ask if no zone has the name.
// Redirects are not followed.
func (h *Host) Get(ctx context.Context, rawURL string, otherwise []netip.Addr) Requested {
	return sender{host: h}.get(ctx, rawURL, otherwise)
}

func (s sender) get(ctx context.Context, rawURL string, otherwise []netip.Addr) (out Requested) {
	out.From = s.host.Name
	ctx, cancel := WithPatience(ctx, probeTimeout)
	defer cancel()
	begin := time.Now()
	defer func() { out.Took = time.Since(begin) }()
	u, err := url.Parse(rawURL)
	if err != nil {
		out.Err = err
		return out
	}
	addrs, assumed, err := s.lookup(ctx, u.Hostname(), otherwise)
	if err != nil {
		out.Err = err
		return out
	}
	out.Assumed = assumed
	port := map[string]uint64{"http": 80, "https": 443}[u.Scheme]
	if p := u.Port(); p != "" {
		if port, err = strconv.ParseUint(p, 10, 16); err != nil {
			out.Err = err
			return out
		}
	}
	config := s.host.ClientTLS()
	config.ServerName = u.Hostname()
	// A dial goes on for a moment when the request has ended.
	var ends struct {
		sync.Mutex
		server netip.AddrPort
		source netip.Addr
	}
	client := &http.Client{
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			DisableKeepAlives: true, TLSClientConfig: config,
			DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
				var errs []error
				for _, a := range addrs {
					server, local := netip.AddrPortFrom(a, uint16(port)), s.local
					ends.Lock()
					ends.server = server
					ends.Unlock()
					if local.IsValid() && local.Is4() != a.Is4() {
						local = netip.Addr{}
					}
					c, err := s.host.dialTCP(ctx, netip.AddrPortFrom(local, 0), server)
					if err == nil {
						if from, perr := netip.ParseAddrPort(c.LocalAddr().String()); perr == nil {
							ends.Lock()
							ends.source = from.Addr()
							ends.Unlock()
						}
						return c, nil
					}
					errs = append(errs, fmt.Errorf("%s: %w", server, err))
				}
				return nil, errors.Join(errs...)
			},
		},
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, rawURL, nil)
	if err != nil {
		out.Err = err
		return out
	}
	resp, err := client.Do(req)
	ends.Lock()
	out.Server, out.Source = ends.server, ends.source
	ends.Unlock()
	if err != nil {
		var outer *url.Error
		if errors.As(err, &outer) {
			err = outer.Err
		}
		out.Err = err
		return out
	}
	defer resp.Body.Close()
	out.Status, out.Header = resp.StatusCode, resp.Header
	out.Body, out.Err = io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	return out
}

// lookup returns the addresses of a name, as the sender's DNS has them.
func (s sender) lookup(ctx context.Context, name string, otherwise []netip.Addr) (addrs []netip.Addr, assumed bool, err error) {
	if a, err := netip.ParseAddr(name); err == nil {
		return []netip.Addr{a.Unmap()}, false, nil
	}
	addrs, err = s.host.LookupHost(ctx, name)
	if err != nil && len(otherwise) > 0 && ctx.Err() == nil {
		return otherwise, true, nil
	}
	return addrs, false, err
}

// Request sends the request of an expectation from those it speaks of. at is
// where to ask, from outside or inside, if no zone has the name.
func (n *Network) Request(ctx context.Context, e *model.Expectation, at func(outside bool) []netip.Addr) []Probe {
	var out []Probe
	for _, s := range n.senders(&e.From) {
		a := s.get(ctx, e.Request.URL, at(s.host.edge || len(s.host.public) > 0))
		p := Probe{From: a.From, To: e.Request.URL, Request: true, Verdict: fabric.VerdictDeny, Reason: fabric.At(fabric.CodeNone, fabric.None)}
		var denied *DeniedError
		switch {
		case errors.As(a.Err, &denied):
			p.Verdict, p.Reason, p.Said = denied.Verdict, denied.Reason, a.Err.Error()
		case a.Err != nil:
			p.Said = a.Err.Error()
		default:
			p.Verdict, p.Delivered = fabric.VerdictAllow, true
			p.Said = fmt.Sprintf("%d %s from %s", a.Status, http.StatusText(a.Status), a.Server)
			p.Holds = e.Request.Fits(a.Status)
		}
		out = append(out, p)
	}
	return out
}

// senders returns who sends the requests of a selector: the first address of
// every host, and for each prefix outside somebody who has an address of it.
func (n *Network) senders(sel *model.Selector) []sender {
	img := n.Image()
	var out []sender
	seen := map[*Host]bool{}
	for _, x := range n.selected(img, sel) {
		if img.Ports[x.port].Silent || seen[x.host] && !(x.host == n.internet && bare(sel)) || len(out) == maxProbes {
			continue
		}
		seen[x.host] = true
		out = append(out, sender{x.host, x.addr})
	}
	return out
}
