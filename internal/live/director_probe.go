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
	"time"

	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/internal/traffic/trafficmanager"
	"github.com/ceruleannet/cerulean/model/catalog"
)

// managerTag is the service tag of the addresses that Traffic Manager asks from
// ("Virtual network service tags").
const managerTag = "AzureTrafficManager"

// managerAgent is what its probes call themselves. Unconfirmed.
const managerAgent = "Azure Traffic Manager Endpoint Monitor"

// ask asks an endpoint once: by real packets from the internet's edge.
func (d *director) ask(e *directed, pace float64) trafficmanager.Reply {
	begin := time.Now()
	ctx, cancel := WithPatience(d.ctx, e.Monitor.Patience(pace))
	defer cancel()
	why := ""
	if err := d.exchange(ctx, e); err != nil {
		why = err.Error()
		if ctx.Err() != nil {
			why = fmt.Sprintf("no answer at port %d", e.Monitor.Port)
		}
	}
	return trafficmanager.Reply{Time: begin, Took: time.Since(begin), Why: why}
}

// exchange opens a connection and asks as the monitor says. Certificates are not
// verified and redirects not followed ("Traffic Manager endpoint monitoring").
func (d *director) exchange(ctx context.Context, e *directed) error {
	m := &e.Monitor
	from := d.net.internet
	if from == nil {
		return errors.New("nothing of the network touches the internet")
	}
	to := netip.AddrPortFrom(e.addr, m.Port)
	var c net.Conn
	c, err := from.dialTCP(ctx, d.net.managerAddr(to.Addr().Is4()), to)
	var denied *DeniedError
	switch {
	case errors.Is(err, ErrRefused):
		return fmt.Errorf("port %d refuses the connection", m.Port)
	case errors.As(err, &denied):
		return errors.New(denied.Text)
	case err != nil:
		return err
	}
	defer c.Close()
	if m.Protocol == "TCP" {
		return nil
	}
	raw := c
	stop := context.AfterFunc(ctx, func() { _ = raw.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	host := e.target
	for _, h := range m.Headers {
		if http.CanonicalHeaderKey(h.Name) == "Host" {
			host = h.Value
		}
	}
	if m.Protocol == "HTTPS" {
		t := tls.Client(c, &tls.Config{InsecureSkipVerify: true, ServerName: host}) //nolint:gosec // as Azure's probes do
		if err := t.HandshakeContext(ctx); err != nil {
			return fmt.Errorf("no TLS at port %d: %w", m.Port, err)
		}
		c = t
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+to.String()+m.Path, nil)
	if err != nil {
		return fmt.Errorf("the path %q cannot be asked for: %w", m.Path, err)
	}
	req.Host, req.Close = host, true
	req.Header.Set("User-Agent", managerAgent)
	for _, h := range m.Headers {
		req.Header.Set(h.Name, h.Value)
	}
	if err := req.Write(c); err != nil {
		return err
	}
	res, err := http.ReadResponse(bufio.NewReader(c), req)
	if err != nil {
		return fmt.Errorf("no response at port %d: %w", m.Port, err)
	}
	defer res.Body.Close()
	if why := m.JudgeStatus(res.StatusCode); why != "" {
		return fmt.Errorf("GET %s: %s", m.Path, why)
	}
	return nil
}

// managerAddr is the address that Traffic Manager asks from: the first of its
// service tag that is outside the network; zero for whichever the internet uses.
func (n *Network) managerAddr(v4 bool) netip.AddrPort {
	img := n.Image()
	prefixes, ok := catalog.ServiceTag(managerTag)
	if !ok || img.Edge == fabric.None {
		return netip.AddrPort{}
	}
	outside := img.Sets[img.Ports[img.Edge].Addrs]
	for _, p := range prefixes {
		if a := p.Addr(); a.Is4() == v4 && outside.Contains(fabric.AddrValue(a)) {
			return netip.AddrPortFrom(a, 0)
		}
	}
	return netip.AddrPort{}
}
