package node

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"time"

	"github.com/ceruleannet/cerulean/discovery"
	"github.com/ceruleannet/cerulean/internal/traffic/dns"
)

// RegistryOptions say how to run a registry of services alone.
type RegistryOptions struct {
	Listen netip.AddrPort // HTTP
	// TokenFile holds the token that every request must bear. It is made if it
	// does not exist; empty means a token that only Ready hears of.
	TokenFile string
	DNS       netip.AddrPort // where names are answered by UDP and TCP; invalid means nowhere
	Zone      string         // of the names; empty means [DiscoveryZone]
	// History is how many changes are remembered; 0 means
	// [discovery.DefaultHistory].
	History int
	// Ready hears of the addresses once they are open, and of a token that was made.
	Ready func(http, dns netip.AddrPort, token string)
}

// registryHeader is how long a client may take to send a request's head.
const registryHeader = 10 * time.Second

// RunRegistry runs a registry until the context ends.
func RunRegistry(ctx context.Context, o RegistryOptions) error {
	if o.Zone == "" {
		o.Zone = DiscoveryZone
	}
	token, made, err := ownToken(o.TokenFile)
	if err != nil {
		return err
	}
	registry := discovery.New(o.History)
	names, err := newServiceNames(registry, strings.ToLower(strings.TrimSuffix(o.Zone, ".")), netip.Addr{})
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", o.Listen.String())
	if err != nil {
		return fmt.Errorf("listen for the registry's clients: %w", err)
	}
	var at netip.AddrPort
	if o.DNS.IsValid() {
		server, err := dns.Listen(o.DNS, names.now.Load(), dns.Options{})
		if err != nil {
			l.Close()
			return err
		}
		defer server.Close()
		names.use, at = server.Swap, server.Addr()
	}
	running, cancel := context.WithCancel(ctx)
	followed := make(chan struct{})
	go func() { defer close(followed); names.run(running) }()
	defer func() { cancel(); <-followed }()
	want := []byte("Bearer " + token)
	web := &http.Server{
		Handler: discovery.Handler(registry, discovery.Options{Authorize: func(r *http.Request, _ bool) error {
			if subtle.ConstantTimeCompare([]byte(r.Header.Get("Authorization")), want) != 1 {
				return errors.New("bring the registry's token: Authorization: Bearer TOKEN")
			}
			return nil
		}}),
		ReadHeaderTimeout: registryHeader, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 16 << 10,
		ErrorLog:    log.New(io.Discard, "", 0),                            // a client that hangs up is no event
		BaseContext: func(net.Listener) context.Context { return running }, // watches end with it
	}
	done := make(chan error, 1)
	go func() { done <- web.Serve(l) }()
	if o.Ready != nil {
		o.Ready(l.Addr().(*net.TCPAddr).AddrPort(), at, made)
	}
	select {
	case err = <-done:
		return err
	case <-ctx.Done():
	}
	cancel()
	end, stop := context.WithTimeout(context.Background(), time.Second)
	defer stop()
	if errors.Is(web.Shutdown(end), context.DeadlineExceeded) {
		_ = web.Close()
	}
	<-done
	return nil
}

// minToken is the shortest token that a file may hold, in bytes.
const minToken = 16

// ownToken returns the token of a file, or makes one; made is one that nothing
// else tells of.
func ownToken(file string) (token, made string, err error) {
	if file == "" {
		token = rand.Text()
		return token, token, nil
	}
	token, err = readToken(file)
	if !errors.Is(err, os.ErrNotExist) {
		return token, "", err
	}
	f, err := os.OpenFile(file, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return "", "", fmt.Errorf("the registry's token: %w", err)
	}
	token = rand.Text()
	_, err = io.WriteString(f, token+"\n")
	return token, "", errors.Join(err, f.Close())
}

// readToken returns the token of a file.
func readToken(file string) (string, error) {
	f, err := os.Open(file)
	if err != nil {
		return "", fmt.Errorf("the registry's token: %w", err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, 4096))
	if err != nil {
		return "", fmt.Errorf("the registry's token: %w", err)
	}
	token := strings.TrimSpace(string(b))
	if len(token) < minToken || strings.ContainsAny(token, " \t\r\n") {
		return "", fmt.Errorf("%s holds no token: write one of at least %d characters on one line, or remove the file and one is made", file, minToken)
	}
	return token, nil
}
