package node

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync"

	"github.com/ceruleannet/cerulean/internal/datapath"
	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/internal/live"
	"github.com/ceruleannet/cerulean/model"
)

// linkLocalGateway is the router of every subnet with IPv6 in Azure.
var linkLocalGateway = netip.MustParseAddr("fe80::1234:5678:9abc")

// machines are the hosts where programs of the operating system run.
type machines struct {
	mu     sync.Mutex
	byHost map[string]*machine
	closed bool
	// sessions are the programs that have not ended.
	sessions sync.WaitGroup
}

// machine is a host's network namespace: made by the first program, shared by
// those that come while it runs, gone with the last.
type machine struct {
	system *System
	host   *live.Host

	mu     sync.Mutex // held while a program comes or goes
	users  int
	space  *datapath.Namespace
	detach []func()
}

// machine returns a declared host's machine.
func (s *System) machine(name string) (*machine, error) {
	h, err := s.Net.Host(name)
	if err != nil {
		return nil, err
	}
	if !h.Declared() {
		return nil, fmt.Errorf("%s is not a host that programs can run on; it is only what answers there", h.Name)
	}
	s.machines.mu.Lock()
	defer s.machines.mu.Unlock()
	if s.machines.byHost == nil {
		s.machines.byHost = map[string]*machine{}
	}
	key := strings.ToLower(h.Name)
	m := s.machines.byHost[key]
	if m == nil {
		m = &machine{system: s, host: h}
		s.machines.byHost[key] = m
	}
	return m, nil
}

// begin counts a program; end says that it ended. It fails when the network is
// closing.
func (s *System) begin() (end func(), err error) {
	s.machines.mu.Lock()
	defer s.machines.mu.Unlock()
	if s.machines.closed {
		return nil, live.ErrClosed
	}
	s.machines.sessions.Add(1)
	return s.machines.sessions.Done, nil
}

// close waits until every program has ended, which s.running tells them to.
func (ms *machines) close() {
	ms.mu.Lock()
	ms.closed = true
	ms.mu.Unlock()
	ms.sessions.Wait()
}

// world is what a program must know to live on a host.
type world struct {
	Host    string
	Network string
	Layout  datapath.Layout
	Files   []datapath.File
	// Authority is the certificate, in PEM, that the network's HTTPS services
	// have theirs from.
	Authority string
	// Registry is by which variables programs find the registry of services.
	Registry []string
}

// bundles are the files where systems keep the certificates they trust: Debian,
// Ubuntu, Alpine and Arch; Fedora and Red Hat; SUSE.
var bundles = []string{"/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem"}

// world returns what the host's operating system must know.
func (m *machine) world() (*world, error) {
	w := &world{
		Host: m.host.Name, Network: m.system.Design.Network().Name, Authority: string(m.system.Net.RootPEM()),
		Registry: m.system.discovery.environment(m.host.Name),
	}
	interfaces := m.host.Interfaces()
	macs := m.macs(interfaces)
	var names strings.Builder
	for i, o := range interfaces {
		if o.Port == fabric.None || len(o.Addrs) == 0 {
			return nil, fmt.Errorf("network interface %d of host %s is not in the network now", i, m.host.Name)
		}
		nic := datapath.Interface{Name: fmt.Sprintf("eth%d", i), MAC: macs[i], Addrs: o.Addrs, DNS: o.Servers[0]}
		for _, a := range o.Addrs {
			fmt.Fprintf(&names, "%s %s\n", a.Addr(), strings.TrimSpace(qualify(m.host.Name, o.Suffix)+" "+m.host.Name))
			if i == 0 {
				nic.Gateways = addGateway(nic.Gateways, a)
			}
		}
		w.Layout.Interfaces = append(w.Layout.Interfaces, nic)
		w.Layout.Loopback = append(w.Layout.Loopback, o.Floats...)
		w.Layout.Forward = w.Layout.Forward || o.Forwards
	}
	var resolv strings.Builder
	if s := interfaces[0].Suffix; s != "" {
		fmt.Fprintf(&resolv, "search %s\n", s)
	}
	for _, a := range interfaces[0].Servers {
		fmt.Fprintf(&resolv, "nameserver %s\n", a)
	}
	w.Files = []datapath.File{
		{Path: "/etc/resolv.conf", Content: resolv.String()},
		{Path: "/etc/hosts", Content: "127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n" + names.String()},
	}
	for _, path := range bundles {
		w.Files = append(w.Files, datapath.File{Path: path, Content: w.Authority, Append: true})
	}
	return w, nil
}

