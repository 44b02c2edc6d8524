package node

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"sort"
	"strconv"
	"strings"
	"time"
)

// A running network is controlled over HTTP on a Unix socket that only its user
// can open: one file a process, in a folder that only its user can enter.

// maxBody bounds what a control request may carry, in bytes.
const maxBody = 1 << 20

// maxSocketPath is the longest path of a Unix socket that every system takes
// (sun_path is 104 bytes on the BSDs and macOS, 108 on Linux).
const maxSocketPath = 103

// control is the server of a running network's socket.
type control struct {
	path     string
	listener net.Listener
	server   *http.Server
	done     chan struct{}
}

// controlMux is everything that a running network can be asked.
func (s *System) controlMux() *http.ServeMux {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/status", func(w http.ResponseWriter, _ *http.Request) { answer(w, s.Status()) })
	mux.HandleFunc("POST /v1/exec", s.exec)
	s.observing(mux)
	s.drilling(mux)
	s.serveServices(mux)
	mux.HandleFunc("POST /v1/dial", s.dial)
	mux.HandleFunc("GET /v1/host", s.at)
	mux.HandleFunc("GET /v1/wait", s.wait)
	return mux
}

// Status is a running network.
type Status struct {
	Network  string    `json:"network"`
	Path     string    `json:"path"` // of the declared network, absolute
	PID      int       `json:"pid"`
	Started  time.Time `json:"started"`
	Hosts    int       `json:"hosts"`
	Flows    int       `json:"flows"`
	Endpoint string    `json:"endpoint"` // of the embedded cloud
	Cloud    string    `json:"cloud"`    // the embedded cloud's folder, by which its clients find it
	// Groups are the network's SQL failover groups.
	Groups []FailoverGroup `json:"failoverGroups,omitempty"`
}

// Status returns what runs.
func (s *System) Status() Status {
	return Status{
		Network: s.Design.Network().Name, Path: s.path, PID: os.Getpid(), Started: s.started,
		Hosts: len(s.Net.Hosts()), Flows: s.Net.Stats().Flows, Endpoint: s.Cloud.Endpoint, Cloud: s.Cloud.dir, Groups: s.FailoverGroups(),
	}
}

// What a control socket is of: the beginning of its name.
const (
	ofNetwork = "network"
	ofGateway = "gateway"
)

// openControl lets other processes of the user control the system.
func (s *System) openControl() (err error) {
	s.control, err = openControl(s.running, ofNetwork, s.controlMux())
	return err
}

// openControl serves requests on a control socket until it is closed; streams
// end with the context.
func openControl(running context.Context, of string, mux *http.ServeMux) (*control, error) {
	dir, err := controlDir()
	if err != nil {
		return nil, err
	}
	// Several systems of one process, as in tests, differ by their number.
	var l net.Listener
	var path string
	for n := 0; ; n++ {
		path = filepath.Join(dir, fmt.Sprintf("%s-%d-%d.sock", of, os.Getpid(), n))
		if len(path) > maxSocketPath {
			return nil, fmt.Errorf("the control socket's path is longer than %d bytes: %s; set XDG_RUNTIME_DIR to a shorter folder", maxSocketPath, path)
		}
		if _, err := os.Lstat(path); err == nil {
			if c, err := net.Dial("unix", path); err == nil {
				c.Close()
				continue
			}
			_ = os.Remove(path) // left behind by a process that was killed
		}
		if l, err = net.Listen("unix", path); err != nil {
			return nil, fmt.Errorf("control socket: %w", err)
		}
		break
	}
	if err := os.Chmod(path, 0o600); err != nil {
		l.Close()
		return nil, fmt.Errorf("control socket: %w", err)
	}
	// Streams outlast any timeout; the socket is the user's own.
	c := &control{path: path, listener: l, done: make(chan struct{})}
	c.server = &http.Server{
		Handler:           http.MaxBytesHandler(mux, maxBody),
		ReadHeaderTimeout: 10 * time.Second,
		BaseContext:       func(net.Listener) context.Context { return running },
	}
	go func() {
		defer close(c.done)
		_ = c.server.Serve(l)
	}()
	return c, nil
}

