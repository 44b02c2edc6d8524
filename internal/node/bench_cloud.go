package node

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// CloudSizes say how large a cloud a benchmark measures.
type CloudSizes struct {
	Resources int // that are there while requests are measured; at least 100
	Writers   int // clients at work at once; at least 1
	Requests  int // of each kind and round; at least 1
}

// BenchCloud measures the embedded cloud as its clients see it: over TLS, with
// tokens, on a store in a file, every write durable before it is answered. It
// fills a cloud in a temporary folder, then measures changes, creations and
// reads with that many resources there, and how long a cloud of that size takes
// to start. Client and server share the machine.
func BenchCloud(ctx context.Context, sizes CloudSizes, rounds int) (_ *Bench, err error) {
	switch {
	case sizes.Resources < perNetwork:
		return nil, fmt.Errorf("--resources %d: at least %d", sizes.Resources, perNetwork)
	case sizes.Writers < 1:
		return nil, fmt.Errorf("--writers %d: at least 1", sizes.Writers)
	case sizes.Requests < 1:
		return nil, fmt.Errorf("--requests %d: at least 1", sizes.Requests)
	}
	dir, err := os.MkdirTemp("", "cerulean-bench-*")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	var s series
	if err := fillAndMeasure(ctx, dir, sizes, rounds, &s); err != nil {
		return nil, err
	}
	for range rounds {
		if err := measureStart(ctx, dir, &s); err != nil {
			return nil, err
		}
	}
	what := fmt.Sprintf("the embedded cloud with %d resources, %d clients at once, %d requests a round, over TLS, on disk", sizes.Resources, sizes.Writers, sizes.Requests)
	return s.bench("cloud", what, rounds), nil
}

// fillAndMeasure measures requests.
func fillAndMeasure(ctx context.Context, dir string, sizes CloudSizes, rounds int, s *series) (err error) {
	l, err := openLoad(ctx, dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.cloud.Close()) }()
	if _, err := l.send(ctx, http.MethodPut, l.group(), `{"location":"westeurope"}`); err != nil {
		return err
	}
	empty := heapInUse()
	networks := sizes.Resources / perNetwork
	// Networks come first: the interfaces stand in them.
	if _, _, err := l.run(ctx, networks, sizes.Writers, func(i int) error { return l.put(ctx, i*perNetwork, 0) }); err != nil {
		return err
	}
	start := time.Now()
	n := networks * perNetwork
	if _, _, err := l.run(ctx, n, sizes.Writers, func(i int) error {
		if i%perNetwork == 0 {
			return nil
		}
		return l.put(ctx, i, 0)
	}); err != nil {
		return err
	}
	s.add("fill", "req/s", float64(n-networks)/time.Since(start).Seconds())
	s.add("memory per resource", "kB", float64(heapInUse()-empty)/float64(n)/1000)
	for round := range rounds {
		for _, m := range []struct {
			name    string
			clients int
			do      func(i int) error
		}{
			{"change", sizes.Writers, func(i int) error { return l.put(ctx, spread(i, n)|1, round+1) }},
			{"create", sizes.Writers, func(i int) error { return l.put(ctx, n+(round*sizes.Requests+i)*2+1, 0) }},
			{"read", sizes.Writers, func(i int) error { return l.get(ctx, spread(i, n)) }},
			{"change, one client", 1, func(i int) error { return l.put(ctx, spread(i, n)|1, rounds+round+1) }},
			{"read, one client", 1, func(i int) error { return l.get(ctx, spread(i, n)) }},
		} {
			count := sizes.Requests
			if m.clients == 1 {
				count = max(1, count/10)
			}
			took, p99, err := l.run(ctx, count, m.clients, m.do)
			if err != nil {
				return err
			}
			s.add(m.name, "req/s", float64(count)/took.Seconds())
			s.addTime(m.name+", p99", p99)
		}
	}
	return nil
}

// measureStart measures how long a cloud takes from nothing to its first answer.
func measureStart(ctx context.Context, dir string, s *series) (err error) {
	start := time.Now()
	l, err := openLoad(ctx, dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.cloud.Close()) }()
	if err := l.get(ctx, 0); err != nil {
		return err
	}
	s.addTime("cold start", time.Since(start))
	return nil
}

// heapInUse is the memory that is reachable, in bytes.
func heapInUse() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// perNetwork is how many resources stand and fall with one virtual network: the
// network, its interfaces and as many route tables.
const perNetwork = 100

// spread visits the resources out of order, each as often as any other.
func spread(i, n int) int { return int(uint64(i) * 2654435761 % uint64(n)) } // Knuth's multiplicative hash

