package arm

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ceruleannet/cerulean/internal/state"
	"github.com/ceruleannet/cerulean/model"
	"github.com/google/uuid"
)

// Config says what a server serves.
type Config struct {
	// Store holds the cloud. It must have been opened with [OpenStore] or with
	// [Index] as its index.
	Store    state.Store
	Identity *Identity
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// BaseURL starts the absolute URLs the server answers with, for example
	// "https://cloud.example:8443"; empty means the host each request was sent
	// to.
	BaseURL string
	// Subscriptions are those that exist. Empty means every subscription does,
	// and listings show the identity's own and those that hold something.
	Subscriptions []string
	// OperationTime is how long an asynchronous operation shows InProgress. Zero
	// means it has succeeded when it is first polled.
	OperationTime time.Duration
	// TimingScale makes each operation take as long as on Azure, typically, times
	// this; 0 means OperationTime for all. It is at most 10.
	TimingScale float64
	// PageSize is the largest page of a listing; 0 means 1,000.
	PageSize int
	// DataPlanes says that the data planes of vaults and accounts are served by
	// the names that Azure gives them; the metadata names the domains then.
	DataPlanes bool
}

const maxTimingScale = 10

// defaultPageSize is the page size of Resource Manager's own listings.
const defaultPageSize = 1000

// Server is the embedded cloud.
type Server struct {
	store         state.Store
	identity      *Identity
	now           func() time.Time
	base          string
	subscriptions map[string]string // by lower case; nil means any
	operationTime time.Duration
	timings       timings
	timingScale   float64
	pageSize      int
	dataPlanes    bool
	kinds         kindSet
	tokens        tokenCache
	operations    operations
	pending       pending
	compiled      compiled
	answers       answers
	rollouts      rollouts
	running       atomic.Pointer[Running]
	edges         atomic.Pointer[RunningEdges]
	databases     atomic.Pointer[Databases]
	index         func(*model.Resource) []string
}

var _ http.Handler = (*Server)(nil)

// New makes a server. It fails if the configuration is incomplete or the store
// lacks the server's index.
func New(c Config) (*Server, error) {
	if c.Store == nil || c.Identity == nil {
		return nil, errors.New("arm: a server needs a store and an identity")
	}
	if err := checkIndexed(c.Store); err != nil {
		return nil, err
	}
	s := &Server{
		store: c.Store, identity: c.Identity, now: c.Now, base: strings.TrimRight(c.BaseURL, "/"),
		operationTime: c.OperationTime, pageSize: c.PageSize, dataPlanes: c.DataPlanes, kinds: newKindSet(), index: Index,
		operations: operations{key: c.Identity.hostKey},
	}
	if c.TimingScale < 0 || c.TimingScale > maxTimingScale || c.TimingScale != c.TimingScale {
		return nil, fmt.Errorf("arm: a timing scale of %v is not between 0 and %d", c.TimingScale, maxTimingScale)
	}
	var err error
	if s.timings, err = readTimings(timingTable); err != nil {
		return nil, err
	}
	s.timingScale = c.TimingScale
	if s.now == nil {
		s.now = time.Now
	}
	if s.pageSize <= 0 {
		s.pageSize = defaultPageSize
	}
	if len(c.Subscriptions) > 0 {
		s.subscriptions = make(map[string]string, len(c.Subscriptions))
		for _, name := range c.Subscriptions {
			s.subscriptions[strings.ToLower(name)] = name
		}
	}
	if err := s.resumeDeployments(); err != nil {
		return nil, err
	}
	return s, nil
}

// Listen opens a TCP listener for [Server.Serve]. An empty address, or one
// without a host such as ":8443", listens on 127.0.0.1 only; other interfaces
// must be named.
func Listen(address string) (net.Listener, error) {
	if address == "" {
		address = ":0"
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("listening: %w", err)
	}
	if host == "" {
		host = "127.0.0.1"
	}
	return net.Listen("tcp", net.JoinHostPort(host, port))
}

// Limits of connections. A request must arrive and its answer be read within
// these times, so that a slow peer cannot hold a connection forever.
const (
	readTime      = 30 * time.Second
	writeTime     = time.Minute
	idleTime      = 2 * time.Minute
	maxHeader     = 64 << 10
	shutdownGrace = 5 * time.Second
)