// close ends the server and removes the socket. Streams end by the system's
// context.
func (c *control) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	err := c.server.Shutdown(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		err = c.server.Close()
	}
	<-c.done
	if rm := os.Remove(c.path); rm != nil && !errors.Is(rm, os.ErrNotExist) {
		err = errors.Join(err, rm)
	}
	return err
}

// controlDir returns the folder of the user's control sockets and makes it.
func controlDir() (string, error) {
	dir := os.Getenv("XDG_RUNTIME_DIR")
	if dir != "" {
		dir = filepath.Join(dir, "cerulean")
	} else {
		dir = filepath.Join(os.TempDir(), "cerulean-"+strconv.Itoa(os.Getuid()))
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("folder of control sockets: %w", err)
	}
	// In a folder that all share, somebody else may have been first.
	if err := private(dir); err != nil {
		return "", fmt.Errorf("folder of control sockets: %s %w; remove it, or set XDG_RUNTIME_DIR", dir, err)
	}
	sweep(dir)
	return dir, nil
}

// left is a name in the folder of control sockets, with the process it is of.
var left = regexp.MustCompile(`^[a-z]+-([0-9]+)-[0-9]+(\.sock)?$`)

// sweep removes what processes that were killed left behind.
func sweep(dir string) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return // whoever needs the folder says so
	}
	for _, e := range entries {
		m := left.FindStringSubmatch(e.Name())
		if m == nil {
			continue
		}
		if pid, err := strconv.Atoi(m[1]); err == nil && !alive(pid) {
			_ = os.RemoveAll(filepath.Join(dir, e.Name()))
		}
	}
}

// keysFolder makes a folder for the keys of a cloud that ends with its process.
func keysFolder() (string, error) {
	dir, err := controlDir()
	if err != nil {
		return "", err
	}
	for n := 0; ; n++ {
		path := filepath.Join(dir, fmt.Sprintf("cloud-%d-%d", os.Getpid(), n))
		err := os.Mkdir(path, 0o700)
		if errors.Is(err, fs.ErrExist) {
			continue
		}
		if err != nil {
			return "", fmt.Errorf("folder of the cloud's keys: %w", err)
		}
		return path, nil
	}
}

// answer writes a value as JSON.
func answer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = writeJSON(w, v) // a reader that went away is told nothing
}

// controlError is the body of a control request that failed.
type controlError struct {
	Error string `json:"error"`
}

// refuse answers a control request that failed.
func refuse(w http.ResponseWriter, status int, err error) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = writeJSON(w, controlError{err.Error()})
}

// Remote is a running network as another process sees it.
type Remote struct {
	Status
	socket string
	client *http.Client
}

// Running returns the user's running networks, the oldest first.
func Running(ctx context.Context) ([]*Remote, error) {
	sockets, err := controlSockets(ofNetwork)
	if err != nil {
		return nil, err
	}
	var out []*Remote
	for _, socket := range sockets {
		r := newRemote(socket)
		ask, cancel := context.WithTimeout(ctx, 5*time.Second)
		err := r.Get(ask, "/v1/status", &r.Status)
		cancel()
		if err != nil {
			r.Close()
			continue // it is going down, or was killed
		}
		out = append(out, r)
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Started.Before(out[j].Started) })
	return out, nil
}

// controlSockets returns the user's control sockets of a kind.
func controlSockets(of string) ([]string, error) {
	dir, err := controlDir()
	if err != nil {
		return nil, err
	}
	return filepath.Glob(filepath.Join(dir, of+"-*.sock"))
}

