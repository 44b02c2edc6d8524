package node

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/ceruleannet/cerulean/internal/datapath"
)

// spacesNetwork is what the benchmark runs: two hosts of one subnet with a
// security group, and a balancer in front of the second.
const spacesNetwork = `network: bench
regions: [northeurope]
networks:
  - name: bench
    address: 10.0.0.0/16
    subnets:
      all:
        address: 10.0.0.0/24
        nsg: all
        hosts: {client: {address: 10.0.0.4}, server: {address: 10.0.0.5, serves: tcp/7000}}
nsgs:
  all: {inbound: [{allow: any -> any tcp/1-65535}, {deny: any -> any}]}
load-balancers:
  - name: front
    frontends: {front: {subnet: all, address: 10.0.0.100}}
    members: [server]
    probes: {echo: {port: 7000}}
    rules: [{name: echo, traffic: tcp/7000, probe: echo}]
`

// The ports of the servers.
const (
	iperfPort = "5201"
	echoPort  = "7000"
)

// A path is a way between a client and a server, each in a namespace of its own.
type path struct {
	name           string
	client, server func(args ...string) (*ended, error)
	address        string // of the server, from the client
	balanced       string // of the balancer before it; empty without one
	streams        bool   // measured with long streams
}

// ended is a command that runs.
type ended struct {
	out  *bytes.Buffer
	done chan error
	stop func()
}

// arena holds what a benchmark made, to be ended in the reverse order.
type arena struct {
	ctx  context.Context
	dir  string
	ends []func()
	// starts are for a thread that lives as long as the arena: what it starts dies
	// with it (prctl(2), PR_SET_PDEATHSIG).
	starts chan func()
}

// start starts a command that dies with this process.
func (a *arena) start(cmd *exec.Cmd) error {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	err := make(chan error)
	a.starts <- func() { err <- cmd.Start() }
	return <-err
}

func (a *arena) close() {
	for i := len(a.ends) - 1; i >= 0; i-- {
		a.ends[i]()
	}
}

func benchNamespaces(ctx context.Context, rounds int, each func(*Bench) error) (err error) {
	if os.Geteuid() != 0 {
		return errors.New("bench datapath makes network namespaces and bridges beside its own: run it as root")
	}
	for _, tool := range []string{"iperf3", "ip", "nsenter", "unshare"} {
		if _, err := exec.LookPath(tool); err != nil {
			return fmt.Errorf("bench datapath needs %s (Debian: apt-get install iperf3 iproute2 util-linux)", tool)
		}
	}
	dir, err := os.MkdirTemp("", "cerulean-bench-")
	if err != nil {
		return err
	}
	a := &arena{ctx: ctx, dir: dir, starts: make(chan func())}
	a.ends = append(a.ends, func() { os.RemoveAll(dir) }, func() { close(a.starts) })
	go func() {
		runtime.LockOSThread()
		for start := range a.starts {
			start()
		}
	}()
	defer a.close()
	var paths []*path
	var peers []string
	for _, build := range []func() (*path, string, error){a.direct, a.ours, a.ovs, a.haproxy} {
		p, version, err := build()
		switch {
		case errors.Is(err, exec.ErrNotFound):
			peers = append(peers, version+" is not installed")
			continue
		case err != nil:
			return err
		}
		paths = append(paths, p)
		if version != "" {
			peers = append(peers, version)
		}
	}
	for _, p := range paths {
		if err := a.serve(p); err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
	}
	var streams, balanced series
	for range rounds {
		for _, p := range paths {
			if err := a.measure(p, &streams, &balanced); err != nil {
				return fmt.Errorf("%s: %w", p.name, err)
			}
		}
	}
	ratio(&streams, "ours / direct veth, stream", "ours, stream", "direct veth, stream")
	ratio(&streams, "ours / OVS, stream", "ours, stream", "OVS, stream")
	ratio(&balanced, "ours / HAProxy, connections", "ours balanced, connections", "HAProxy, connections")
	added(&balanced, "ours, added round trip", "ours balanced, round trip", "direct veth, round trip")
	added(&balanced, "HAProxy, added round trip", "HAProxy, round trip", "direct veth, round trip")
	what := "MTU 1500, interleaved rounds; " + strings.Join(peers, "; ")
	if err := each(streams.bench("switch", "between two namespaces, "+what, rounds)); err != nil {
		return err
	}
	return each(balanced.bench("balancer", "TCP before one server, eight clients, "+what, rounds))
}

