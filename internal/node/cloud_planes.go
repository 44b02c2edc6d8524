package node

import (
	"bufio"
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/ceruleannet/cerulean/internal/arm"
	"github.com/ceruleannet/cerulean/internal/paas"
	"github.com/ceruleannet/cerulean/model"
)

// planeProxy is the way of programs outside of any network to the data planes of
// a cloud's key vaults and storage accounts, by the names that Azure gives them:
// an HTTP proxy on the loopback address, of the method CONNECT only (RFC 9110,
// section 9.3.6). Names of data planes end here, in TLS with a certificate of
// the cloud's authority, and never go out, whether there is such a vault or not:
// what is meant for this cloud is not told to another. Everything else is passed
// on as it is.
type planeProxy struct {
	cloud    *arm.Server
	identity *arm.Identity
	planes   *paas.Planes
	listener net.Listener
	inside   handedOver // connections to data planes, after CONNECT
	server   *http.Server
	slots    chan struct{}
	ctx      context.Context
	stop     context.CancelFunc
	running  sync.WaitGroup

	mu           sync.Mutex
	certificates map[string]*tls.Certificate // by host
}

const (
	// proxyConnections is how many connections are open at a time; more wait.
	proxyConnections = 256
	// proxyCertificates is how many certificates are kept.
	proxyCertificates = 256
	// proxyRequest is the largest CONNECT request, in bytes.
	proxyRequest = 16 << 10
	// proxyPatience bounds the wait for a request, and for a connection outwards.
	proxyPatience = 30 * time.Second
)

func openPlaneProxy(cloud *arm.Server, identity *arm.Identity) (*planeProxy, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("the proxy to the data planes: %w", err)
	}
	p := &planeProxy{
		cloud: cloud, identity: identity, listener: listener,
		planes:       paas.New(cloud.DataPlane(), time.Now, paas.Limits{}),
		inside:       handedOver{conns: make(chan net.Conn), done: make(chan struct{}), at: listener.Addr()},
		slots:        make(chan struct{}, proxyConnections),
		certificates: map[string]*tls.Certificate{},
	}
	p.ctx, p.stop = context.WithCancel(context.Background())
	p.server = &http.Server{Handler: p, ReadHeaderTimeout: proxyPatience, IdleTimeout: time.Minute}
	p.running.Go(func() { _ = p.server.Serve(&p.inside) })
	p.running.Go(p.accept)
	return p, nil
}

func (p *planeProxy) addr() string { return p.listener.Addr().String() }

// close ends every connection and returns when nothing runs any more.
func (p *planeProxy) close() error {
	p.stop()
	err := errors.Join(p.listener.Close(), p.inside.Close(), p.server.Close())
	p.running.Wait()
	return err
}

func (p *planeProxy) accept() {
	for {
		conn, err := p.listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			select {
			case <-p.ctx.Done():
				return
			case <-time.After(100 * time.Millisecond): // out of descriptors: they come back
				continue
			}
		}
		select {
		case p.slots <- struct{}{}:
		case <-p.ctx.Done():
			_ = conn.Close()
			return
		}
		p.running.Go(func() {
			defer func() { <-p.slots }()
			p.connect(conn)
		})
	}
}

