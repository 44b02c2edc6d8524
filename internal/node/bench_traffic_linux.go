package node

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// contender is a gateway that is measured: a process on a core of its own.
type contender struct {
	name   string
	plain  string // address
	secure string // address with TLS; empty if it has none
	cmd    *exec.Cmd
	ended  chan error
	out    bytes.Buffer
}

// trafficBench is what the contenders share.
type trafficBench struct {
	dir    string
	member string
	all    []*contender
	trust  *tls.Config
}

// BenchTraffic measures the processor time of a request through the gateway, beside
// haproxy, nginx, Caddy and httputil.ReverseProxy: plain HTTP/1.1 over kept connections,
// TLS 1.3, HTTP/2, and the memory of idle connections. The gateway runs as a user
// runs it, with routing, a rate limit, probes and the access log on; every
// contender has one thread on one core, and they take turns. Each hears of every
// section.
func BenchTraffic(ctx context.Context, rounds int, each func(*Bench) error) (err error) {
	dir, err := os.MkdirTemp("", "cerulean-bench-traffic-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	defer l.Close()
	go trafficMember(l)
	b := &trafficBench{dir: dir, member: l.Addr().String()}
	defer b.close()
	_ = pin(os.Getpid(), 1)
	var limit unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &limit) == nil {
		limit.Cur = limit.Max
		_ = unix.Setrlimit(unix.RLIMIT_NOFILE, &limit)
	}
	if err := b.begin(ctx); err != nil {
		return err
	}
	var peers []string
	for _, c := range b.all {
		peers = append(peers, c.name)
	}
	who := strings.Join(peers, ", ")
	sections := []struct {
		name, what string
		secure     bool
		run        func(at string) error
	}{
		{"plain", fmt.Sprintf("HTTP/1.1, %d kept connections, %d bytes: %s", trafficConns, trafficBody, who), false, func(at string) error { return loadPlain(at, nil, trafficRequests) }},
		{"tls", "the same over TLS 1.3", true, func(at string) error { return loadPlain(at, b.trust, trafficRequests/4) }},
		{"http2", "the same over HTTP/2, one connection", true, func(at string) error { return loadHTTP2(at, b.trust, trafficRequests/4) }},
	}
	for i, s := range sections {
		requests := trafficRequests
		if i > 0 {
			requests /= 4
		}
		var out series
		for range rounds + 1 { // the first warms up
			cost := map[string]float64{}
			for _, c := range b.all {
				at := c.plain
				if s.secure {
					at = c.secure
				}
				if at == "" {
					continue
				}
				before, err := cpuTime(c.cmd.Process.Pid)
				if err != nil {
					return err
				}
				if err := s.run(at); err != nil {
					return fmt.Errorf("%s: %s: %w", s.name, c.name, err)
				}
				after, err := cpuTime(c.cmd.Process.Pid)
				if err != nil {
					return err
				}
				cost[c.name] = float64(after-before) / float64(time.Microsecond) / float64(requests)
				if ctx.Err() != nil {
					return ctx.Err()
				}
			}
			b.compare(&out, cost)
		}
		for name, v := range out.values {
			out.values[name] = v[1:]
		}
		if err := each(out.bench(s.name, s.what, rounds)); err != nil {
			return err
		}
	}
	return b.idle(ctx, each)
}

// compare notes the processor time of a request of each contender, and the
// gateway's as a ratio of the others'.
func (b *trafficBench) compare(out *series, cost map[string]float64) {
	for _, c := range b.all {
		if v, ok := cost[c.name]; ok {
			out.add(c.name, "µs", v)
		}
	}
	for _, c := range b.all[1:] {
		if v, ok := cost[c.name]; ok && v > 0 {
			out.add("cerulean / "+c.name, "ratio", cost[b.all[0].name]/v)
		}
	}
}

