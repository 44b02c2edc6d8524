package node

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"

	mdns "github.com/miekg/dns"
	"golang.org/x/sys/unix"

	"github.com/ceruleannet/cerulean/internal/traffic/dns"
	"github.com/ceruleannet/cerulean/internal/traffic/trafficmanager"
)

// Sizes of the benchmark: names with health-checked answers, how many sets of
// endpoints they share, and queries of a round.
const (
	benchNames    = 10000
	benchProfiles = 100
	benchQueries  = 400000
	benchListed   = 100000 // queries in the file, asked again and again
)

// BenchDNS measures the processor time of a query, beside gdnsd: a zone of 10,000
// names, each of which answers with the healthy one of two addresses, asked by
// dnsperf over loopback. Each server has one thread for UDP on a core of its own,
// and the two take turns. It needs dnsperf and gdnsd.
func BenchDNS(ctx context.Context, rounds int) (*Bench, error) {
	for _, tool := range []string{"dnsperf", "gdnsd"} {
		if _, err := exec.LookPath(tool); err != nil {
			return nil, fmt.Errorf("%w; install it with your system's packages", err)
		}
	}
	dir, err := os.MkdirTemp("", "cerulean-bench-dns-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	b := &dnsBench{dir: dir}
	if err := b.prepare(); err != nil {
		return nil, err
	}
	checked, err := answering()
	if err != nil {
		return nil, err
	}
	defer checked.close()
	peer, err := b.startPeer(ctx, checked.port)
	if err != nil {
		return nil, err
	}
	defer peer.stop()
	defer spareProcessor(1)() // as where it runs alone
	own, err := dns.Listen(netip.MustParseAddrPort("127.0.0.1:0"), b.snapshot(), dns.Options{Sockets: 1})
	if err != nil {
		return nil, err
	}
	defer own.Close()
	_ = pin(os.Getpid(), 1)
	self := func() (time.Duration, error) {
		var u syscall.Rusage
		err := syscall.Getrusage(syscall.RUSAGE_SELF, &u)
		return time.Duration(u.Utime.Nano() + u.Stime.Nano()), err
	}
	var out series
	for range rounds {
		x, rate, err := b.round(ctx, own.Addr().Port(), self)
		if err != nil {
			return nil, err
		}
		y, peerRate, err := b.round(ctx, peer.port, peer.used)
		if err != nil {
			return nil, fmt.Errorf("gdnsd: %w", err)
		}
		out.add("processor time of a query", "ns", x)
		out.add("of gdnsd", "ns", y)
		out.add("ratio", "", x/y)
		out.add("queries per second", "", rate)
		out.add("of gdnsd, per second", "", peerRate)
	}
	return out.bench("dns", fmt.Sprintf("%d names with health-checked answers, %d queries a round by dnsperf, in turns with gdnsd", benchNames, benchQueries), rounds), nil
}

type dnsBench struct{ dir string }

// prepare writes the queries and gdnsd's zone.
func (b *dnsBench) prepare() error {
	var queries, zone bytes.Buffer
	rng := rand.New(rand.NewPCG(1, 2))
	for range benchListed {
		fmt.Fprintf(&queries, "h%d.example.org A\n", rng.IntN(benchNames))
	}
	zone.WriteString("@ 300 SOA ns1 hostmaster 1 3600 600 604800 60\n@ NS ns1\nns1 A 127.0.0.1\n")
	for i := range benchNames {
		fmt.Fprintf(&zone, "h%d 60 DYNA simplefo!r%d\n", i, i%benchProfiles)
	}
	for _, d := range []string{"etc/zones", "run", "state"} {
		if err := os.MkdirAll(filepath.Join(b.dir, d), 0o700); err != nil {
			return err
		}
	}
	return errors.Join(
		os.WriteFile(filepath.Join(b.dir, "queries"), queries.Bytes(), 0o600),
		os.WriteFile(filepath.Join(b.dir, "etc/zones/example.org"), zone.Bytes(), 0o600))
}

// snapshot is the same zone here: each name is a Traffic Manager profile by
// priority, whose endpoints have been found well.
func (b *dnsBench) snapshot() *dns.Snapshot {
	found := trafficmanager.Findings{}
	profiles := make([]trafficmanager.Profile, benchNames)
	for i := range profiles {
		p := &profiles[i]
		*p = trafficmanager.Profile{ID: fmt.Sprintf("/h%d", i), FQDN: fmt.Sprintf("h%d.example.org", i), Method: trafficmanager.Priority, TTL: 60}
		for j, addr := range []string{"127.0.0.1", "127.0.0.2"} {
			e := trafficmanager.Endpoint{Name: addr, Kind: trafficmanager.External, Target: addr, Weight: 1, Priority: j + 1}
			p.Endpoints = append(p.Endpoints, e)
			found[trafficmanager.KeyOf(p, &e)] = trafficmanager.Online
		}
	}
	d := trafficmanager.New(profiles, found)
	z := dns.Zone{Name: "example.org", Records: zoneHead("example.org.")}
	for _, name := range d.Names() {
		z.Managed = append(z.Managed, managedName(d, name, places{}))
	}
	s, err := dns.Compile(z)
	if err != nil {
		panic(err) // the zone is made here
	}
	return s
}

// listening are the addresses that gdnsd checks.
type listening struct {
	port uint16
	list []net.Listener
}

func answering() (*listening, error) {
	l := &listening{}
	for _, host := range []string{"127.0.0.1", "127.0.0.2"} {
		x, err := net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(int(l.port))))
		if err != nil {
			l.close()
			return nil, err
		}
		l.port = x.Addr().(*net.TCPAddr).AddrPort().Port()
		l.list = append(l.list, x)
		go func() {
			for {
				c, err := x.Accept()
				if err != nil {
					return
				}
				_ = c.Close()
			}
		}()
	}
	return l, nil
}