// connect serves one connection: its CONNECT, and what follows until it ends.
func (p *planeProxy) connect(conn net.Conn) {
	ended := make(chan struct{})
	conn = &watched{Conn: conn, ended: ended}
	defer conn.Close()
	unwatch := context.AfterFunc(p.ctx, func() { _ = conn.Close() })
	defer unwatch()
	_ = conn.SetReadDeadline(time.Now().Add(proxyPatience))
	limited := &io.LimitedReader{R: conn, N: proxyRequest}
	r := bufio.NewReader(limited)
	req, err := http.ReadRequest(r)
	if err != nil {
		refuseConnect(conn, http.StatusBadRequest, "a CONNECT request is expected")
		return
	}
	if req.Method != http.MethodConnect {
		refuseConnect(conn, http.StatusMethodNotAllowed, "this proxy is for HTTPS: it knows CONNECT only")
		return
	}
	limited.N = 1 << 62
	_ = conn.SetReadDeadline(time.Time{})
	host, port, err := net.SplitHostPort(req.Host)
	if err != nil {
		refuseConnect(conn, http.StatusBadRequest, "%q is not HOST:PORT", req.Host)
		return
	}
	if ofServices(host) {
		kind, name, _ := paas.Named(host)
		if _, there := p.cloud.ServiceNamed(kind, name); !there || port != "443" {
			refuseConnect(conn, http.StatusBadGateway, "this cloud has no service at %s", req.Host)
			return
		}
		certificate, err := p.certificate(host)
		if err != nil || !accept(conn) {
			return
		}
		config := &tls.Config{Certificates: []tls.Certificate{*certificate}, MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}}
		if p.inside.hand(tls.Server(&rest{conn, r}, config)) {
			<-ended
		}
		return
	}
	out, err := p.dial(req.Host)
	if err != nil {
		refuseConnect(conn, http.StatusBadGateway, "%v", err)
		return
	}
	defer out.Close()
	unwatchOut := context.AfterFunc(p.ctx, func() { _ = out.Close() })
	defer unwatchOut()
	if !accept(conn) {
		return
	}
	var there sync.WaitGroup
	there.Go(func() {
		_, _ = io.Copy(out, r)
		halfClose(out)
	})
	_, _ = io.Copy(conn, out)
	halfClose(conn)
	there.Wait()
}

// dial connects to where a request goes that is not for this cloud: through the
// proxy of this process's environment if it names one, as it would have gone
// without this one.
func (p *planeProxy) dial(address string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(p.ctx, proxyPatience)
	defer cancel()
	target, err := http.NewRequestWithContext(ctx, http.MethodConnect, "https://"+address, nil)
	if err != nil {
		return nil, err
	}
	via, err := http.ProxyFromEnvironment(target)
	if err != nil {
		return nil, err
	}
	var dialer net.Dialer
	switch {
	case via == nil:
		return dialer.DialContext(ctx, "tcp", address)
	case via.Scheme != "http":
		return nil, fmt.Errorf("the proxy %s of the cloud's environment is not one of HTTP; start the cloud without it", via.Redacted())
	}
	conn, err := dialer.DialContext(ctx, "tcp", net.JoinHostPort(via.Hostname(), cmp.Or(via.Port(), "80")))
	if err != nil {
		return nil, fmt.Errorf("the proxy of the cloud's environment: %w", err)
	}
	_ = conn.SetDeadline(time.Now().Add(proxyPatience))
	connect := &http.Request{Method: http.MethodConnect, URL: target.URL, Host: address, Header: http.Header{}}
	connect.URL.Opaque = address
	if via.User != nil {
		password, _ := via.User.Password()
		basic := http.Request{Header: http.Header{}}
		basic.SetBasicAuth(via.User.Username(), password)
		connect.Header.Set("Proxy-Authorization", basic.Header.Get("Authorization"))
	}
	r := bufio.NewReader(conn)
	if err = connect.Write(conn); err == nil {
		var answer *http.Response
		if answer, err = http.ReadResponse(r, connect); err == nil && answer.StatusCode != http.StatusOK {
			err = errors.New(answer.Status)
		}
	}
	if err != nil {
		_ = conn.Close()
		return nil, fmt.Errorf("%s through the proxy of the cloud's environment: %w", address, err)
	}
	_ = conn.SetDeadline(time.Time{})
	return &rest{conn, r}, nil
}

// certificate returns the one for a host, making it the first time.
func (p *planeProxy) certificate(host string) (*tls.Certificate, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	host = strings.ToLower(host)
	if c := p.certificates[host]; c != nil {
		return c, nil
	}
	c, err := p.identity.Certificate(host)
	if err != nil {
		return nil, err
	}
	if len(p.certificates) >= proxyCertificates {
		clear(p.certificates)
	}
	p.certificates[host] = &c
	return &c, nil
}