// idle measures what a connection that does nothing takes.
func (b *trafficBench) idle(ctx context.Context, each func(*Bench) error) error {
	var out series
	for _, c := range b.all {
		before, err := residentOf(c.cmd.Process.Pid)
		if err != nil {
			return err
		}
		conns := make([]net.Conn, 0, trafficIdle)
		buf := make([]byte, 8<<10)
		for range trafficIdle {
			conn, err := net.Dial("tcp", c.plain)
			if err != nil {
				break
			}
			conns = append(conns, conn)
			_, err = conn.Write([]byte("GET / HTTP/1.1\r\nHost: shop.example\r\n\r\n"))
			if err == nil {
				err = readAnswer(conn, buf)
			}
			if err != nil {
				break
			}
		}
		select {
		case <-time.After(trafficSettle):
		case <-ctx.Done():
		}
		after, err := residentOf(c.cmd.Process.Pid)
		for _, conn := range conns {
			conn.Close()
		}
		if err != nil {
			return err
		}
		if len(conns) < trafficIdle {
			return fmt.Errorf("idle: %s took %d connections of %d: raise the limit of open files (ulimit -n)", c.name, len(conns), trafficIdle)
		}
		out.add(c.name, "bytes", float64(after-before)/trafficIdle)
	}
	return each(out.bench("idle", fmt.Sprintf("resident memory of one of %d connections that were used once and have waited %s", trafficIdle, trafficSettle), 1))
}

// begin starts the contenders.
func (b *trafficBench) begin(ctx context.Context) error {
	if err := b.certificate(); err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	ours := &contender{name: "cerulean", plain: vacant(), secure: vacant()}
	file := filepath.Join(b.dir, "gateway.yaml")
	text := fmt.Sprintf(`gateway: bench
listeners:
  - {name: plain, port: %s}
  - {name: secure, port: %s, certificates: [{certificate: cert.pem, key: key.pem}]}
pools: [{name: web, members: ["%s"]}]
settings: [{name: http}]
rules:
  - name: plain
    priority: 1
    listener: plain
    pool: web
    settings: http
    paths:
      - {match: ["/images/*"], pool: web, settings: http}
      - {match: ["/catalogue/*"], pool: web, settings: http, policy: {rateLimit: {requests: 1000000, per: 1s}}}
  - name: secure
    priority: 2
    listener: secure
    pool: web
    settings: http
    paths:
      - {match: ["/images/*"], pool: web, settings: http}
      - {match: ["/catalogue/*"], pool: web, settings: http, policy: {rateLimit: {requests: 1000000, per: 1s}}}
`, portOf(ours.plain), portOf(ours.secure), b.member)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		return err
	}
	if err := b.start(ctx, ours, self, "gateway", "-f", file, "--log", filepath.Join(b.dir, "access.json")); err != nil {
		return err
	}
	peers := 0
	if _, err := exec.LookPath("haproxy"); err == nil {
		peers++
		c := &contender{plain: vacant(), name: "haproxy " + version("haproxy", "-v")}
		file := filepath.Join(b.dir, "haproxy.cfg")
		text := fmt.Sprintf("global\n  nbthread 1\n  no strict-limits\n  maxconn 12000\n  log %s/log format raw local0\ndefaults\n  mode http\n  log global\n  option httplog\n  option forwardfor\n  timeout connect 5s\n  timeout client 60s\n  timeout server 60s\nfrontend f\n  bind %s\n  use_backend b if { path_beg /catalogue/ }\n  default_backend b\nbackend b\n  option httpchk\n  server s %s check\n", b.dir, c.plain, b.member)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			return err
		}
		if err := b.start(ctx, c, "haproxy", "-db", "-f", file); err != nil {
			return err
		}
	}
	if _, err := exec.LookPath("nginx"); err == nil {
		peers++
		c := &contender{plain: vacant(), secure: vacant(), name: "nginx " + version("nginx", "-v")}
		file := filepath.Join(b.dir, "nginx.conf")
		text := fmt.Sprintf(`daemon off; master_process off; worker_processes 1; worker_rlimit_nofile 30000; pid %[1]s/nginx.pid; error_log %[1]s/nginx.error crit;
events { worker_connections 25000; }
http { access_log %[1]s/nginx.log; keepalive_requests 10000000; keepalive_timeout 120;
  client_body_temp_path %[1]s/b; proxy_temp_path %[1]s/p; fastcgi_temp_path %[1]s/f; uwsgi_temp_path %[1]s/u; scgi_temp_path %[1]s/s;
  upstream m { server %[4]s; keepalive 256; keepalive_requests 10000000; }
  server { listen %[2]s; listen %[3]s ssl http2; http2_max_concurrent_streams 250; ssl_certificate %[1]s/cert.pem; ssl_certificate_key %[1]s/key.pem; ssl_protocols TLSv1.3;
    location / { proxy_pass http://m; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $http_host; proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for; } } }
`, b.dir, c.plain, c.secure, b.member)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			return err
		}
		if err := b.start(ctx, c, "nginx", "-p", b.dir, "-c", file); err != nil {
			return err
		}
	}
	if peers == 0 {
		return errNoPeers
	}
	if _, err := exec.LookPath("caddy"); err == nil {
		if err := b.caddy(ctx); err != nil {
			return err
		}
	}
	c := &contender{plain: vacant(), name: "httputil.ReverseProxy"}
	return b.start(ctx, c, self, "bench", "reverse-proxy", c.plain, b.member)
}

