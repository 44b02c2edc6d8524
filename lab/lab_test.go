package lab_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/ceruleannet/cerulean/lab"
)

// shop is a network with two subnets, one of which lets only 5432 in.
const shop = `
network: shop
regions: [westeurope]
networks:
  - name: shop
    address: 10.0.0.0/16
    subnets:
      app:
        hosts:
          app-1: {serves: https/443}
      data:
        nsg: data
        hosts:
          db-1: {serves: tcp/5432}
nsgs:
  data:
    inbound:
      - {name: postgres, allow: app -> any tcp/5432}
      - {name: nothing-else, deny: any -> any}
dns:
  shop.internal:
    link: all
    records: {db: db-1}
expectations:
  - {name: app reaches data, allow: app -> data tcp/5432}
  - {name: no ssh, deny: app -> data tcp/22}
`

func TestDial(t *testing.T) {
	l := lab.Declare(t, shop)
	c, err := l.Host("app-1").DialContext(t.Context(), "tcp", "db.shop.internal:5432")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if line, err := bufio.NewReader(c).ReadString('\n'); err != nil || line != "db-1 tcp 5432\n" {
		t.Errorf("%q, %v", line, err)
	}
}

func TestDenied(t *testing.T) {
	l := lab.Declare(t, shop)
	_, err := l.Host("app-1").DialContext(t.Context(), "tcp", "db.shop.internal:22")
	d, ok := lab.Denied(err)
	if !ok || d.Code != "rule" || d.Unknown || d.Reply || !strings.Contains(d.Text, "nothing-else") || !strings.Contains(d.Text, "network.yaml:") {
		t.Errorf("%+v, %v", d, err)
	}
	if _, ok := lab.Denied(io.EOF); ok {
		t.Error("the end of a file is no denial")
	}
}

func TestListen(t *testing.T) {
	l := lab.Declare(t, shop, lab.WithoutServices())
	listener, err := l.Host("db-1").Listen("tcp", ":5432")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	got := make(chan string, 1)
	go func() {
		c, err := listener.Accept()
		if err != nil {
			got <- err.Error()
			return
		}
		defer c.Close()
		b, _ := io.ReadAll(c)
		got <- string(b)
	}()
	c, err := l.Host("app-1").DialContext(t.Context(), "tcp", "db.shop.internal:5432")
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(c, "select 1")
	c.Close()
	if s := <-got; s != "select 1" {
		t.Errorf("%q", s)
	}
}

func TestPacketsAndPing(t *testing.T) {
	l := lab.Declare(t, shop)
	app, db := l.Host("app-1"), l.Host("db-1")
	conn, err := app.ListenPacket("udp", ":9000")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	c, err := db.DialContext(t.Context(), "udp", app.Addrs()[0].String()+":9000")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.Write([]byte("hello"))
	b := make([]byte, 16)
	n, from, err := conn.ReadFrom(b)
	if err != nil || string(b[:n]) != "hello" {
		t.Fatalf("%q, %v", b[:n], err)
	}
	conn.WriteTo([]byte("back"), from)
	if n, err := c.Read(b); err != nil || string(b[:n]) != "back" {
		t.Errorf("%q, %v", b[:n], err)
	}
	if _, err := db.Ping(t.Context(), app.Addrs()[0]); err != nil {
		t.Error(err)
	}
	if _, err := app.Ping(t.Context(), db.Addrs()[0]); err == nil {
		t.Error("the NSG lets a ping in")
	} else if _, ok := lab.Denied(err); !ok {
		t.Error(err)
	}
}

func TestHTTPS(t *testing.T) {
	l := lab.Declare(t, shop)
	res, err := l.Host("db-1").HTTPClient().Get("https://" + l.Host("app-1").Addrs()[0].String())
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if b, err := io.ReadAll(res.Body); err != nil || string(b) != "app-1\n" {
		t.Errorf("%q, %v", b, err)
	}
}

