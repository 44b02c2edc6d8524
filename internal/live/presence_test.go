package live

import (
	"testing"
	"time"
)

// The platform's stack at an interface comes with the first connection and goes
// when nobody has used it for a while; connections keep it.
func TestPresence(t *testing.T) {
	n := run(t, testImage(), Options{})
	ps := &n.platform.presences
	count := func() int {
		ps.mu.Lock()
		defer ps.mu.Unlock()
		return len(ps.byLink)
	}
	h := host(t, n, "web")
	if count() != 0 {
		t.Fatal("before anybody called")
	}
	c, err := h.DialContext(t.Context(), "tcp", resolver.String())
	if err != nil {
		t.Fatal(err)
	}
	// An exchange, so that the connection is known to be served.
	q := []byte{0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 1}
	if err := writeMessage(c, q); err != nil {
		t.Fatal(err)
	}
	if _, err := readMessage(c); err != nil {
		t.Fatal(err)
	}
	later := time.Now().Add(2 * idlePresence)
	if ps.sweep(later); count() != 1 {
		t.Error("it went with a connection open")
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	ps.served.Wait()
	if ps.sweep(time.Now()); count() != 1 {
		t.Error("it went at once")
	}
	if ps.sweep(later.Add(idlePresence)); count() != 0 {
		t.Error("it stays though idle")
	}
	if _, err := h.DialContext(t.Context(), "tcp", resolver.String()); err != nil {
		t.Errorf("again: %v", err)
	}
	// What has no service is silent, and says nothing of a stack.
	if ps.accept(caller{link: h.links[0], local: metadataServer}) != nil {
		t.Error("the metadata server answers without services")
	}
}