// load is a cloud under load, with a signed-in client.
type load struct {
	cloud  *Cloud
	client *http.Client
	token  string
}

func openLoad(ctx context.Context, dir string) (*load, error) {
	c, err := OpenCloud(ctx, CloudOptions{Dir: dir, Serve: true})
	if err != nil {
		return nil, err
	}
	l := &load{cloud: c, client: &http.Client{Transport: c.transport}}
	if err := l.signIn(ctx); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return l, nil
}

func (l *load) signIn(ctx context.Context) error {
	id := l.cloud.identity
	form := url.Values{
		"grant_type": {"client_credentials"}, "client_id": {id.ClientID}, "client_secret": {id.ClientSecret},
		"scope": {l.cloud.Endpoint + "/.default"},
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, l.cloud.Endpoint+"/"+id.TenantID+"/oauth2/v2.0/token", bytes.NewBufferString(form.Encode()))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	b, err := l.do(req)
	if err != nil {
		return err
	}
	var answer struct {
		Token string `json:"access_token"`
	}
	err = json.Unmarshal(b, &answer)
	l.token = answer.Token
	return err
}

func (l *load) send(ctx context.Context, method, path, body string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, l.cloud.Endpoint+path+"?api-version=2025-01-01", bytes.NewBufferString(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+l.token)
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	return l.do(req)
}

// do sends a request that has to succeed.
func (l *load) do(req *http.Request) ([]byte, error) {
	resp, err := l.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode >= 300 {
		err = fmt.Errorf("%s %s: %d %.500s", req.Method, req.URL.Path, resp.StatusCode, b)
	}
	return b, err
}

func (l *load) group() string {
	return "/subscriptions/" + l.cloud.identity.SubscriptionID + "/resourceGroups/load"
}

// resource is the path and the document of one resource: of each network's
// hundred the first is the network, then interfaces and route tables take
// turns. version makes the document differ.
func (l *load) resource(i, version int) (path, body string) {
	provider := l.group() + "/providers/Microsoft.Network"
	network := i / perNetwork
	vnet := fmt.Sprintf("%s/virtualNetworks/v%d", provider, network)
	switch {
	case i%perNetwork == 0:
		return vnet, fmt.Sprintf(`{"location":"westeurope","properties":{"addressSpace":{"addressPrefixes":["10.0.0.0/16"]},
			"subnets":[{"name":"app","properties":{"addressPrefix":"10.0.0.0/22"}}]},"tags":{"version":"%d"}}`, version)
	case i%2 == 0:
		return fmt.Sprintf("%s/networkInterfaces/n%d", provider, i), fmt.Sprintf(`{"location":"westeurope","tags":{"version":"%d"},
			"properties":{"ipConfigurations":[{"name":"a","properties":{"subnet":{"id":"%s/subnets/app"}}}]}}`, version, vnet)
	default:
		return fmt.Sprintf("%s/routeTables/r%d", provider, i), fmt.Sprintf(`{"location":"westeurope","tags":{"version":"%d"},
			"properties":{"routes":[{"name":"a","properties":{"addressPrefix":"0.0.0.0/0","nextHopType":"VirtualAppliance","nextHopIpAddress":"10.0.0.4"}}]}}`, version)
	}
}

func (l *load) put(ctx context.Context, i, version int) error {
	path, body := l.resource(i, version)
	_, err := l.send(ctx, http.MethodPut, path, body)
	return err
}

func (l *load) get(ctx context.Context, i int) error {
	path, _ := l.resource(i, 0)
	_, err := l.send(ctx, http.MethodGet, path, "")
	return err
}

// run does a number of things, several at once, and returns how long all took
// and how long all but the slowest hundredth took at most, each. It stops at the
// first error.
func (l *load) run(ctx context.Context, count, clients int, do func(i int) error) (all, p99 time.Duration, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	took := make([]time.Duration, count)
	var next atomic.Int64
	var wg sync.WaitGroup
	start := time.Now()
	for range clients {
		wg.Go(func() {
			for ctx.Err() == nil {
				i := int(next.Add(1)) - 1
				if i >= count {
					return
				}
				began := time.Now()
				if err := do(i); err != nil {
					cancel(err)
					return
				}
				took[i] = time.Since(began)
			}
		})
	}
	wg.Wait()
	all = time.Since(start)
	if ctx.Err() != nil {
		return 0, 0, context.Cause(ctx)
	}
	slices.Sort(took)
	return all, took[(count-1)*99/100], nil
}