// ServeHTTP answers for the data plane that a request names.
func (p *planeProxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	host := r.Host
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	kind, name, _ := paas.Named(host)
	id, ok := p.cloud.ServiceNamed(kind, name)
	if !ok {
		http.Error(w, "this cloud has no service at "+host, http.StatusMisdirectedRequest)
		return
	}
	from := netip.AddrFrom4([4]byte{127, 0, 0, 1})
	if a, err := netip.ParseAddrPort(r.RemoteAddr); err == nil {
		from = a.Addr().Unmap()
	}
	doc, ok := p.cloud.DataPlane().Resource(id)
	p.planes.Plane(id, from, ok && refusesOutside(doc, from)).ServeHTTP(w, r)
}

// refusesOutside reports whether the own firewall of a vault or an account keeps
// out an address that is of no subnet and comes by no private endpoint
// ("Configure Azure Key Vault networking settings", "Azure Storage firewall
// rules").
func refusesOutside(doc *model.Resource, from netip.Addr) bool {
	p := doc.Properties()
	if access, _ := p["publicNetworkAccess"].(string); access != "" && !strings.EqualFold(access, "Enabled") {
		return true
	}
	rules, _ := p["networkAcls"].(map[string]any)
	if action, _ := rules["defaultAction"].(string); !strings.EqualFold(action, "Deny") {
		return false
	}
	addresses, _ := rules["ipRules"].([]any)
	for _, e := range addresses {
		rule, _ := e.(map[string]any)
		value, _ := rule["value"].(string)
		if prefix, err := netip.ParsePrefix(value); err == nil && prefix.Contains(from) || value == from.String() {
			return false
		}
	}
	return true
}

// ofServices reports whether a name is of a domain of data planes, be they served
// here or not.
func ofServices(host string) bool {
	host = "." + strings.ToLower(strings.TrimSuffix(host, "."))
	return strings.HasSuffix(host, ".core.windows.net") || strings.HasSuffix(host, ".vault.azure.net")
}

func accept(conn net.Conn) bool {
	_, err := io.WriteString(conn, "HTTP/1.1 200 Connection established\r\n\r\n")
	return err == nil
}

func refuseConnect(conn net.Conn, status int, format string, args ...any) {
	text := "cerulean: " + fmt.Sprintf(format, args...) + "\n"
	_, _ = fmt.Fprintf(conn, "HTTP/1.1 %d %s\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s",
		status, http.StatusText(status), len(text), text)
	// What is closed with something unread may lose the answer on its way.
	halfClose(conn)
	_ = conn.SetReadDeadline(time.Now().Add(time.Second))
	_, _ = io.CopyN(io.Discard, conn, 1<<20)
}

func halfClose(conn net.Conn) {
	if c, ok := conn.(interface{ CloseWrite() error }); ok {
		_ = c.CloseWrite()
		return
	}
	_ = conn.Close()
}

// rest is a connection of which a reader has read ahead.
type rest struct {
	net.Conn
	r *bufio.Reader
}

func (c *rest) Read(b []byte) (int, error) { return c.r.Read(b) }

// CloseWrite ends what is sent.
func (c *rest) CloseWrite() error { halfClose(c.Conn); return nil }

// watched is a connection that tells when it was closed.
type watched struct {
	net.Conn
	once  sync.Once
	ended chan struct{}
}

func (c *watched) Close() error {
	err := c.Conn.Close()
	c.once.Do(func() { close(c.ended) })
	return err
}

// CloseWrite ends what is sent.
func (c *watched) CloseWrite() error { halfClose(c.Conn); return nil }

// handedOver is a listener whose connections somebody else accepted.
type handedOver struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
	at    net.Addr
}

// hand gives a connection to who accepts, unless that has ended.
func (l *handedOver) hand(conn net.Conn) bool {
	select {
	case l.conns <- conn:
		return true
	case <-l.done:
		return false
	}
}

func (l *handedOver) Accept() (net.Conn, error) {
	select {
	case conn := <-l.conns:
		return conn, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *handedOver) Close() error {
	l.once.Do(func() { close(l.done) })
	return nil
}

func (l *handedOver) Addr() net.Addr { return l.at }
