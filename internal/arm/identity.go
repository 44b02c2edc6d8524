package arm

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"
)

// Identity is what makes one installation itself: a certificate authority, the
// key that signs its tokens, and the credentials of its first client, which is
// Owner of everything. Further clients have the roles they are given
// ([Identity.AddPrincipal]).
type Identity struct {
	TenantID       string // GUID
	ClientID       string // GUID
	ClientSecret   string
	ObjectID       string // GUID of the client's service principal
	SubscriptionID string // GUID of the subscription shown when none is configured

	caCert     *x509.Certificate
	caKey      *ecdsa.PrivateKey
	tokenKey   *ecdsa.PrivateKey
	hostKey    []byte // authenticates operation names
	server     tls.Certificate
	hosts      []string
	tokenKeyID string

	dir          string // empty in memory
	principalsMu sync.Mutex
	principals   []Principal // in memory
}

// Files of an identity's directory.
const (
	identityFile = "identity.json" // every secret; the only file read back
	caFile       = "ca.pem"        // the authority's certificate, for SSL_CERT_FILE and the like
	ignoreFile   = ".gitignore"    // keeps a directory made here out of version control
)

// identityDocument is identity.json.
type identityDocument struct {
	Tenant       string `json:"tenant"`
	Client       string `json:"client"`
	Secret       string `json:"secret"`
	Object       string `json:"object"`
	Subscription string `json:"subscription"`
	CACert       []byte `json:"caCertificate"` // DER
	CAKey        []byte `json:"caKey"`         // SEC 1 DER
	TokenKey     []byte `json:"tokenKey"`      // SEC 1 DER
	OperationKey []byte `json:"operationKey"`
}

// OpenIdentity reads the identity in a directory, making it if there is none.
// An empty dir makes an identity that lives in memory only. A directory made
// here is readable by its owner alone, as are its files everywhere; the mode of
// a directory that exists is its owner's affair. The server's certificate is
// made anew each time, for localhost, the loopback addresses and the given
// names (host names or IP addresses).
func OpenIdentity(dir string, names ...string) (*Identity, error) {
	doc, err := readIdentity(dir)
	if errors.Is(err, fs.ErrNotExist) || dir == "" {
		if doc, err = newIdentity(); err == nil && dir != "" {
			err = writeIdentity(dir, doc)
		}
	}
	if err != nil {
		return nil, err
	}
	id, err := doc.open()
	if err != nil {
		return nil, fmt.Errorf("%s: %w; move the file away to make a new identity", filepath.Join(dir, identityFile), err)
	}
	id.dir = dir
	id.hosts = append([]string{"localhost", "127.0.0.1", "::1"}, names...)
	if id.server, err = id.issue(id.hosts); err != nil {
		return nil, fmt.Errorf("making the server's certificate: %w", err)
	}
	if dir != "" {
		path := filepath.Join(dir, caFile)
		if b, err := os.ReadFile(path); err != nil || !slices.Equal(b, id.CACertificate()) {
			if err := writeFile(path, id.CACertificate()); err != nil {
				return nil, err
			}
		}
	}
	return id, nil
}

func readIdentity(dir string) (*identityDocument, error) {
	if dir == "" {
		return nil, nil
	}
	path := filepath.Join(dir, identityFile)
	if info, err := os.Stat(dir); err == nil && !info.IsDir() {
		return nil, fmt.Errorf("%s is a file; the cloud's state needs a folder", dir)
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a regular file; move it away to make a new identity", path)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("%s can be read by others (mode %o); run chmod 600 on it", path, info.Mode().Perm())
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var doc identityDocument
	if err := json.Unmarshal(b, &doc); err != nil {
		return nil, fmt.Errorf("%s: %w; move the file away to make a new identity", path, err)
	}
	return &doc, nil
}

func writeIdentity(dir string, doc *identityDocument) error {
	_, err := os.Stat(dir)
	made := errors.Is(err, fs.ErrNotExist)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	if made {
		if err := writeFile(filepath.Join(dir, ignoreFile), []byte("# Secrets of one machine: not for version control.\n*\n")); err != nil {
			return err
		}
	}
	b, err := json.MarshalIndent(doc, "", "  ")
	if err != nil {
		return err
	}
	return writeFile(filepath.Join(dir, identityFile), append(b, '\n'))
}

// writeFile replaces a file whole: a crash leaves the old one or the new one.
func writeFile(path string, b []byte) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*") // mode 0600
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(f.Name())
		}
	}()
	if _, err = f.Write(b); err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	return err
}

