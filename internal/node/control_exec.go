package node

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/ceruleannet/cerulean/internal/datapath"
	"github.com/ceruleannet/cerulean/model"
)

// A program joins a running network over the control socket: the connection
// becomes one of messages with files.
//
//  1. The program's side says hello.
//  2. The network says what the host's machine is like, and hands over its
//     namespace if another program is there already.
//  3. The program's side makes the namespace, or joins it, and hands over the
//     files of the interfaces.
//  4. The network says that packets flow. From then on either side's end is the
//     other's sign.

// execProtocol is the name of that connection (RFC 9110 section 7.8).
const execProtocol = "cerulean-exec"

// execPatience is how long one side waits for the other's next step.
const execPatience = time.Minute

// hello asks for a machine.
type hello struct{ Host string }

// welcome is what the network says of it.
type welcome struct {
	World  world
	Joined bool // another program made it
	User   bool // the second file is a user namespace
}

// entry is what the program's side made.
type entry struct {
	User bool // the second file is a user namespace
	// Services are the host's declared services that keep running beside it.
	Alone bool
}

// verdict is the network's last word before packets flow.
type verdict struct{ Error string }

// exec handles a program that wants to join.
func (s *System) exec(w http.ResponseWriter, r *http.Request) {
	m, err := s.machine(r.URL.Query().Get("host"))
	if err != nil {
		refuse(w, http.StatusNotFound, err)
		return
	}
	end, err := s.begin()
	if err != nil {
		refuse(w, http.StatusServiceUnavailable, err)
		return
	}
	defer end()
	conn, early, err := upgrade(w, execProtocol)
	if err != nil {
		refuse(w, http.StatusBadRequest, err)
		return
	}
	defer conn.Close()
	unix, ok := conn.(*net.UnixConn)
	if !ok {
		return
	}
	stop := context.AfterFunc(s.running, func() { conn.Close() })
	defer stop()
	messages := datapath.NewMessages(unix, early)
	if err := m.welcome(messages, unix); err != nil {
		_ = messages.Send(verdict{Error: err.Error()})
		return
	}
	defer m.leave()
	if messages.Send(verdict{}) != nil {
		return
	}
	_, _ = messages.Receive(new(hello)) // nothing comes but the end
}

// welcome brings a program in.
func (m *machine) welcome(messages *datapath.Messages, conn net.Conn) error {
	if err := conn.SetDeadline(time.Now().Add(execPatience)); err != nil {
		return err
	}
	if _, err := messages.Receive(new(hello)); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	// A program that came before may have taken its time.
	if err := conn.SetDeadline(time.Now().Add(execPatience)); err != nil {
		return err
	}
	about, err := m.world()
	if err != nil {
		return err
	}
	say := welcome{World: *about, Joined: m.users > 0}
	var files []*os.File
	if say.Joined {
		files = append(files, m.space.Net)
		if m.space.User != nil {
			say.User = true
			files = append(files, m.space.User)
		}
	}
	if err := messages.Send(say, files...); err != nil {
		return err
	}
	var e entry
	files, err = messages.Receive(&e)
	if err != nil {
		return err
	}
	space, files, err := takeNamespace(files, e.User)
	if err != nil {
		return err
	}
	var keep []model.Service
	if !e.Alone {
		keep = m.host.Services()
	}
	if err := m.admit(about, space, files, keep); err != nil {
		return err
	}
	return conn.SetDeadline(time.Time{})
}

// takeNamespace returns the namespace among files, and the others.
func takeNamespace(files []*os.File, user bool) (*datapath.Namespace, []*os.File, error) {
	n := 1
	if user {
		n = 2
	}
	if len(files) < n {
		for _, f := range files {
			f.Close()
		}
		return nil, nil, fmt.Errorf("%d files where a namespace takes %d", len(files), n)
	}
	space := &datapath.Namespace{Net: files[0]}
	if user {
		space.User = files[1]
	}
	return space, files[n:], nil
}