func qualify(name, suffix string) string {
	if suffix == "" {
		return ""
	}
	return strings.ToLower(name) + "." + suffix
}

// addGateway adds the router of an address's subnet: its first address ("Are
// there any restrictions on using IP addresses within these subnets?", Azure
// Virtual Network FAQ), and for IPv6 the link's.
func addGateway(list []netip.Addr, a netip.Prefix) []netip.Addr {
	for _, g := range list {
		if g.Is4() == a.Addr().Is4() {
			return list
		}
	}
	if a.Addr().Is6() {
		return append(list, linkLocalGateway)
	}
	return append(list, a.Masked().Addr().Next())
}

// macs returns the MAC addresses that the cloud gave the host's interfaces.
func (m *machine) macs(interfaces []live.Interface) []net.HardwareAddr {
	known := map[string]net.HardwareAddr{}
	for _, r := range m.system.Cloud.Snapshot() {
		if !r.ID.Is(model.TypeNIC) {
			continue
		}
		if text, ok := r.Properties()["macAddress"].(string); ok {
			if mac, err := net.ParseMAC(text); err == nil && len(mac) == 6 {
				known[r.ID.Key()] = mac
			}
		}
	}
	img := m.system.Net.Image()
	out := make([]net.HardwareAddr, len(interfaces))
	for i, o := range interfaces {
		if o.Port != fabric.None {
			if id, err := model.ParseID(img.Ports[o.Port].Origin.Resource); err == nil {
				out[i] = known[id.Key()]
			}
		}
		if out[i] == nil { // no resource of the cloud: still the same each time
			sum := sha256.Sum256(fmt.Appendf(nil, "%s/%d", m.host.Name, i))
			out[i] = net.HardwareAddr{0x00, 0x0d, 0x3a, sum[0], sum[1], sum[2]}
		}
	}
	return out
}

// admit takes the namespace and the interfaces' files that a first program made,
// or counts one that joined. The caller holds mu.
func (m *machine) admit(w *world, space *datapath.Namespace, devices []*os.File, keep []model.Service) error {
	if m.users > 0 {
		m.users++
		return space.Close()
	}
	if len(devices) != len(w.Layout.Interfaces) {
		return errors.Join(fmt.Errorf("%d files for %d network interfaces", len(devices), len(w.Layout.Interfaces)), space.Close())
	}
	for i, o := range devices {
		d, err := datapath.NewDevice(o, w.Layout.Interfaces[i])
		if err == nil {
			var detach func()
			if detach, err = m.system.Net.Attach(m.host.Name, i, d, keep); err == nil {
				m.detach = append(m.detach, detach)
				continue
			}
			err = errors.Join(err, d.Close())
		}
		for _, rest := range devices[i+1:] {
			err = errors.Join(err, rest.Close())
		}
		m.release()
		return errors.Join(err, space.Close())
	}
	m.space, m.users = space, 1
	return nil
}

// leave says that a program has ended.
func (m *machine) leave() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.users--; m.users == 0 {
		m.release()
		_ = m.space.Close()
		m.space = nil
	}
}

func (m *machine) release() {
	for _, f := range m.detach {
		f()
	}
	m.detach = nil
}

// Child runs this process's part if another process of this program started it as
// the first one on a host, and returns its exit code. A program that runs hosts'
// programs calls it first thing in main.
func Child(args []string) (code int, is bool) {
	if code, is = benchChild(args); is {
		return code, true
	}
	return datapath.Child(args)
}