// ratio adds the quotient of two figures, round by round.
func ratio(s *series, name, above, below string) {
	for i := range min(len(s.values[above]), len(s.values[below])) {
		s.add(name, "", s.values[above][i]/s.values[below][i])
	}
}

// added adds the difference of two figures, round by round.
func added(s *series, name, with, without string) {
	for i := range min(len(s.values[with]), len(s.values[without])) {
		s.add(name, "µs", s.values[with][i]-s.values[without][i])
	}
}

// serve starts a path's servers.
func (a *arena) serve(p *path) error {
	exe, err := os.Executable()
	if err != nil {
		return err
	}
	servers := [][]string{{exe, benchEcho, ":" + echoPort}}
	if p.streams {
		servers = append(servers, []string{"iperf3", "-s", "-p", iperfPort})
	}
	for _, args := range servers {
		s, err := p.server(args...)
		if err != nil {
			return err
		}
		a.ends = append(a.ends, s.stop)
	}
	return nil
}

// measure measures a path once.
func (a *arena) measure(p *path, streams, balanced *series) error {
	exe, err := os.Executable()
	if err != nil {
		return err
	}
	if p.streams {
		out, err := a.ask(p, "iperf3", "-c", p.address, "-p", iperfPort, "-t", "2", "-J")
		if err != nil {
			return err
		}
		var v struct {
			End struct {
				Received struct {
					Rate float64 `json:"bits_per_second"`
				} `json:"sum_received"`
			} `json:"end"`
		}
		if err := json.Unmarshal(out, &v); err != nil {
			return fmt.Errorf("iperf3: %w", err)
		}
		streams.add(p.name+", stream", "Gbit/s", v.End.Received.Rate/1e9)
	}
	number := func(to *series, what, unit, program, address string) error {
		out, err := a.ask(p, exe, program, address+":"+echoPort)
		if err != nil {
			return err
		}
		v, err := strconv.ParseFloat(strings.TrimSpace(string(out)), 64)
		if err != nil {
			return err
		}
		to.add(what, unit, v)
		return nil
	}
	if p.streams {
		if err := number(streams, p.name+", round trip", "µs", benchAsk, p.address); err != nil {
			return err
		}
	}
	if p.name == "direct veth" {
		balanced.add("direct veth, round trip", "µs", last(streams.values["direct veth, round trip"]))
		return number(balanced, "direct veth, connections", "1/s", benchConnect, p.address)
	}
	if p.balanced == "" {
		return nil
	}
	name := p.name
	if p.streams {
		name += " balanced"
	}
	return errors.Join(
		number(balanced, name+", round trip", "µs", benchAsk, p.balanced),
		number(balanced, name+", connections", "1/s", benchConnect, p.balanced))
}

func last(v []float64) float64 { return v[len(v)-1] }

// ask runs a client; servers and probes take a moment to be ready.
func (a *arena) ask(p *path, args ...string) (out []byte, err error) {
	for range 50 {
		var c *ended
		if c, err = p.client(args...); err != nil {
			return nil, err
		}
		select {
		case err = <-c.done:
		case <-a.ctx.Done():
			c.stop()
			return nil, context.Cause(a.ctx)
		case <-time.After(20 * time.Second):
			c.stop()
			return nil, fmt.Errorf("%s does not end", strings.Join(args, " "))
		}
		if err == nil {
			return c.out.Bytes(), nil
		}
		time.Sleep(100 * time.Millisecond)
	}
	return nil, fmt.Errorf("%s: %w", strings.Join(args, " "), err)
}

// launch starts a command; it dies with this process.
func (a *arena) launch(args ...string) (*ended, error) {
	e := &ended{out: &bytes.Buffer{}, done: make(chan error, 1)}
	cmd := exec.CommandContext(a.ctx, args[0], args[1:]...)
	cmd.Stdout = e.out
	cmd.Env = append(os.Environ(), "OVS_RUNDIR="+a.dir)
	if err := a.start(cmd); err != nil {
		return nil, err
	}
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		e.done <- cmd.Wait()
	}()
	e.stop = func() {
		_ = cmd.Process.Kill()
		<-gone
	}
	return e, nil
}