// Connect returns the running network of a name, or of a path of its
// declaration; of neither, the only one that runs.
func Connect(ctx context.Context, name string) (*Remote, error) {
	all, err := Running(ctx)
	if err != nil {
		return nil, err
	}
	var fit []*Remote
	abs, _ := filepath.Abs(name)
	for _, r := range all {
		if name == "" || strings.EqualFold(r.Network, name) || r.Path == abs {
			fit = append(fit, r)
			continue
		}
		r.Close()
	}
	switch {
	case len(fit) == 1:
		return fit[0], nil
	case len(fit) == 0 && name == "":
		return nil, fmt.Errorf("%w: start one with 'cerulean up PATH', or name a declared one with -n PATH", ErrNoNetwork)
	case len(fit) == 0:
		if len(all) == 0 {
			return nil, fmt.Errorf("%w of the name or path %s", ErrNoNetwork, name)
		}
		names := make([]string, len(all))
		for i, r := range all {
			names[i] = r.Network
		}
		return nil, fmt.Errorf("%w of the name or path %s; those that run: %s", ErrNoNetwork, name, strings.Join(names, ", "))
	}
	var which []string
	for _, r := range fit {
		which = append(which, fmt.Sprintf("%s (%s, process %d)", r.Network, r.Path, r.PID))
		r.Close()
	}
	return nil, fmt.Errorf("several networks run: %s; choose one with -n PATH", strings.Join(which, ", "))
}

// ErrNoNetwork means that no running network is the one that was asked for.
var ErrNoNetwork = errors.New("no network is running")

func newRemote(socket string) *Remote {
	return &Remote{socket: socket, client: &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", socket)
		},
	}}}
}

// Close ends the connections to the running network, not the network.
func (r *Remote) Close() { r.client.CloseIdleConnections() }

// Get asks for a JSON value.
func (r *Remote) Get(ctx context.Context, path string, out any) error {
	return r.exchange(ctx, http.MethodGet, path, nil, out)
}

// Post sends a JSON value and reads another; either may be nil.
func (r *Remote) Post(ctx context.Context, path string, in, out any) error {
	return r.exchange(ctx, http.MethodPost, path, in, out)
}

func (r *Remote) exchange(ctx context.Context, method, path string, in, out any) error {
	body, err := r.Stream(ctx, method, path, in)
	if err != nil {
		return err
	}
	defer body.Close()
	if out == nil {
		_, err = io.Copy(io.Discard, body)
		return err
	}
	return json.NewDecoder(body).Decode(out)
}

// Stream sends a request whose answer is read as it comes; close it after use.
func (r *Remote) Stream(ctx context.Context, method, path string, in any) (io.ReadCloser, error) {
	var send io.Reader
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return nil, err
		}
		send = strings.NewReader(string(b))
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://cerulean"+path, send)
	if err != nil {
		return nil, err
	}
	resp, err := r.client.Do(req)
	if err != nil {
		if cause := context.Cause(ctx); cause != nil {
			return nil, cause
		}
		return nil, fmt.Errorf("the running network does not answer: %w", err)
	}
	if resp.StatusCode/100 == 2 {
		return resp.Body, nil
	}
	defer resp.Body.Close()
	return nil, refusal(resp)
}

// refusal returns the error that an answer speaks of.
func refusal(resp *http.Response) error {
	var e controlError
	if json.NewDecoder(io.LimitReader(resp.Body, maxBody)).Decode(&e) != nil || e.Error == "" {
		e.Error = "the running network answers " + resp.Status
	}
	return &refusedError{resp.StatusCode, e.Error}
}

// refusedError is what the running network said instead of doing what it was
// asked, with the status of HTTP.
type refusedError struct {
	status int
	text   string
}

func (e *refusedError) Error() string { return e.text }

// Remote reaches the system as another process would; it must have been started
// with Control.
func (s *System) Remote() *Remote {
	r := newRemote(s.control.path)
	r.Status = s.Status()
	return r
}
