package node

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// BenchDatapath measures real programs behind virtual interfaces against what
// else could join two namespaces, one interleaved round after the other; then a
// thousand hosts in one process; then the engine. each hears of every section as
// it is measured. It needs Linux, root and iperf3; peers that are not installed
// are left out and named.
func BenchDatapath(ctx context.Context, rounds int, each func(*Bench) error) error {
	if err := benchNamespaces(ctx, rounds, each); err != nil {
		return err
	}
	b, err := benchHosts(ctx, 1000, rounds)
	if err == nil {
		err = each(b)
	}
	if err != nil {
		return err
	}
	if b, err = BenchEngine(ctx, rounds); err != nil {
		return err
	}
	return each(b)
}

// manyHosts is a network of n hosts that each answer at port 7.
func manyHosts(n int) string {
	var b strings.Builder
	b.WriteString("network: many\nregions: [northeurope]\nnetworks:\n  - name: many\n    address: 10.0.0.0/8\n    subnets:\n      all:\n        length: 16\n        hosts:\n")
	for i := range n {
		fmt.Fprintf(&b, "          h%d: {serves: tcp/7}\n", i)
	}
	return b.String()
}

// benchHosts measures how soon many hosts answer, and what they take.
func benchHosts(ctx context.Context, n, rounds int) (*Bench, error) {
	dir, err := os.MkdirTemp("", "cerulean-bench-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	if err := os.WriteFile(filepath.Join(dir, "network.yaml"), []byte(manyHosts(n)), 0o600); err != nil {
		return nil, err
	}
	var s series
	for range rounds {
		if err := benchHostsOnce(ctx, dir, n, &s); err != nil {
			return nil, err
		}
	}
	return s.bench("hosts", fmt.Sprintf("%d hosts in one process, declared, proved, applied, run; a TCP connection to each", n), rounds), nil
}

func benchHostsOnce(ctx context.Context, dir string, n int, s *series) error {
	heap := func() float64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return float64(m.HeapAlloc + m.StackInuse)
	}
	begin := time.Now()
	system, err := Up(ctx, dir, UpOptions{Listen: "127.0.0.1:0", NoProbe: true}, func(Event) {})
	if err != nil {
		return err
	}
	up := time.Since(begin)
	idle := heap()
	begin = time.Now()
	from, err := system.Net.Host("h0")
	if err == nil {
		err = greetAll(ctx, system, from.Name, n)
	}
	answered := time.Since(begin)
	if err == nil {
		s.addTime("up", up)
		s.addTime("all answered, after that", answered)
		s.addTime("up and answering", up+answered)
		s.add("memory per running idle host", "KiB", (heap()-idle)/float64(n)/1024)
	}
	return errors.Join(err, system.Close())
}

// greetAll hears the greeting of every host.
func greetAll(ctx context.Context, s *System, from string, n int) error {
	source, err := s.Net.Host(from)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	work, failed := make(chan int), make(chan error, n)
	var workers sync.WaitGroup
	for range 32 {
		workers.Go(func() {
			for i := range work {
				failed <- func() error {
					h, err := s.Net.Host("h" + strconv.Itoa(i))
					if err != nil {
						return err
					}
					c, err := source.DialContext(ctx, "tcp", net.JoinHostPort(h.Addrs()[0].String(), "7"))
					if err != nil {
						return err
					}
					defer c.Close()
					_, err = bufio.NewReader(c).ReadString('\n')
					return err
				}()
			}
		})
	}
	for i := range n {
		work <- i
	}
	close(work)
	workers.Wait()
	close(failed)
	for e := range failed {
		err = errors.Join(err, e)
	}
	return err
}

// The programs that the benchmark runs in namespaces: this one, with these first
// arguments.
const (
	benchEcho    = "cerulean-bench-echo"    // ADDRESS: answers each byte
	benchAsk     = "cerulean-bench-ask"     // ADDRESS: round trips on one connection
	benchConnect = "cerulean-bench-connect" // ADDRESS: connections, one byte each
)

// benchTime is how long each of these measures.
const benchTime = time.Second

// benchChild runs this process's part in a benchmark.
func benchChild(args []string) (code int, is bool) {
	if len(args) != 3 {
		return 0, false
	}
	var err error
	switch args[1] {
	case benchEcho:
		err = echoBytes(args[2])
	case benchAsk:
		var p50 time.Duration
		if p50, err = roundTrips(args[2]); err == nil {
			fmt.Println(float64(p50) / float64(time.Microsecond))
		}
	case benchConnect:
		var rate float64
		if rate, err = connections(args[2]); err == nil {
			fmt.Println(rate)
		}
	default:
		return 0, false
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1, true
	}
	return 0, true
}

func echoBytes(address string) error {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	for {
		c, err := l.Accept()
		if err != nil {
			return err
		}
		go func() {
			defer c.Close()
			var b [1]byte
			for {
				if _, err := io.ReadFull(c, b[:]); err != nil {
					return
				}
				if _, err := c.Write(b[:]); err != nil {
					return
				}
			}
		}()
	}
}

// roundTrips returns the median time of a byte there and back.
func roundTrips(address string) (time.Duration, error) {
	c, err := net.DialTimeout("tcp", address, 5*time.Second)
	if err != nil {
		return 0, err
	}
	defer c.Close()
	var b [1]byte
	var times []time.Duration
	for begin := time.Now(); time.Since(begin) < benchTime; {
		t := time.Now()
		if _, err := c.Write(b[:]); err != nil {
			return 0, err
		}
		if _, err := io.ReadFull(c, b[:]); err != nil {
			return 0, err
		}
		times = append(times, time.Since(t))
	}
	slices.Sort(times)
	return times[len(times)/2], nil
}

// connections returns how many connections a second are made, used for one byte
// there and back, and closed; by eight clients at a time.
func connections(address string) (float64, error) {
	const clients = 8
	var sum int
	var mu sync.Mutex
	var all sync.WaitGroup
	failed := make(chan error, clients)
	begin := time.Now()
	for range clients {
		all.Go(func() {
			n := 0
			for time.Since(begin) < benchTime {
				if err := connectOnce(address); err != nil {
					failed <- err
					return
				}
				n++
			}
			mu.Lock()
			sum += n
			mu.Unlock()
		})
	}
	all.Wait()
	close(failed)
	return float64(sum) / time.Since(begin).Seconds(), <-failed
}

func connectOnce(address string) error {
	c, err := net.DialTimeout("tcp", address, 5*time.Second)
	if err != nil {
		return err
	}
	defer c.Close()
	if t, ok := c.(*net.TCPConn); ok {
		_ = t.SetLinger(0) // or the client runs out of ports
	}
	var b [1]byte
	if _, err := c.Write(b[:]); err != nil {
		return err
	}
	_, err = io.ReadFull(c, b[:])
	return err
}
