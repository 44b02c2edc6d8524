package node

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// endpointFile tells other processes where the cloud of a directory answers. A
// process that was killed leaves it behind.
const endpointFile = "endpoint.json"

type endpointDocument struct {
	Endpoint string `json:"endpoint"`
	PID      int    `json:"pid"`
	// Proxy is the HOST:PORT of the way to the data planes, if they are served.
	Proxy string `json:"proxy,omitempty"`
	// Subscription is the one that clients work in unless they say another;
	// empty means the installation's own.
	Subscription string `json:"subscription,omitempty"`
}

// joinTime bounds the wait for the answer of a process that serves the
// directory. It is on the same machine, or a mount of it.
const joinTime = 2 * time.Second

// announce writes the endpoint file, whole or not at all.
func (c *Cloud) announce() error {
	b, err := json.Marshal(endpointDocument{Endpoint: c.Endpoint, PID: os.Getpid(), Proxy: c.proxy, Subscription: c.subscription})
	if err != nil {
		return err
	}
	if err := replaceFile(filepath.Join(c.dir, endpointFile), append(b, '\n')); err != nil {
		return err
	}
	c.announced = true
	return nil
}

// withdraw removes the endpoint file, if it is this process's.
func (c *Cloud) withdraw() error {
	if !c.announced {
		return nil
	}
	err := os.Remove(filepath.Join(c.dir, endpointFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// join finds the process that serves this cloud's directory. It must answer
// with a certificate of the directory's authority: a file left behind may name
// a port that is somebody else's by now.
func (c *Cloud) join(ctx context.Context) bool {
	if c.dir == "" {
		return false
	}
	b, err := os.ReadFile(filepath.Join(c.dir, endpointFile))
	if err != nil {
		return false
	}
	var doc endpointDocument
	if json.Unmarshal(b, &doc) != nil || !strings.HasPrefix(doc.Endpoint, "https://") {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, joinTime)
	defer cancel()
	c.Endpoint = doc.Endpoint
	if c.getMetadata(ctx, new(map[string]any)) != nil {
		c.Endpoint = ""
		return false
	}
	c.subscription, c.proxy = cmp.Or(c.subscription, doc.Subscription), doc.Proxy
	return true
}

// getMetadata reads what the cloud says of itself.
func (c *Cloud) getMetadata(ctx context.Context, into any) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, c.Endpoint+"/metadata/endpoints?api-version=2022-09-01", nil)
	if err != nil {
		return err
	}
	resp, err := c.transport.RoundTrip(r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return errors.New(resp.Status)
	}
	return json.NewDecoder(io.LimitReader(resp.Body, maxMetadata)).Decode(into)
}

// maxMetadata is the most that is read of what a cloud says of itself, in bytes.
const maxMetadata = 1 << 20

// listenNames returns the names beyond the loopback ones by which clients reach
// a listen address, for the server's certificate: the host that was given, or
// all of this machine's if it is the unspecified address.
func listenNames(listen string) ([]string, error) {
	if listen == "" {
		return nil, nil
	}
	host, _, err := net.SplitHostPort(listen)
	if err != nil {
		return nil, fmt.Errorf("--listen %q is not HOST:PORT: %w", listen, err)
	}
	addr, err := netip.ParseAddr(host)
	switch {
	case err == nil && addr.Zone() != "":
		return nil, fmt.Errorf("--listen %q: an address with a zone cannot be in a certificate; use another address", listen)
	case err == nil && addr.IsUnspecified():
		return machineNames()
	case host == "" || strings.EqualFold(host, "localhost"):
		return nil, nil
	}
	return []string{host}, nil
}

// machineNames returns the names and addresses of this machine.
func machineNames() ([]string, error) {
	var names []string
	if name, err := os.Hostname(); err == nil {
		names = append(names, name)
	}
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return nil, fmt.Errorf("the addresses of this machine: %w", err)
	}
	for _, a := range addrs {
		if p, err := netip.ParsePrefix(a.String()); err == nil && !p.Addr().IsLoopback() && !p.Addr().IsLinkLocalUnicast() {
			names = append(names, p.Addr().String())
		}
	}
	return names, nil
}

// endpointHost returns HOST:PORT by which this machine reaches a listener: the
// host that was asked for, because the certificate says that, and a loopback
// address for the unspecified ones.
func endpointHost(listen string, at net.Addr) string {
	_, port, err := net.SplitHostPort(at.String())
	if err != nil {
		return at.String()
	}
	host, _, err := net.SplitHostPort(listen)
	if err != nil || host == "" {
		return at.String()
	}
	if addr, err := netip.ParseAddr(host); err == nil && addr.IsUnspecified() {
		host = "127.0.0.1"
		if addr.Is6() {
			host = "::1"
		}
	}
	return net.JoinHostPort(host, port)
}
