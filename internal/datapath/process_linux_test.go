package datapath

import (
	"bufio"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/ceruleannet/cerulean/internal/engine"
)

// roleVariable makes this test program one of the programs in a namespace.
const roleVariable = "CERULEAN_TEST_ROLE"

func TestMain(m *testing.M) {
	if code, is := Child(os.Args); is {
		os.Exit(code)
	}
	// The race detector otherwise waits a second at the end of each process.
	os.Setenv("GORACE", "atexit_sleep_ms=0")
	if role := os.Getenv(roleVariable); role != "" {
		if err := play(strings.Fields(role)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// play is what programs in namespaces do. Each says "ready" when it listens.
func play(role []string) error {
	switch role[0] {
	case "hash": // hash what one client sends, over TCP
		l, err := net.Listen("tcp", role[1])
		if err != nil {
			return err
		}
		fmt.Println("ready")
		c, err := l.Accept()
		if err != nil {
			return err
		}
		h := sha256.New()
		n, err := io.Copy(h, c)
		fmt.Printf("%d %x\n", n, h.Sum(nil))
		return err
	case "send": // the same megabytes as wanted by the test
		c, err := net.Dial("tcp", role[1])
		if err != nil {
			return err
		}
		defer c.Close()
		_, err = c.Write(testData())
		return err
	case "echo": // datagrams, for ever
		c, err := net.ListenPacket("udp", role[1])
		if err != nil {
			return err
		}
		fmt.Println("ready")
		b := make([]byte, 2000)
		for {
			n, from, err := c.ReadFrom(b)
			if err != nil {
				return err
			}
			if _, err := c.WriteTo(b[:n], from); err != nil {
				return err
			}
		}
	case "ask": // one datagram there and back
		c, err := net.Dial("udp", role[1])
		if err != nil {
			return err
		}
		if _, err := c.Write([]byte("hello")); err != nil {
			return err
		}
		b := make([]byte, 100)
		n, err := c.Read(b)
		fmt.Printf("%s\n", b[:n])
		return err
	case "signals":
		ch := make(chan os.Signal, 1)
		signal.Notify(ch, syscall.SIGTERM)
		fmt.Println("ready")
		fmt.Println((<-ch).String())
		os.Exit(7)
	case "look": // what a program sees of its machine
		name, _ := os.Hostname()
		ifs, err := net.Interfaces()
		if err != nil {
			return err
		}
		fmt.Println("host", name, "uid", os.Getuid())
		for _, i := range ifs {
			addrs, _ := i.Addrs()
			fmt.Println(i.Name, i.HardwareAddr, i.MTU, addrs)
		}
		for _, f := range role[1:] {
			b, err := os.ReadFile(f)
			if err != nil {
				return err
			}
			fmt.Printf("%s: %s\n", f, b)
		}
		return nil
	}
	return fmt.Errorf("no role %q", role)
}

func testData() []byte {
	b := make([]byte, 8<<20)
	for i := range b {
		b[i] = byte(i * i >> 7)
	}
	return b
}

// needNamespaces skips, or in CI fails, where the system gives us none.
func needNamespaces(t *testing.T) {
	t.Helper()
	p, err := Start(Command{Args: []string{"true"}, Layout: layout("10.9.0.4/24")})
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	p.Close()
	_, _ = p.Wait()
}

func layout(addrs ...string) *Layout {
	nic := Interface{Name: "eth0", MAC: net.HardwareAddr{0, 0x0d, 0x3a, 1, 2, byte(len(addrs))}, DNS: dhcpServer}
	seen := map[bool]bool{}
	for _, a := range addrs {
		p := netip.MustParsePrefix(a)
		nic.Addrs = append(nic.Addrs, p)
		nic.MAC[4] ^= p.Addr().AsSlice()[len(p.Addr().AsSlice())-1]
		if is4 := p.Addr().Is4(); !seen[is4] {
			seen[is4] = true
			gw := p.Masked().Addr().Next()
			if !is4 {
				gw = netip.MustParseAddr("fe80::1234:5678:9abc")
			}
			nic.Gateways = append(nic.Gateways, gw)
		}
	}
	return &Layout{Interfaces: []Interface{nic}}
}

// start starts a role in a namespace.
func start(t *testing.T, c Command, role string) (*Process, *bufio.Reader) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c.Args, c.Env, c.Stdout, c.Stderr = []string{exe}, append(os.Environ(), roleVariable+"="+role), w, os.Stderr
	p, err := Start(c)
	w.Close()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.Close()
		_, _ = p.Wait()
		r.Close()
	})
	return p, bufio.NewReader(r)
}