// run runs a command to its end.
func (a *arena) run(args ...string) error {
	out, err := exec.CommandContext(a.ctx, args[0], args[1:]...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w: %s", strings.Join(args, " "), err, bytes.TrimSpace(out))
	}
	return nil
}

// space is a network namespace, by the process that holds it.
type space struct {
	a   *arena
	pid string
}

// space makes a network namespace with its loopback up.
func (a *arena) space() (space, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return space{}, err
	}
	defer r.Close()
	cmd := exec.CommandContext(a.ctx, "unshare", "--net", "--", "sh", "-c", "ip link set lo up && echo up && exec sleep infinity")
	cmd.Stdout = w
	err = a.start(cmd)
	w.Close()
	if err != nil {
		return space{}, err
	}
	a.ends = append(a.ends, func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	if _, err := io.ReadFull(r, make([]byte, 2)); err != nil {
		return space{}, fmt.Errorf("a network namespace: %w", err)
	}
	return space{a, strconv.Itoa(cmd.Process.Pid)}, nil
}

func (s space) enter(args ...string) []string {
	return append([]string{"nsenter", "--net=/proc/" + s.pid + "/ns/net", "--"}, args...)
}

func (s space) launch(args ...string) (*ended, error) { return s.a.launch(s.enter(args...)...) }

func (s space) ip(args ...string) error {
	return s.a.run(s.enter(append([]string{"ip"}, args...)...)...)
}

// wire joins two namespaces by a veth pair; addresses may be empty.
func (s space) wire(name, address string, to space, toName, toAddress string) error {
	if err := s.ip("link", "add", name, "type", "veth", "peer", "name", toName, "netns", to.pid); err != nil {
		return err
	}
	for _, end := range []struct {
		space
		name, address string
	}{{s, name, address}, {to, toName, toAddress}} {
		if end.address != "" {
			if err := end.ip("addr", "add", end.address, "dev", end.name); err != nil {
				return err
			}
		}
		if err := end.ip("link", "set", end.name, "up"); err != nil {
			return err
		}
	}
	return nil
}