// Serve answers TLS connections of a listener, HTTP/2 and HTTP/1.1, until ctx
// ends. It then stops listening, lets requests under way finish for a few
// seconds, and returns nil once no connection and no goroutine of its own is
// left. It closes the listener.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	var open sync.WaitGroup // connections
	server := &http.Server{
		Handler:           s,
		TLSConfig:         s.identity.TLS(),
		ReadHeaderTimeout: readTime,
		ReadTimeout:       readTime,
		WriteTimeout:      writeTime,
		IdleTimeout:       idleTime,
		MaxHeaderBytes:    maxHeader,
		// Handshakes that fail are the client's affair.
		ErrorLog: log.New(io.Discard, "", 0),
		ConnState: func(_ net.Conn, st http.ConnState) {
			switch st {
			case http.StateNew:
				open.Add(1)
			case http.StateClosed, http.StateHijacked:
				open.Done()
			}
		},
	}
	stopped := make(chan struct{})
	ended := make(chan struct{})
	go func() {
		defer close(stopped)
		select {
		case <-ctx.Done():
		case <-ended:
		}
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownGrace)
		defer cancel()
		if server.Shutdown(grace) != nil {
			_ = server.Close()
		}
	}()
	err := server.ServeTLS(l, "", "")
	close(ended)
	<-stopped
	open.Wait()
	s.Close()
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// Snapshot returns what the cloud holds, for compiling: sorted by ID, subnets,
// security rules and routes inline in their parents, every other child a
// resource of its own.
func (s *Server) Snapshot() []*model.Resource { return s.kinds.normalForm(s.store.View()) }

// ServeHTTP implements http.Handler. It trusts nothing about the connection, so
// it can be mounted behind another server.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	request := uuid.NewString()
	h.Set("X-Ms-Request-Id", request)
	correlation := request
	if c := r.Header.Get("X-Ms-Correlation-Request-Id"); uuid.Validate(c) == nil {
		correlation = c
	}
	h.Set("X-Ms-Correlation-Request-Id", correlation)
	if c := r.Header.Get("X-Ms-Client-Request-Id"); uuid.Validate(c) == nil {
		h.Set("X-Ms-Client-Request-Id", c)
	}
	h.Set("Cache-Control", "no-cache")
	h.Set("X-Content-Type-Options", "nosniff")
	if f := checkOnce(r); f != nil {
		writeFault(w, f)
		return
	}
	base, f := s.baseOf(r)
	if f != nil {
		writeFault(w, f)
		return
	}
	path, f := splitPath(r.URL)
	if f != nil {
		writeFault(w, f)
		return
	}
	if len(path) == 2 && strings.EqualFold(path[0], "metadata") && strings.EqualFold(path[1], "endpoints") {
		s.metadata(w, r, base)
		return
	}
	if s.login(w, r, base, path) {
		return
	}
	who, err := s.tokens.check(s.identity, r.Header.Get("Authorization"), s.now(), base)
	if err != nil {
		writeUnauthorized(w, base, s.identity.TenantID, err)
		return
	}
	if len(path) == 2 && strings.EqualFold(path[0], "cerulean") && strings.EqualFold(path[1], "export") {
		s.export(w, r, who)
		return
	}
	c := &call{s: s, w: w, r: r, base: base, who: who, request: correlation}
	if c.version, f = apiVersion(r.URL.Query(), s.now()); f == nil {
		f = c.route(path)
	}
	if f != nil {
		writeFault(w, f)
	}
}

// onceHeaders are those whose second value could be meant as well as the first.
var onceHeaders = []string{"Authorization", "Content-Type", "If-Match", "If-None-Match"}

// checkOnce refuses requests that say one thing twice: what is checked must be
// what was meant.
func checkOnce(r *http.Request) *Fault {
	for _, name := range onceHeaders {
		if n := len(r.Header.Values(name)); n > 1 {
			return badRequest("InvalidHeader", "The request has the header '%s' %d times; send it once.", name, n) // code unconfirmed
		}
	}
	var version []string
	for name, values := range r.URL.Query() {
		if strings.EqualFold(name, "api-version") {
			version = append(version, values...)
		}
	}
	if slices.Sort(version); len(slices.Compact(version)) > 1 {
		return badRequest("InvalidApiVersionParameter", "The request has more than one api-version: '%.100s'.", strings.Join(version, "', '"))
	}
	return nil
}

// baseOf returns the start of absolute URLs. A request must be addressed to one
// of the names in the server's certificate: otherwise a page in a browser could
// reach a server on loopback under a name of its own (DNS rebinding).
func (s *Server) baseOf(r *http.Request) (string, *Fault) {
	host := r.Host
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.Trim(host, "[]")
	for _, known := range s.identity.hosts {
		if strings.EqualFold(host, known) {
			if s.base != "" {
				return s.base, nil
			}
			return "https://" + r.Host, nil
		}
	}
	return "", fault(http.StatusMisdirectedRequest, "MisdirectedRequest", "This server does not answer for the host '%s'.", host)
}

// allow refuses other methods.
func (s *Server) allow(w http.ResponseWriter, r *http.Request, method string) bool {
	if r.Method == method {
		return true
	}
	writeFault(w, methodNotAllowed(r.Method, method))
	return false
}