func (l *listening) close() {
	for _, x := range l.list {
		_ = x.Close()
	}
}

// peer is a running gdnsd.
type peer struct {
	cmd  *exec.Cmd
	port uint16
}

func (b *dnsBench) startPeer(ctx context.Context, checked uint16) (*peer, error) {
	probe, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &peer{port: probe.LocalAddr().(*net.UDPAddr).AddrPort().Port()}
	_ = probe.Close()
	var config strings.Builder
	fmt.Fprintf(&config, "options => { listen => [ \"127.0.0.1:%d\" ] udp_threads => 1 tcp_threads => 1 run_dir => %q state_dir => %q }\n", p.port, filepath.Join(b.dir, "run"), filepath.Join(b.dir, "state"))
	fmt.Fprintf(&config, "service_types => { checked => { plugin => \"tcp_connect\" port => %d interval => 10 } }\nplugins => { simplefo => {\n", checked)
	for i := range benchProfiles {
		fmt.Fprintf(&config, "r%d => { service_types => checked, primary => 127.0.0.1, secondary => 127.0.0.2 }\n", i)
	}
	config.WriteString("} }\n")
	if err := os.WriteFile(filepath.Join(b.dir, "etc/config"), []byte(config.String()), 0o600); err != nil {
		return nil, err
	}
	log := &bytes.Buffer{}
	p.cmd = exec.CommandContext(ctx, "gdnsd", "-c", filepath.Join(b.dir, "etc"), "start")
	p.cmd.Stderr, p.cmd.Stdout = log, log
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	client := &mdns.Client{Timeout: time.Second}
	q := new(mdns.Msg).SetQuestion("h1.example.org.", mdns.TypeA)
	for range 20 {
		m, _, err := client.ExchangeContext(ctx, q, netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), p.port).String())
		if err == nil && len(m.Answer) == 1 {
			_ = pin(p.cmd.Process.Pid, 1)
			return p, nil
		}
		if err := pauseFor(ctx, 200*time.Millisecond); err != nil {
			break
		}
	}
	p.stop()
	return nil, fmt.Errorf("gdnsd does not answer: %s", tail(log.String()))
}

func pauseFor(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// tail is the end of a program's output.
func tail(text string) string { return text[max(0, len(text)-500):] }

func (p *peer) stop() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	_ = p.cmd.Wait()
}

// used returns the processor time of the process.
func (p *peer) used() (time.Duration, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(string(b), ") ")
	fields := strings.Fields(rest) // from the third field on
	if len(fields) < 13 {
		return 0, errors.New("/proc has no times of the process")
	}
	user, errA := strconv.ParseInt(fields[11], 10, 64)
	system, errB := strconv.ParseInt(fields[12], 10, 64)
	const tick = 10 * time.Millisecond // USER_HZ
	return time.Duration(user+system) * tick, errors.Join(errA, errB)
}

// pin puts every thread of a process on a core; the asker gets the first.
func pin(pid, core int) error {
	tasks, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	if err != nil {
		return err
	}
	var set unix.CPUSet
	set.Set(core)
	for _, t := range tasks {
		id, err := strconv.Atoi(t.Name())
		if err != nil {
			continue
		}
		if err := unix.SchedSetaffinity(id, &set); err != nil {
			return err
		}
	}
	return nil
}

var (
	completed = regexp.MustCompile(`Queries completed:\s+(\d+)`)
	perSecond = regexp.MustCompile(`Queries per second:\s+([\d.]+)`)
)

// round asks a server and returns the processor time of a query in nanoseconds,
// and the queries per second.
func (b *dnsBench) round(ctx context.Context, port uint16, used func() (time.Duration, error)) (perQuery, rate float64, err error) {
	cmd := exec.CommandContext(ctx, "dnsperf", "-s", "127.0.0.1", "-p", strconv.Itoa(int(port)), "-d", filepath.Join(b.dir, "queries"),
		"-n", strconv.Itoa(benchQueries/benchListed), "-q", "200", "-c", "4", "-T", "1", "-t", "5")
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	before, err := used()
	if err != nil {
		return 0, 0, err
	}
	if err := cmd.Start(); err != nil {
		return 0, 0, err
	}
	_ = pin(cmd.Process.Pid, 0)
	if err := cmd.Wait(); err != nil {
		return 0, 0, fmt.Errorf("dnsperf: %w: %s", err, tail(out.String()))
	}
	after, err := used()
	if err != nil {
		return 0, 0, err
	}
	n, r := completed.FindStringSubmatch(out.String()), perSecond.FindStringSubmatch(out.String())
	if n == nil || r == nil {
		return 0, 0, fmt.Errorf("dnsperf says nothing that is understood: %s", tail(out.String()))
	}
	count, err := strconv.ParseFloat(n[1], 64)
	if err != nil {
		return 0, 0, err
	}
	if count < benchQueries*0.99 {
		return 0, 0, fmt.Errorf("%.0f of %d queries were answered", count, benchQueries)
	}
	rate, err = strconv.ParseFloat(r[1], 64)
	return float64(after-before) / count, rate, err
}
