package arm_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/ceruleannet/cerulean/internal/arm"
	"github.com/google/go-cmp/cmp"
)

// TestKill: a server killed under 64 writers has lost no write it acknowledged,
// nothing is left unfinished, and writers of one document lost no update of each
// other's.
func TestKill(t *testing.T) {
	if dir := os.Getenv("ARM_KILL_DIR"); dir != "" {
		serveForever(dir)
	}
	dir := t.TempDir()
	child := exec.Command(os.Args[0], "-test.run=^TestKill$")
	child.Env = append(os.Environ(), "ARM_KILL_DIR="+dir)
	child.Stderr = os.Stderr
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	acknowledged := map[string]string{} // ID -> address
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if id, address, ok := strings.Cut(lines.Text(), " "); ok {
			acknowledged[id] = address
		}
		if len(acknowledged) == 400 {
			if err := child.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	var exit *exec.ExitError
	if err := child.Wait(); !errors.As(err, &exit) || exit.Success() || len(acknowledged) < 400 {
		t.Fatalf("the child was not killed in time: %v, %d writes", err, len(acknowledged))
	}
	store, err := arm.OpenStore(dir)
	if err != nil {
		t.Fatal(err)
	}
	c := newCloud(t, func(cfg *arm.Config) { cfg.Store = store })
	owner := map[string]string{}
	for id, address := range acknowledged {
		doc := c.get(id)
		if strings.Contains(id, "/routes/") {
			if got := str(doc, "properties", "addressPrefix"); got != address {
				t.Errorf("%s: %s, acknowledged %s", id, got, address)
			}
			continue
		}
		got := str(doc, "properties", "ipConfigurations", 0, "properties", "privateIPAddress")
		if got != address || str(doc, "properties", "provisioningState") != "Succeeded" {
			t.Errorf("%s: %s, acknowledged %s; %s", id, got, address, str(doc, "properties", "provisioningState"))
		}
		if owner[got] != "" {
			t.Errorf("%s and %s have %s", id, owner[got], got)
		}
		owner[got] = id
	}
}

// serveForever runs a server whose operations take an hour and writes to it,
// printing each acknowledged NIC with its address.
func serveForever(dir string) {
	die := func(err error) {
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	id, err := arm.OpenIdentity(filepath.Join(dir, "identity"))
	die(err)
	store, err := arm.OpenStore(dir)
	die(err)
	s, err := arm.New(arm.Config{Store: store, Identity: id, OperationTime: 3600e9})
	die(err)
	l, err := arm.Listen("")
	die(err)
	go func() { die(s.Serve(context.Background(), l)) }()
	c := &cloud{t: dying{die: die}, identity: id, base: "https://" + l.Addr().String()}
	c.client = &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: id.CertPool()}, ForceAttemptHTTP2: true}}
	c.token = c.signIn(c.base + "/.default")
	c.withGroup().must("PUT", network+"/virtualNetworks/v", `{"location":"westeurope","properties":{"addressSpace":{"addressPrefixes":["10.0.0.0/8"]},"subnets":[{"name":"app","properties":{"addressPrefix":"10.1.0.0/16"}}]}}`)
	c.must("PUT", network+"/routeTables/all", `{"location":"westeurope"}`)
	var wg sync.WaitGroup
	for w := range 64 {
		wg.Go(func() {
			for i := range 256 {
				route, prefix := fmt.Sprintf("%s/routeTables/all/routes/r%d-%d", network, w, i), fmt.Sprintf("11.%d.%d.0/24", w, i)
				c.must("PUT", route, `{"properties":{"addressPrefix":"`+prefix+`","nextHopType":"None"}}`)
				fmt.Println(route, prefix)
				nic := fmt.Sprintf("%s/networkInterfaces/n%d-%d", network, w, i)
				a := c.must("PUT", nic, nicBody(network+"/virtualNetworks/v/subnets/app", ""))
				fmt.Println(nic, str(a.body, "properties", "ipConfigurations", 0, "properties", "privateIPAddress"))
			}
		})
	}
	wg.Wait()
}

// dying is a testing.TB for the child: any failure ends it.
type dying struct {
	testing.TB
	die func(error)
}

func (dying) Helper()                     {}
func (d dying) Fatal(args ...any)         { d.die(errors.New(fmt.Sprint(args...))) }
func (d dying) Fatalf(s string, a ...any) { d.die(fmt.Errorf(s, a...)) }
func (d dying) Errorf(s string, a ...any) { d.die(fmt.Errorf(s, a...)) }