// run runs a role to its end and returns what it said.
func run(t *testing.T, c Command, role string) string {
	t.Helper()
	p, out := start(t, c, role)
	if err := p.Run(); err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(out)
	if err != nil {
		t.Fatal(err)
	}
	if code, err := p.Wait(); code != 0 || err != nil {
		t.Fatalf("%s: exit code %d, %v: %s", role, code, err, b)
	}
	return string(b)
}

func line(t *testing.T, r *bufio.Reader) string {
	t.Helper()
	s, err := r.ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(s)
}

// device returns the device of a process's first interface.
func device(t *testing.T, p *Process, l *Layout) *Device {
	t.Helper()
	f := p.Devices[0]
	p.Devices = nil
	d, err := NewDevice(f, l.Interfaces[0])
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

// cross carries the packets of each device to the other, until one is closed.
// seen counts packets that were segments to cut.
func cross(t *testing.T, a, b *Device) (segments func() int) {
	t.Helper()
	counts := make(chan int, 2)
	for _, d := range [][2]*Device{{a, b}, {b, a}} {
		go func() {
			n := 0
			defer func() { counts <- n }()
			frames := make([]engine.Frame, 64)
			for {
				got, err := d[0].Read(frames)
				if err != nil {
					return
				}
				for _, f := range frames[:got] {
					if f.Offload.Segment > 0 {
						n++
					}
				}
				if d[1].Write(frames[:got]) != nil {
					return
				}
			}
		}()
	}
	return func() int {
		a.Close()
		b.Close()
		return <-counts + <-counts
	}
}

// TestDevice is what a device must do, whatever file stands for it.
func TestDevice(t *testing.T) {
	needNamespaces(t)
	t.Run("veth", func(t *testing.T) { conform(t, Command{}) })
	t.Run("TAP", func(t *testing.T) {
		if unix.Access("/dev/net/tun", unix.R_OK|unix.W_OK) != nil {
			if os.Getenv("CI") != "" {
				t.Fatal("/dev/net/tun cannot be opened")
			}
			t.Skip("/dev/net/tun cannot be opened")
		}
		conform(t, Command{preferTAP: true})
	})
}

func conform(t *testing.T, c Command) {
	pair := func(t *testing.T, role string) (server *bufio.Reader, client Command, segments func() int) {
		t.Helper()
		there, here := layout("10.1.0.5/24", "fd00:1::5/64"), layout("10.1.0.4/24", "fd00:1::4/64")
		c.Layout = there
		ps, out := start(t, c, role)
		c.Layout = here
		// The client's namespace outlives its programs, which join it.
		pc, _ := start(t, c, "unused")
		segments = cross(t, device(t, ps, there), device(t, pc, here))
		if err := ps.Run(); err != nil {
			t.Fatal(err)
		}
		if got := line(t, out); got != "ready" {
			t.Fatal(got)
		}
		return out, Command{Join: pc.Namespace}, segments
	}
	for _, addr := range []string{"10.1.0.5:7000", "[fd00:1::5]:7000"} {
		t.Run("a stream arrives whole and in long segments/"+addr, func(t *testing.T) {
			out, client, segments := pair(t, "hash "+addr)
			run(t, client, "send "+addr)
			want := fmt.Sprintf("%d %x", len(testData()), sha256.Sum256(testData()))
			if got := line(t, out); got != want {
				t.Errorf("the other end has %s, want %s", got, want)
			}
			if segments() == 0 {
				t.Error("no segment came through uncut")
			}
		})
		t.Run("datagrams go there and back/"+addr, func(t *testing.T) {
			_, client, _ := pair(t, "echo "+addr)
			if got := run(t, client, "ask "+addr); got != "hello\n" {
				t.Errorf("got %q", got)
			}
		})
	}
	t.Run("a closed device ends its reader", func(t *testing.T) {
		c.Layout = layout("10.1.0.4/24")
		p, _ := start(t, c, "unused")
		d := device(t, p, c.Layout)
		done := make(chan error)
		go func() {
			_, err := d.Read(make([]engine.Frame, 1))
			for err == nil { // what the kernel itself says
				_, err = d.Read(make([]engine.Frame, 1))
			}
			done <- err
		}()
		d.Close()
		if err := <-done; !errors.Is(err, os.ErrClosed) {
			t.Error(err)
		}
		if err := d.Write([]engine.Frame{{Packet: make([]byte, 40)}}); !errors.Is(err, os.ErrClosed) {
			t.Errorf("writing to it: %v", err)
		}
	})
	t.Run("a device whose namespace is gone ends its reader", func(t *testing.T) {
		if c.preferTAP {
			t.Skip("a TAP's file keeps its interface")
		}
		c.Layout = layout("10.1.0.4/24")
		p, _ := start(t, c, "unused")
		d := device(t, p, c.Layout)
		p.Close()
		_, err := d.Read(make([]engine.Frame, 1))
		for err == nil {
			_, err = d.Read(make([]engine.Frame, 1))
		}
		if !errors.Is(err, os.ErrClosed) {
			t.Error(err)
		}
	})
}

func TestProcess(t *testing.T) {
	needNamespaces(t)
	t.Run("it sees the host's interface, name and files", func(t *testing.T) {
		l := layout("10.1.0.4/24", "fd00:1::4/64")
		l.Loopback = []netip.Addr{netip.MustParseAddr("203.0.113.7")}
		got := run(t, Command{Layout: l, Hostname: "web", Files: []File{
			{Path: "/etc/hosts", Content: "10.1.0.4 web\n"}, {Path: "/etc/no-such-file", Content: "x"}, {Path: "/etc/passwd", Content: "last line", Append: true},
		}}, "look /etc/hosts /etc/passwd")
		for _, want := range []string{
			"host web uid " + fmt.Sprint(os.Getuid()), "eth0 " + l.Interfaces[0].MAC.String() + " 1500 [10.1.0.4/24 fd00:1::4/64",
			"203.0.113.7/32", "/etc/hosts: 10.1.0.4 web\n", "root:", "\nlast line",
		} {
			if !strings.Contains(got, want) {
				t.Errorf("no %q in\n%s", want, got)
			}
		}
		if b, err := os.ReadFile("/etc/hosts"); err != nil || strings.Contains(string(b), "10.1.0.4 web") {
			t.Error("the system's own file has changed", err)
		}
	})
	t.Run("signals reach it and its exit code comes back", func(t *testing.T) {
		p, out := start(t, Command{Layout: layout("10.1.0.4/24")}, "signals")
		if err := p.Run(); err != nil {
			t.Fatal(err)
		}
		line(t, out)
		if err := p.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		if got := line(t, out); got != "terminated" {
			t.Error(got)
		}
		if code, err := p.Wait(); code != 7 || err != nil {
			t.Error(code, err)
		}
	})
	for _, tt := range []struct {
		name string
		args []string
		code int
	}{
		{"a command that is not there", []string{"no-such-command"}, ExitNotFound},
		{"a command that is no program", []string{"/etc/passwd"}, ExitNotExecutable},
		{"a command that a signal ends", []string{"sh", "-c", "kill -9 $$"}, ExitSignal + 9},
		{"a command that fails", []string{"sh", "-c", "exit 3"}, 3},
		{"orphans are nobody's to wait for", []string{"sh", "-c", "(sleep 1000 &); exit 0"}, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p, err := Start(Command{Args: tt.args, Layout: layout("10.1.0.4/24")})
			if err != nil {
				t.Fatal(err)
			}
			defer p.Close()
			if err := p.Run(); err != nil {
				t.Fatal(err)
			}
			if code, err := p.Wait(); code != tt.code || err != nil {
				t.Errorf("exit code %d, %v; want %d", code, err, tt.code)
			}
		})
	}
}