// upgrade makes a request's connection one of another protocol, and returns what
// was read of it already.
func upgrade(w http.ResponseWriter, protocol string) (net.Conn, []byte, error) {
	h, ok := w.(http.Hijacker)
	if !ok {
		return nil, nil, errors.New("this connection cannot change its protocol")
	}
	conn, rw, err := h.Hijack()
	if err != nil {
		return nil, nil, err
	}
	early, _ := rw.Reader.Peek(rw.Reader.Buffered())
	_, err = fmt.Fprintf(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: %s\r\n\r\n", protocol)
	if err != nil {
		conn.Close()
		return nil, nil, err
	}
	return conn, slices.Clone(early), nil
}

// begunConn is a connection of which some was read already.
type begunConn struct {
	*net.UnixConn
	early *bufio.Reader
}

func (c *begunConn) Read(b []byte) (int, error) { return c.early.Read(b) }

// Upgrade asks for a path and returns the connection, which then speaks another
// protocol. It is a [net.UnixConn] if the other side waits for its first word.
func (r *Remote) Upgrade(ctx context.Context, path, protocol string) (net.Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "unix", r.socket)
	if err != nil {
		return nil, fmt.Errorf("the running network does not answer: %w", err)
	}
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	fail := func(err error) (net.Conn, error) {
		conn.Close()
		if cause := context.Cause(ctx); cause != nil {
			return nil, cause
		}
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://cerulean"+path, nil)
	if err != nil {
		return fail(err)
	}
	req.Header.Set("Connection", "Upgrade")
	req.Header.Set("Upgrade", protocol)
	if err := req.Write(conn); err != nil {
		return fail(err)
	}
	reader := bufio.NewReader(conn)
	resp, err := http.ReadResponse(reader, req)
	if err != nil {
		return fail(fmt.Errorf("the running network does not answer: %w", err))
	}
	if resp.StatusCode == http.StatusSwitchingProtocols {
		if u, ok := conn.(*net.UnixConn); ok && reader.Buffered() > 0 {
			return &begunConn{UnixConn: u, early: reader}, nil
		}
		return conn, nil
	}
	defer resp.Body.Close()
	return fail(refusal(resp))
}

// ExecOptions are a program to run on a host.
type ExecOptions struct {
	Host string
	Args []string
	// Env is the program's environment; variables that tell it of the network are
	// added.
	Env                   []string
	Stdin, Stdout, Stderr *os.File
	// Alone stops the host's declared services while the program runs.
	Alone bool
	// Terminal means that the keys of a terminal reach the program by themselves.
	Terminal bool
	// Note hears what the user should know.
	Note func(string)
}

// ErrNetworkEnded means that the running network is no more.
var ErrNetworkEnded = errors.New("the network has ended")

// grace is how long a program may take to end when it is asked to.
const grace = 5 * time.Second

// Exec runs a program of this system on a host of the running network and returns
// its exit code. Signals that this process gets reach the program.
func (r *Remote) Exec(ctx context.Context, o ExecOptions) (code int, err error) {
	conn, err := r.Upgrade(ctx, "/v1/exec?host="+url.QueryEscape(o.Host), execProtocol)
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	unix, ok := conn.(*net.UnixConn)
	if !ok {
		return 0, datapath.ErrUnsupported
	}
	messages := datapath.NewMessages(unix, nil)
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	p, err := enter(messages, o)
	if cause := context.Cause(ctx); err != nil && cause != nil {
		return 0, cause
	}
	if err != nil {
		return 0, err
	}
	defer p.Close()
	// Whatever comes from here on is the program's; what came before is not lost.
	signals := make(chan os.Signal, 16)
	signal.Notify(signals, forwarded...)
	defer signal.Stop(signals)
	if !stop() {
		p.Close()
		_, _ = p.Wait()
		return 0, context.Cause(ctx)
	}
	if err := p.Run(); err != nil {
		return 0, err
	}
	ended, exited := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		_, _ = messages.Receive(new(verdict)) // nothing comes but the end
	}()
	go func() {
		defer close(exited)
		code, err = p.Wait()
	}()
	for {
		select {
		case s := <-signals:
			if o.Terminal && slices.Contains(keys, s) {
				continue // the terminal has told the program
			}
			_ = p.Signal(s)
		case <-exited:
			conn.Close()
			<-ended
			return code, err
		case <-ended:
			_ = p.Signal(syscall.SIGTERM)
			select {
			case <-exited:
			case <-time.After(grace):
			}
			p.Close()
			<-exited
			return code, ErrNetworkEnded
		}
	}
}

// enter makes or joins the host's machine; the program waits.
func enter(messages *datapath.Messages, o ExecOptions) (_ *datapath.Process, err error) {
	if err := messages.Send(hello{Host: o.Host}); err != nil {
		return nil, err
	}
	var in struct {
		welcome
		verdict
	}
	files, err := messages.Receive(&in)
	if err != nil {
		return nil, fmt.Errorf("joining the network: %w", err)
	}
	if in.Error != "" {
		return nil, errors.New(in.Error)
	}
	c := datapath.Command{
		Args: o.Args, Env: in.World.environment(o.Env), Hostname: hostname(in.World.Host), Files: in.World.Files,
		Stdin: o.Stdin, Stdout: o.Stdout, Stderr: o.Stderr, Layout: &in.World.Layout,
	}
	if in.Joined {
		if c.Join, _, err = takeNamespace(files, in.User); err != nil {
			return nil, err
		}
		defer c.Join.Close()
	}
	p, err := datapath.Start(c)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			p.Close()
			_, _ = p.Wait()
		}
	}()
	if p.Note != "" && o.Note != nil {
		o.Note(p.Note)
	}
	made := []*os.File{p.Namespace.Net}
	if p.Namespace.User != nil {
		made = append(made, p.Namespace.User)
	}
	// What keeps the interfaces and the namespace is the network's from here on.
	err = messages.Send(entry{User: p.Namespace.User != nil, Alone: o.Alone}, append(made, p.Devices...)...)
	err = errors.Join(err, p.Forget())
	if err != nil {
		return nil, fmt.Errorf("joining the network: %w", err)
	}
	var v verdict
	if _, err := messages.Receive(&v); err != nil {
		if errors.Is(err, io.EOF) {
			err = ErrNetworkEnded
		}
		return nil, fmt.Errorf("joining the network: %w", err)
	}
	if v.Error != "" {
		return nil, errors.New(v.Error)
	}
	return p, nil
}

// environment tells a program of the network.
func (w *world) environment(env []string) []string {
	own := append([]string{"CERULEAN_HOST=" + w.Host, "CERULEAN_NETWORK=" + w.Network}, w.Registry...)
	for _, path := range bundles {
		if _, err := os.Stat(path); err == nil {
			// OpenSSL and Go; Python's requests; Node.js.
			own = append(own, "SSL_CERT_FILE="+path, "REQUESTS_CA_BUNDLE="+path, "NODE_EXTRA_CA_CERTS="+path)
			break
		}
	}
	out := slices.Clone(env)
	for _, e := range own {
		name, _, _ := strings.Cut(e, "=")
		out = slices.DeleteFunc(out, func(old string) bool { return strings.HasPrefix(old, name+"=") })
		out = append(out, e)
	}
	return out
}

// hostname cuts a host's name to what systems take (HOST_NAME_MAX).
func hostname(name string) string { return name[:min(len(name), 64)] }
