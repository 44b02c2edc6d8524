package live

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/ceruleannet/cerulean/internal/fabric"
)

// authority is the certificate authority of one running network: made when it
// starts, gone when it stops.
type authority struct {
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
	pool *x509.CertPool

	mu     sync.Mutex
	serial int64
	leaves map[string]*tls.Certificate // by host and server name
}

func newAuthority() (*authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("certificate authority: %w", err)
	}
	a := &authority{key: key, serial: 1, leaves: map[string]*tls.Certificate{}}
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Cerulean network"},
		NotBefore: now.Add(-time.Hour), NotAfter: now.AddDate(1, 0, 0),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return nil, fmt.Errorf("certificate authority: %w", err)
	}
	if a.cert, err = x509.ParseCertificate(der); err != nil {
		return nil, fmt.Errorf("certificate authority: %w", err)
	}
	a.pool = x509.NewCertPool()
	a.pool.AddCert(a.cert)
	return a, nil
}

// clientConfig trusts the authority.
func (a *authority) clientConfig() *tls.Config {
	return &tls.Config{RootCAs: a.pool, MinVersion: tls.VersionTLS13}
}

// serverConfig serves certificates for a host: for its name and addresses, and
// for every name that some space of the image resolves to it.
func (a *authority) serverConfig(h *Host) *tls.Config {
	oldest := uint16(tls.VersionTLS13)
	if !h.resource.IsZero() {
		oldest = tls.VersionTLS12 // as Azure's services do
	}
	return &tls.Config{
		MinVersion: oldest,
		NextProtos: []string{"http/1.1"},
		GetCertificate: func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
			name := hello.ServerName
			if name != "" && name != h.Name && !h.isPlaneName(name) && !h.answersTo(name) {
				name = ""
			}
			return a.leaf(h, name)
		},
	}
}

// leaf returns the host's certificate, also for one more name if not empty.
func (a *authority) leaf(h *Host, name string) (*tls.Certificate, error) {
	addrs := append(h.Addrs(), h.publics()...)
	names := []string{h.Name}
	if name != "" && name != h.Name {
		names = append(names, name)
	}
	return a.issue(h.Name, names, addrs)
}

// issue returns the certificate of a subject for some names and addresses.
func (a *authority) issue(subject string, names []string, addrs []netip.Addr) (*tls.Certificate, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	id := fmt.Sprint(subject, names, addrs)
	if c := a.leaves[id]; c != nil {
		return c, nil
	}
	a.serial++
	template := &x509.Certificate{
		SerialNumber: big.NewInt(a.serial), Subject: pkix.Name{CommonName: subject},
		NotBefore: a.cert.NotBefore, NotAfter: a.cert.NotAfter,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		DNSNames: names,
	}
	for _, addr := range addrs {
		template.IPAddresses = append(template.IPAddresses, net.IP(addr.AsSlice()))
	}
	// All leaves of a run share the authority's key pair: it never leaves this
	// process, and one key less is one start-up cost less.
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, &a.key.PublicKey, a.key)
	if err != nil {
		return nil, fmt.Errorf("certificate of %s: %w", subject, err)
	}
	c := &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: a.key}
	a.leaves[id] = c
	return c, nil
}

// answersTo reports whether some space resolves a name to the host.
func (h *Host) answersTo(name string) bool {
	img := h.net.Image()
	own := map[netip.Addr]bool{}
	for _, a := range h.Addrs() {
		own[a] = true
	}
	for i := range img.Spaces {
		// As the platform answers, also where the hosts ask a forwarder.
		if answer := img.Spaces[i].View.Follow(name); answer.Verdict == fabric.VerdictAllow {
			for _, a := range answer.Record.Addrs {
				if own[a] {
					return true
				}
			}
		}
	}
	return false
}

// publics returns the public addresses that lead to the host.
func (h *Host) publics() []netip.Addr {
	img := h.net.Image()
	var out []netip.Addr
	own := h.Addrs()
	for i := range img.Publics {
		if p := &img.Publics[i]; p.Port != fabric.None && slices.Contains(own, p.Private) && h.has(p.Port) {
			out = append(out, p.Addr)
		}
	}
	return out
}

// has reports whether a port is one of the host's.
func (h *Host) has(at fabric.PortID) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.ContainsFunc(h.links, func(l *link) bool { return l.port == at })
}

// RootCAs returns the authority that the network's HTTPS services have their
// certificates from.
func (n *Network) RootCAs() *x509.CertPool { return n.authority.pool }
