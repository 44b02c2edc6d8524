package discovery

import (
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"time"
)

// Limits of the HTTP interface.
const (
	maxBody     = 64 << 10
	maxWatchers = 1024
	heartbeat   = 10 * time.Second // a watch sends an empty change this often
)

// Options configure the HTTP interface of a registry. The zero value lets
// everybody do everything.
type Options struct {
	// Authorize says why a request is not allowed, nil if it is; write means that
	// it changes something. It is called by several goroutines.
	Authorize func(r *http.Request, write bool) error
	// Admit says why a request may not register an instance, nil if it may.
	Admit func(r *http.Request, i *Instance) error
}

// registration is the body of a registration.
type registration struct {
	Instance
	TTL   float64 `json:"ttlSeconds"`
	Lease string  `json:"lease,omitempty"`
}

// registered is its answer, and the body of a renewal.
type registered struct {
	Lease   string `json:"lease"`
	Version uint64 `json:"version,omitempty"`
	Health  Health `json:"health,omitempty"`
}

// refusal is the body of every error.
type refusal struct {
	Error string `json:"error"`
	*CompactedError
}

type handler struct {
	r        *Registry
	o        Options
	watchers chan struct{}
}

// Handler returns the HTTP interface of a registry:
//
//	PUT    /v1/services/SERVICE/instances/ID   register, or change with the lease
//	POST   /v1/services/SERVICE/instances/ID   renew the lease
//	DELETE /v1/services/SERVICE/instances/ID?lease=LEASE
//	GET    /v1/services[/SERVICE]              list
//	GET    /v1/watch?service=&epoch=&after=    changes, a line each
//
// Leases end when they are over for whoever asks or watches; nobody has to call
// [Registry.Expire].
func Handler(r *Registry, o Options) http.Handler {
	h := &handler{r: r, o: o, watchers: make(chan struct{}, maxWatchers)}
	mux := http.NewServeMux()
	mux.HandleFunc("PUT /v1/services/{service}/instances/{id}", h.allowed(true, h.register))
	mux.HandleFunc("POST /v1/services/{service}/instances/{id}", h.allowed(true, h.renew))
	mux.HandleFunc("DELETE /v1/services/{service}/instances/{id}", h.allowed(true, h.deregister))
	mux.HandleFunc("GET /v1/services", h.allowed(false, h.list))
	mux.HandleFunc("GET /v1/services/{service}", h.allowed(false, h.list))
	mux.HandleFunc("GET /v1/watch", h.allowed(false, h.watch))
	return mux
}

func (h *handler) allowed(write bool, f http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if h.o.Authorize != nil {
			if err := h.o.Authorize(r, write); err != nil {
				w.Header().Set("WWW-Authenticate", "Bearer")
				reply(w, http.StatusUnauthorized, refusal{Error: err.Error()})
				return
			}
		}
		f(w, r)
	}
}

func reply(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}

func fail(w http.ResponseWriter, err error) {
	status := http.StatusBadRequest
	out := refusal{Error: err.Error()}
	switch {
	case errors.As(err, &out.CompactedError):
		status = http.StatusGone
	case errors.Is(err, ErrNoLease):
		status = http.StatusNotFound
	case errors.Is(err, ErrTaken):
		status = http.StatusConflict
	case errors.Is(err, ErrFull):
		status = http.StatusInsufficientStorage
	}
	reply(w, status, out)
}

func body(w http.ResponseWriter, r *http.Request, into any) error {
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody))
	d.DisallowUnknownFields()
	return d.Decode(into)
}

func (h *handler) register(w http.ResponseWriter, r *http.Request) {
	var in registration
	if err := body(w, r, &in); err != nil {
		fail(w, err)
		return
	}
	in.Service, in.ID = r.PathValue("service"), r.PathValue("id")
	if h.o.Admit != nil {
		if err := h.o.Admit(r, &in.Instance); err != nil {
			reply(w, http.StatusForbidden, refusal{Error: err.Error()})
			return
		}
	}
	lease, version, err := h.r.Register(time.Now(), in.Instance, time.Duration(in.TTL*float64(time.Second)), in.Lease)
	if err != nil {
		fail(w, err)
		return
	}
	reply(w, http.StatusOK, registered{Lease: lease, Version: version})
}

func (h *handler) renew(w http.ResponseWriter, r *http.Request) {
	var in registered
	if err := body(w, r, &in); err != nil {
		fail(w, err)
		return
	}
	if err := h.r.Renew(time.Now(), r.PathValue("service"), r.PathValue("id"), in.Lease, in.Health); err != nil {
		fail(w, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func (h *handler) deregister(w http.ResponseWriter, r *http.Request) {
	if err := h.r.Deregister(time.Now(), r.PathValue("service"), r.PathValue("id"), r.URL.Query().Get("lease")); err != nil {
		fail(w, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func (h *handler) list(w http.ResponseWriter, r *http.Request) {
	reply(w, http.StatusOK, h.r.List(time.Now(), r.PathValue("service")))
}

// watch streams changes until the client goes away. Each line is a [Change]; one
// without an instance says only that the watch has come as far as its version.
func (h *handler) watch(w http.ResponseWriter, r *http.Request) {
	select {
	case h.watchers <- struct{}{}:
		defer func() { <-h.watchers }()
	default:
		reply(w, http.StatusTooManyRequests, refusal{Error: "too many watch at once"})
		return
	}
	q := r.URL.Query()
	after, err := strconv.ParseUint(q.Get("after"), 10, 64)
	if err != nil {
		reply(w, http.StatusBadRequest, refusal{Error: "after is no version: " + err.Error()})
		return
	}
	out, flush := json.NewEncoder(w), http.NewResponseController(w)
	begun := false
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	ends := time.NewTimer(heartbeat)
	defer ends.Stop()
	for {
		list, version, more, err := h.r.Changes(time.Now(), q.Get("service"), q.Get("epoch"), after)
		if err != nil {
			if !begun {
				fail(w, err)
			}
			return // a slow reader: it asks again, and is told
		}
		if !begun {
			begun = true
			w.Header().Set("Content-Type", "application/x-ndjson")
		}
		if len(list) == 0 || list[len(list)-1].Version < version {
			list = append(list, Change{Version: version})
		}
		for i := range list {
			if out.Encode(&list[i]) != nil {
				return
			}
		}
		if flush.Flush() != nil {
			return
		}
		after = version
		var over <-chan time.Time // the next lease may be
		if next := h.r.Expire(time.Now()); !next.IsZero() {
			ends.Reset(time.Until(next))
			over = ends.C
		}
		select {
		case <-more:
		case <-over:
		case <-beat.C:
		case <-r.Context().Done():
			return
		}
	}
}