func TestSilentDrops(t *testing.T) {
	l := lab.Declare(t, shop, lab.WithSilentDrops())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := l.Host("app-1").DialContext(ctx, "tcp", l.Host("db-1").Addrs()[0].String()+":22"); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// fake records what a lab says to its test.
type fake struct {
	testing.TB
	said    strings.Builder
	cleanup []func()
}

func (f *fake) Helper()                        {}
func (f *fake) Cleanup(g func())               { f.cleanup = append(f.cleanup, g) }
func (f *fake) Errorf(format string, a ...any) { fmt.Fprintf(&f.said, format+"\n", a...) }
func (f *fake) Error(a ...any)                 { fmt.Fprintln(&f.said, a...) }
func (f *fake) Fatal(a ...any)                 { fmt.Fprintln(&f.said, a...); panic(f) }
func (f *fake) Fatalf(format string, a ...any) { fmt.Fprintf(&f.said, format+"\n", a...); panic(f) }
func (f *fake) end() {
	for _, g := range f.cleanup {
		g()
	}
}

// try runs a test body with a fake test and returns what it was told.
func try(body func(t testing.TB)) (said string) {
	f := &fake{}
	defer func() {
		if p := recover(); p != nil && p != any(f) {
			panic(p)
		}
		f.end()
		said = f.said.String()
	}()
	body(f)
	return
}

func TestBadNetworkFailsTheTest(t *testing.T) {
	said := try(func(t testing.TB) {
		lab.Declare(t, strings.NewReplacer("10.0.0.0/16", "10.0.0.0/33", "nsg: data", "nsg: dta").Replace(shop))
	})
	for _, want := range []string{"network.yaml:6", "10.0.0.0/33", "dta"} {
		if !strings.Contains(said, want) {
			t.Errorf("no %q in:\n%s", want, said)
		}
	}
	if said := try(func(t testing.TB) { lab.Open(t, "testdata/nothing-here.yaml") }); !strings.Contains(said, "nothing-here.yaml") {
		t.Errorf("%s", said)
	}
	if said := try(func(t testing.TB) { lab.Declare(t, shop).Host("db-2") }); !strings.Contains(said, "db-2") || !strings.Contains(said, "db-1") {
		t.Errorf("%s", said)
	}
}

func TestBrokenExpectationFailsTheTest(t *testing.T) {
	broken := strings.Replace(shop, "deny: app -> data tcp/22", "deny: app -> data tcp/5432", 1)
	said := try(func(t testing.TB) { lab.Declare(t, broken).Probe(context.Background()) })
	if !strings.Contains(said, "db-1") || !strings.Contains(said, "5432") || !strings.Contains(said, "network.yaml:") {
		t.Errorf("%q", said)
	}
	said = try(func(t testing.TB) { lab.Declare(t, broken).Check() })
	if strings.Count(said, "broken") != 1 || !strings.Contains(said, "10.0.") || !strings.Contains(said, ":5432") || !strings.Contains(said, "network.yaml:") {
		t.Errorf("%q", said)
	}
	if said := try(func(t testing.TB) { lab.Declare(t, shop).Check() }); said != "" {
		t.Errorf("%s", said)
	}
	if said := try(func(t testing.TB) { lab.Declare(t, shop).Probe(context.Background()) }); said != "" {
		t.Errorf("%s", said)
	}
}

func TestStartOutsideTests(t *testing.T) {
	path := t.TempDir() + "/network.yaml"
	if err := os.WriteFile(path, []byte(shop), 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := lab.Start(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.Host("nobody").DialContext(t.Context(), "tcp", "10.0.0.4:1"); err == nil {
		t.Error("a host that is not declared dials")
	}
	if got := strings.Join(l.Hosts(), " "); got != "app-1 db-1" {
		t.Errorf("%s", got)
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	if _, err := l.Host("app-1").DialContext(t.Context(), "tcp", "10.0.0.4:1"); err == nil {
		t.Error("a host of a closed lab dials")
	}
}

func TestExplain(t *testing.T) {
	l := lab.Declare(t, shop)
	x, err := l.Explain("app-1", "db-1:5432")
	if err != nil || !x.Works || len(x.Steps) == 0 || len(x.Blockers) != 0 {
		t.Errorf("%v, %v", x, err)
	}
	x, err = l.Explain("app-1", "db-1:22")
	if err != nil || x.Works || x.Unknown || len(x.Blockers) != 1 || !strings.Contains(x.String(), "nothing-else") || !strings.Contains(x.String(), "network.yaml:") {
		t.Errorf("%v, %v", x, err)
	}
	// The explanation and the packets agree.
	if _, err := l.Host("app-1").DialContext(t.Context(), "tcp", "db.shop.internal:22"); err == nil {
		t.Error("what is explained away works")
	}
	for _, pair := range [][2]string{{"app-9", "db-1:22"}, {"app-1", "db-9:22"}} {
		if _, err := l.Explain(pair[0], pair[1]); err == nil {
			t.Errorf("%v is explained", pair)
		}
	}
}