// newIdentity makes every secret of an installation.
func newIdentity() (*identityDocument, error) {
	caKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	tokenKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	doc := &identityDocument{
		Tenant: uuid.NewString(), Client: uuid.NewString(), Object: uuid.NewString(), Subscription: uuid.NewString(),
		Secret: rand.Text() + rand.Text(), OperationKey: make([]byte, 32),
	}
	rand.Read(doc.OperationKey)
	if doc.CACert, err = newAuthority(caKey); err != nil {
		return nil, err
	}
	if doc.CAKey, err = x509.MarshalECPrivateKey(caKey); err != nil {
		return nil, err
	}
	doc.TokenKey, err = x509.MarshalECPrivateKey(tokenKey)
	return doc, err
}

func (doc *identityDocument) open() (*Identity, error) {
	id := &Identity{
		TenantID: doc.Tenant, ClientID: doc.Client, ClientSecret: doc.Secret, ObjectID: doc.Object,
		SubscriptionID: doc.Subscription, hostKey: doc.OperationKey,
	}
	if doc.Tenant == "" || doc.Client == "" || doc.Secret == "" || doc.Object == "" || doc.Subscription == "" || len(doc.OperationKey) < 16 {
		return nil, errors.New("the identity is incomplete")
	}
	var err error
	if id.caCert, err = x509.ParseCertificate(doc.CACert); err != nil {
		return nil, err
	}
	if id.caKey, err = x509.ParseECPrivateKey(doc.CAKey); err != nil {
		return nil, err
	}
	if id.tokenKey, err = x509.ParseECPrivateKey(doc.TokenKey); err != nil {
		return nil, err
	}
	if !id.caKey.PublicKey.Equal(id.caCert.PublicKey) {
		return nil, errors.New("the authority's key does not belong to its certificate")
	}
	id.tokenKeyID, err = keyID(&id.tokenKey.PublicKey)
	return id, err
}

// CACertificate returns the authority's certificate in PEM form, for clients to
// trust.
func (id *Identity) CACertificate() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: id.caCert.Raw})
}

// CertPool returns a pool with the authority's certificate only.
func (id *Identity) CertPool() *x509.CertPool {
	p := x509.NewCertPool()
	p.AddCert(id.caCert)
	return p
}

// TLS returns the server's TLS configuration: its certificate, TLS 1.2 or
// newer, HTTP/2 and HTTP/1.1.
func (id *Identity) TLS() *tls.Config {
	return &tls.Config{
		Certificates: []tls.Certificate{id.server},
		MinVersion:   tls.VersionTLS12,
		NextProtos:   []string{"h2", "http/1.1"},
	}
}

// Certificate makes a server certificate of the authority for host names or
// addresses, with a key of its own.
func (id *Identity) Certificate(hosts ...string) (tls.Certificate, error) {
	if len(hosts) == 0 {
		return tls.Certificate{}, errors.New("a certificate needs a name")
	}
	return id.issue(hosts)
}

// keyID names a public key: the start of the hash of its DER form.
func keyID(k *ecdsa.PublicKey) (string, error) {
	der, err := x509.MarshalPKIXPublicKey(k)
	if err != nil {
		return "", err
	}
	return base64.RawURLEncoding.EncodeToString(hash(der)[:12]), nil
}

// Lifetimes of certificates. Clients on Apple systems refuse server
// certificates valid for more than 825 days.
const (
	authorityLife = 10 * 365 * 24 * time.Hour
	serverLife    = 800 * 24 * time.Hour
	clockSkew     = time.Hour
)