// spaces makes n network namespaces.
func (a *arena) spaces(n int) ([]space, error) {
	out := make([]space, n)
	for i := range out {
		var err error
		if out[i], err = a.space(); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (a *arena) direct() (*path, string, error) {
	s, err := a.spaces(2)
	if err != nil {
		return nil, "", err
	}
	if err := s[0].wire("eth0", "10.1.0.1/24", s[1], "eth0", "10.1.0.2/24"); err != nil {
		return nil, "", err
	}
	return &path{name: "direct veth", client: s[0].launch, server: s[1].launch, address: "10.1.0.2", streams: true}, "", nil
}

// ovs is Open vSwitch in user space, as we are, with segmentation offload, which
// is off by default.
func (a *arena) ovs() (*path, string, error) {
	version, err := exec.Command("ovs-vswitchd", "--version").Output()
	if err != nil {
		return nil, "Open vSwitch", err
	}
	s, err := a.spaces(3)
	if err != nil {
		return nil, "", err
	}
	client, middle, server := s[0], s[1], s[2]
	db := "unix:" + filepath.Join(a.dir, "db.sock")
	file := filepath.Join(a.dir, "conf.db")
	vsctl := func(args ...string) error {
		return a.run(append([]string{"ovs-vsctl", "--timeout=20", "--db=" + db}, args...)...)
	}
	if err := errors.Join(
		client.wire("eth0", "10.2.0.1/24", middle, "p0", ""),
		server.wire("eth0", "10.2.0.2/24", middle, "p1", ""),
		a.run("ovsdb-tool", "create", file, "/usr/share/openvswitch/vswitch.ovsschema"),
	); err != nil {
		return nil, "", err
	}
	for _, daemon := range [][]string{
		{"ovsdb-server", file, "--remote=p" + db, "--no-chdir", "-vconsole:off", "-vsyslog:off"},
		{"ovs-vswitchd", db, "--no-chdir", "-vconsole:off", "-vsyslog:off"},
	} {
		e, err := middle.launch(daemon...)
		if err != nil {
			return nil, "", err
		}
		a.ends = append(a.ends, e.stop)
		if daemon[0] == "ovsdb-server" {
			err = a.until(func() error {
				return vsctl("--no-wait", "init", "--", "set", "Open_vSwitch", ".", "other_config:userspace-tso-enable=true")
			})
		} else {
			err = vsctl("add-br", "br0", "--", "set", "bridge", "br0", "datapath_type=netdev",
				"--", "add-port", "br0", "p0", "--", "add-port", "br0", "p1")
		}
		if err != nil {
			return nil, "", err
		}
	}
	first, _, _ := strings.Cut(string(version), "\n")
	return &path{name: "OVS", client: client.launch, server: server.launch, address: "10.2.0.2", streams: true},
		first + " (netdev, userspace-tso-enable)", nil
}

// until tries for a while.
func (a *arena) until(try func() error) (err error) {
	for range 50 {
		if err = try(); err == nil || a.ctx.Err() != nil {
			return err
		}
		time.Sleep(100 * time.Millisecond)
	}
	return err
}

// haproxy balances TCP between two namespaces that have no other way.
func (a *arena) haproxy() (*path, string, error) {
	version, err := exec.Command("haproxy", "-v").Output()
	if err != nil {
		return nil, "HAProxy", err
	}
	s, err := a.spaces(3)
	if err != nil {
		return nil, "", err
	}
	client, middle, server := s[0], s[1], s[2]
	config := filepath.Join(a.dir, "haproxy.cfg")
	text := "defaults\n mode tcp\n timeout connect 5s\n timeout client 1m\n timeout server 1m\n" +
		"listen front\n bind 10.3.0.100:" + echoPort + "\n server one 10.3.1.2:" + echoPort + "\n"
	if err := errors.Join(
		client.wire("eth0", "10.3.0.1/24", middle, "p0", "10.3.0.100/24"),
		server.wire("eth0", "10.3.1.2/24", middle, "p1", "10.3.1.1/24"),
		os.WriteFile(config, []byte(text), 0o600),
	); err != nil {
		return nil, "", err
	}
	e, err := middle.launch("haproxy", "-db", "-q", "-f", config)
	if err != nil {
		return nil, "", err
	}
	a.ends = append(a.ends, e.stop)
	first, _, _ := strings.Cut(string(version), " - ")
	return &path{name: "HAProxy", client: client.launch, server: server.launch, balanced: "10.3.0.100"}, first + " (mode tcp)", nil
}

// ours is a running network.
func (a *arena) ours() (*path, string, error) {
	dir := filepath.Join(a.dir, "network")
	if err := errors.Join(os.Mkdir(dir, 0o700), os.WriteFile(filepath.Join(dir, "network.yaml"), []byte(spacesNetwork), 0o600)); err != nil {
		return nil, "", err
	}
	s, err := Up(a.ctx, dir, UpOptions{Listen: "127.0.0.1:0", NoProbe: true}, func(Event) {})
	if err != nil {
		return nil, "", err
	}
	a.ends = append(a.ends, func() { _ = s.Close() })
	on := func(host string) func(args ...string) (*ended, error) {
		return func(args ...string) (*ended, error) { return s.bench(host, args) }
	}
	return &path{
		name: "ours", client: on("client"), server: on("server"),
		address: "10.0.0.5", balanced: "10.0.0.100", streams: true,
	}, "", nil
}

// bench runs a command on a host.
func (s *System) bench(host string, args []string) (*ended, error) {
	m, err := s.machine(host)
	if err != nil {
		return nil, err
	}
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	p, err := m.start(datapath.Command{Args: args, Env: os.Environ(), Stdout: w}, nil)
	w.Close()
	if err != nil {
		r.Close()
		return nil, err
	}
	end, err := s.begin()
	if err != nil {
		end = func() {}
	} else {
		err = p.Run()
	}
	e := &ended{out: &bytes.Buffer{}, done: make(chan error, 1)}
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		defer end()
		_, _ = io.Copy(e.out, r)
		r.Close()
		code, err := p.Wait()
		if err == nil && code != 0 {
			err = fmt.Errorf("exit code %d", code)
		}
		p.Close()
		m.leave()
		e.done <- err
	}()
	e.stop = func() {
		p.Close()
		<-gone
	}
	if err != nil {
		e.stop()
		return nil, err
	}
	return e, nil
}
