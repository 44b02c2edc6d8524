package node

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/ceruleannet/cerulean/internal/datapath"
	"github.com/ceruleannet/cerulean/model"
)

// A program that ends at once again and again starts after firstPause, twice as
// much and so on up to lastPause; one that ran for steady starts over.
const (
	firstPause = time.Second
	lastPause  = 30 * time.Second
	steady     = 10 * time.Second
)

// startPrograms runs the declared programs of hosts until the system closes. What
// they say goes to out, a line at a time, with the host's name before it.
func (s *System) startPrograms(out io.Writer) {
	width := 0
	hosts := s.Design.Network().Hosts
	for i := range hosts {
		if hosts[i].Run != nil {
			width = max(width, len(hosts[i].Name))
		}
	}
	shared := &sync.Mutex{}
	for i := range hosts {
		if hosts[i].Run == nil {
			continue
		}
		end, err := s.begin()
		if err != nil {
			return
		}
		p := &program{host: hosts[i], out: &prefixed{mu: shared, w: out, prefix: fmt.Sprintf("%-*s | ", width, hosts[i].Name)}}
		started := make(chan struct{})
		go func() {
			defer end()
			p.supervise(s, started)
		}()
		<-started // one after the other: a network comes up in the same order each time
	}
}

// program is a declared program of a host.
type program struct {
	host model.Host
	out  *prefixed
}

// supervise runs the program again and again as its restart policy says; it closes
// started when the first run has begun, or cannot.
func (p *program) supervise(s *System, started chan struct{}) {
	first := sync.OnceFunc(func() { close(started) })
	defer first()
	m, err := s.machine(p.host.Name)
	if err != nil {
		p.say("%v", err)
		return
	}
	pause := firstPause
	for {
		begin := time.Now()
		code, err := p.once(s.running, m, first)
		switch {
		case s.running.Err() != nil:
			return
		case err != nil:
			hint := ""
			if len(p.host.Services) > 0 {
				hint = "; its declared services answer instead"
			}
			p.say("%s: the program does not run: %v%s", p.host.Run.Pos, err, hint)
			return
		case p.host.Run.Restart == model.RestartNever, code == 0 && p.host.Run.Restart != model.RestartAlways:
			p.say("the program has ended with exit code %d", code)
			return
		}
		if time.Since(begin) >= steady {
			pause = firstPause
		}
		p.say("the program has ended with exit code %d and starts again in %s", code, pause)
		select {
		case <-s.running.Done():
			return
		case <-time.After(pause):
		}
		pause = min(2*pause, lastPause)
	}
}

func (p *program) say(format string, args ...any) {
	fmt.Fprintf(p.out, "cerulean: "+format+"\n", args...)
}

// once runs the program to its end, or to ctx's: then it is asked to end, and
// killed if it takes too long.
func (p *program) once(ctx context.Context, m *machine, begun func()) (int, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return 0, err
	}
	args := p.host.Run.Args
	if len(args) == 1 {
		args = []string{"/bin/sh", "-c", args[0]}
	}
	process, err := m.start(datapath.Command{
		Dir: m.system.folder(), Args: args, Env: append(os.Environ(), p.host.Run.Env...), Stdout: w, Stderr: w,
	}, nil)
	w.Close()
	if err != nil {
		r.Close()
		return 0, err
	}
	defer m.leave()
	defer process.Close()
	said := make(chan struct{})
	go func() {
		defer close(said)
		_, _ = io.Copy(p.out, r)
		r.Close()
	}()
	var code int
	exited := make(chan struct{})
	go func() {
		defer close(exited)
		code, err = process.Wait()
	}()
	if process.Note != "" {
		p.say("%s", process.Note)
	}
	if e := process.Run(); e != nil {
		process.Close()
		<-exited
		<-said
		return 0, e
	}
	begun()
	m.system.discovery.program(p.host.Name, true)
	defer m.system.discovery.program(p.host.Name, false)
	select {
	case <-exited:
	case <-ctx.Done():
		_ = process.Terminate()
		select {
		case <-exited:
		case <-time.After(grace):
			process.Close()
			<-exited
		}
	}
	<-said
	p.out.flush()
	return code, err
}

// folder is where the network is declared: programs begin there.
func (s *System) folder() string {
	if info, err := os.Stat(s.path); err == nil && info.IsDir() {
		return s.path
	}
	return filepath.Dir(s.path)
}

// start makes the machine, or joins the one that is there, for a program that
// then waits for [datapath.Process.Run]. The caller leaves the machine when the
// program has ended.
func (m *machine) start(c datapath.Command, keep []model.Service) (*datapath.Process, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	w, err := m.world()
	if err != nil {
		return nil, err
	}
	c.Layout, c.Join, c.Files, c.Hostname, c.Env = &w.Layout, nil, w.Files, hostname(w.Host), w.environment(c.Env)
	if m.users > 0 {
		c.Join = m.space
	}
	p, err := datapath.Start(c)
	if err != nil {
		return nil, err
	}
	space, devices := p.Take()
	if err := m.admit(w, space, devices, keep); err != nil {
		p.Close()
		_, _ = p.Wait()
		return nil, err
	}
	return p, nil
}

// maxLine is the longest line of a program that is written in one piece.
const maxLine = 64 << 10

// prefixed writes whole lines, each with a prefix, to what others write to, too.
type prefixed struct {
	mu     *sync.Mutex
	w      io.Writer
	prefix string
	rest   []byte
}

func (p *prefixed) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.rest = append(p.rest, b...)
	for {
		i := bytes.IndexByte(p.rest, '\n')
		if i < 0 && len(p.rest) < maxLine {
			return len(b), nil
		}
		if i < 0 {
			i = maxLine - 1
		}
		if err := p.line(p.rest[:i+1]); err != nil {
			return 0, err
		}
		p.rest = p.rest[i+1:]
	}
}

func (p *prefixed) line(b []byte) error {
	b = append([]byte(p.prefix), bytes.TrimRight(b, "\r\n")...)
	_, err := p.w.Write(append(b, '\n'))
	return err
}

// flush writes what is left of a last line.
func (p *prefixed) flush() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.rest) > 0 {
		_ = p.line(p.rest)
		p.rest = nil
	}
}