// caddy starts Caddy, of which nobody needs to have one.
func (b *trafficBench) caddy(ctx context.Context) error {
	c := &contender{plain: vacant(), secure: vacant(), name: strings.TrimSpace("caddy " + version("caddy", "version"))}
	file := filepath.Join(b.dir, "Caddyfile")
	text := fmt.Sprintf(`{
	admin off
	auto_https off
	persist_config off
}
:%[2]s {
	log {
		output file %[1]s/caddy.plain.log
	}
	reverse_proxy %[4]s
}
:%[3]s {
	tls %[1]s/cert.pem %[1]s/key.pem
	log {
		output file %[1]s/caddy.secure.log
	}
	reverse_proxy %[4]s
}
`, b.dir, portOf(c.plain), portOf(c.secure), b.member)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		return err
	}
	return b.start(ctx, c, "caddy", "run", "--adapter", "caddyfile", "--config", file)
}

// start starts a contender on the first core, and waits until it answers.
func (b *trafficBench) start(ctx context.Context, c *contender, program string, args ...string) error {
	c.cmd = exec.CommandContext(ctx, program, args...)
	c.cmd.Env = append(os.Environ(), "GOMAXPROCS=1", "XDG_RUNTIME_DIR="+b.dir)
	c.cmd.Stdout, c.cmd.Stderr = &c.out, &c.out
	if err := c.cmd.Start(); err != nil {
		return err
	}
	c.ended = make(chan error, 1)
	go func() { c.ended <- c.cmd.Wait() }()
	b.all = append(b.all, c)
	_ = pin(c.cmd.Process.Pid, 0)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for range 500 {
		if loadPlain(c.plain, nil, 1) == nil {
			return nil
		}
		select {
		case err := <-c.ended:
			c.ended <- err
			return fmt.Errorf("%s: %w\n%s", c.name, err, c.out.String())
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
	return fmt.Errorf("%s does not answer", c.name)
}

func (b *trafficBench) close() {
	for _, c := range b.all {
		_ = c.cmd.Process.Kill()
		<-c.ended
	}
}

// certificate writes a certificate for this machine, and trusts it.
func (b *trafficBench) certificate() error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	t := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "bench"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, t, t, &key.PublicKey, key)
	if err != nil {
		return err
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	cert := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(cert)
	b.trust = &tls.Config{RootCAs: roots, ServerName: "127.0.0.1", MinVersion: tls.VersionTLS13}
	return errors.Join(
		os.WriteFile(filepath.Join(b.dir, "cert.pem"), cert, 0o600),
		os.WriteFile(filepath.Join(b.dir, "key.pem"), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}), 0o600))
}

// vacant returns an address that nobody listens at.
func vacant() string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "127.0.0.1:0" // the one who listens there will say
	}
	defer l.Close()
	return l.Addr().String()
}

func portOf(at string) string {
	_, port, _ := net.SplitHostPort(at)
	return port
}

// version returns the version that a program says it has.
func version(program string, args ...string) string {
	out, _ := exec.Command(program, args...).CombinedOutput()
	return regexp.MustCompile(`\d+\.\d+(\.\d+)?`).FindString(string(out))
}

// cpuTime returns the processor time of a process and of its threads.
func cpuTime(pid int) (time.Duration, error) {
	// The fields after the name in parentheses, of which the 12th and 13th are
	// clock ticks, a hundred a second (proc(5)).
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(string(b), ") ")
	f := strings.Fields(rest)
	if len(f) < 13 {
		return 0, syscall.EINVAL
	}
	user, _ := strconv.ParseInt(f[11], 10, 64)
	system, _ := strconv.ParseInt(f[12], 10, 64)
	return time.Duration(user+system) * 10 * time.Millisecond, nil
}

// residentOf returns the memory of a process that is resident, in bytes.
func residentOf(pid int) (int64, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	m := regexp.MustCompile(`VmRSS:\s+(\d+) kB`).FindSubmatch(b)
	if m == nil {
		return 0, syscall.EINVAL
	}
	n, err := strconv.ParseInt(string(m[1]), 10, 64)
	return n << 10, err
}