// TestReopen: what the cloud holds is the same after a restart, and an
// operation accepted before it can still be polled.
func TestReopen(t *testing.T) {
	dir := t.TempDir()
	var poll string
	var before, after []string
	dump := func(c *cloud) []string {
		var out []string
		for e := range c.store.View().List("", "") {
			out = append(out, string(e.JSON))
		}
		return out
	}
	t.Run("first", func(t *testing.T) {
		c := onDisk(t, dir).withGroup()
		poll = c.must("PUT", network+"/virtualNetworks/v", vnetBody).header.Get("Azure-AsyncOperation")
		c.must("PUT", network+"/publicIPAddresses/p", `{"location":"westeurope"}`)
		before = dump(c)
	})
	t.Run("second", func(t *testing.T) {
		c := onDisk(t, dir)
		after = dump(c)
		u, err := url.Parse(poll)
		if err != nil {
			t.Fatal(err)
		}
		if got := str(c.get(u.RequestURI()), "status"); got != "Succeeded" {
			t.Errorf("operation %q", got)
		}
		// The same document again changes nothing: defaults compare equal to
		// what was read from disk.
		for path, body := range map[string]string{"/virtualNetworks/v": vnetBody, "/publicIPAddresses/p": `{"location":"westeurope"}`} {
			c.must("PUT", network+path, body)
		}
		if diff := cmp.Diff(after, dump(c)); diff != "" {
			t.Error(diff)
		}
	})
	if diff := cmp.Diff(before, after); diff != "" {
		t.Error(diff)
	}
}

// onDisk is a cloud with its store and identity in a directory.
func onDisk(t *testing.T, dir string) *cloud {
	t.Helper()
	store, err := arm.OpenStore(dir)
	if err != nil {
		t.Fatal(err)
	}
	id, err := arm.OpenIdentity(filepath.Join(dir, "identity"))
	if err != nil {
		t.Fatal(err)
	}
	return newCloud(t, func(cfg *arm.Config) { cfg.Store, cfg.Identity = store, id })
}

// TestAudit: the trail says who wrote what, when, for which request.
func TestAudit(t *testing.T) {
	c := newCloud(t).withGroup()
	request := "6f8b1f3e-2f0a-4a5e-9d5b-0c9d8e7f6a5b"
	c.must("PUT", network+"/virtualNetworks/v", vnetBody, "X-Ms-Correlation-Request-Id: "+request)
	c.must("DELETE", group, "")
	h, err := c.store.History(0, 0)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, ch := range h {
		got = append(got, string(ch.Action)+" "+strings.TrimPrefix(ch.ID, subscription))
		if ch.Who != c.identity.ClientID || !ch.At.Equal(c.clock.Now()) {
			t.Errorf("%+v", ch)
		}
	}
	want := []string{
		"create /resourceGroups/Net", "create /resourceGroups/Net/providers/Microsoft.Network/virtualNetworks/v",
		"create /resourceGroups/NetworkWatcherRG", "create " + strings.TrimPrefix(watcher, subscription),
		"delete /resourceGroups/Net/providers/Microsoft.Network/virtualNetworks/v", "delete /resourceGroups/Net",
	}
	if diff := cmp.Diff(want, got); diff != "" || h[1].Request != request {
		t.Errorf("%s %s", diff, h[1].Request)
	}
}

// BenchmarkCycle is one PUT with its poll and one GET, as a client applying a
// plan does them: on the handler alone, and over TLS with many connections.
func BenchmarkCycle(b *testing.B) {
	body := `{"location":"westeurope","properties":{"routes":[{"name":"r","properties":{"addressPrefix":"10.0.0.0/8","nextHopType":"None"}}],"n":%d}}`
	b.Run("handler", func(b *testing.B) {
		c := newCloud(b).withGroup()
		do := func(method, path string, body io.Reader) *httptest.ResponseRecorder {
			r := httptest.NewRequest(method, path, body)
			r.Host = strings.TrimPrefix(c.base, "https://")
			r.Header.Set("Authorization", "Bearer "+c.token)
			w := httptest.NewRecorder()
			c.server.ServeHTTP(w, r)
			if w.Code >= 300 {
				b.Fatalf("%s %s: %d %s", method, path, w.Code, w.Body)
			}
			return w
		}
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			path := fmt.Sprintf("%s/routeTables/rt%d%s", network, i%1000, version)
			w := do("PUT", path, strings.NewReader(fmt.Sprintf(body, i)))
			do("GET", w.Header().Get("Azure-AsyncOperation"), nil)
			do("GET", path, nil)
		}
	})
	for _, kind := range []string{"memory", "bolt"} {
		b.Run("tls/"+kind, func(b *testing.B) {
			dir := ""
			if kind == "bolt" {
				dir = b.TempDir()
			}
			store, err := arm.OpenStore(dir)
			if err != nil {
				b.Fatal(err)
			}
			c := newCloud(b, func(cfg *arm.Config) { cfg.Store = store }).withGroup()
			work := make(chan int)
			var wg sync.WaitGroup
			for range 32 {
				wg.Go(func() {
					for i := range work {
						path := fmt.Sprintf("%s/routeTables/rt%d", network, i%1000)
						a := c.must("PUT", path, fmt.Sprintf(body, i))
						c.must("GET", a.header.Get("Azure-AsyncOperation"), "")
						c.must("GET", path, "")
					}
				})
			}
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				work <- i
			}
			close(work)
			wg.Wait()
		})
	}
}
