package node

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/ceruleannet/cerulean/internal/arm"
)

// Variable is one environment variable.
type Variable struct{ Name, Value string }

// VariableGroup is what one kind of client needs.
type VariableGroup struct {
	// For says which client, and what else there is to know, in a few words.
	For       string
	Variables []Variable
}

// Environment is what other clients need to reach an embedded cloud.
type Environment struct {
	Endpoint string
	Groups   []VariableGroup
}

// Pairs returns NAME=value for each variable, as processes take them.
func (e Environment) Pairs() []string {
	var pairs []string
	for _, g := range e.Groups {
		for _, v := range g.Variables {
			pairs = append(pairs, v.Name+"="+v.Value)
		}
	}
	return pairs
}

// Environment returns what Terraform's azurerm provider, the Azure CLI and the
// Azure SDKs need to reach the embedded cloud; nothing for Azure itself. For a
// cloud with a directory it writes the bundle of authorities the clients are to
// trust there.
func (c *Cloud) Environment() (Environment, error) {
	e := Environment{Endpoint: c.Endpoint}
	if c.identity == nil {
		return e, nil
	}
	id := c.identity
	terraform := []Variable{
		{"ARM_METADATA_HOSTNAME", strings.TrimPrefix(c.Endpoint, "https://")},
		{"ARM_TENANT_ID", id.TenantID},
		{"ARM_CLIENT_ID", id.ClientID},
		{"ARM_CLIENT_SECRET", id.ClientSecret},
		{"ARM_SUBSCRIPTION_ID", c.subscription},
		// Terraform's SDK (hashicorp/go-azure-sdk) waits ten seconds before it asks
		// whether a deletion is over, whatever the answer's Retry-After says.
		{"GO_AZURE_SDK_SKIP_POLLING_DELAY", "true"},
	}
	// azidentity reads the first four. The endpoint goes into the client's
	// cloud.Configuration; no variable of the SDK's own names it. Azure Service
	// Operator reads these two.
	sdk := []Variable{
		{"AZURE_TENANT_ID", id.TenantID},
		{"AZURE_CLIENT_ID", id.ClientID},
		{"AZURE_CLIENT_SECRET", id.ClientSecret},
		{"AZURE_AUTHORITY_HOST", c.Endpoint + "/"},
		{"AZURE_SUBSCRIPTION_ID", c.subscription},
		{"AZURE_RESOURCE_MANAGER_ENDPOINT", c.Endpoint},
		{"AZURE_RESOURCE_MANAGER_AUDIENCE", c.Endpoint},
	}
	e.Groups = []VariableGroup{{"Terraform (azurerm)", terraform}, {"the Azure SDKs", sdk}}
	if c.dir == "" {
		return e, nil
	}
	dir, err := filepath.Abs(c.dir)
	if err != nil {
		return e, err
	}
	bundle := filepath.Join(dir, bundleFile)
	if err := writeBundle(bundle, id.CACertificate()); err != nil {
		return e, fmt.Errorf("the authorities clients are to trust: %w", err)
	}
	cli, err := azureCLIVariables(dir)
	if err != nil {
		return e, fmt.Errorf("the Azure CLI's folder: %w", err)
	}
	e.Groups = append(e.Groups,
		VariableGroup{"the Azure CLI; `cerulean az` and `cerulean env` sign it in", cli},
		VariableGroup{"all of them: the authorities of this system and this cloud's", []Variable{
			{"SSL_CERT_FILE", bundle}, {"REQUESTS_CA_BUNDLE", bundle},
		}})
	getenv := os.Getenv
	if c.proxy != "" {
		through := "http://" + c.proxy
		e.Groups = append(e.Groups, VariableGroup{"the way to the insides of key vaults and storage accounts", []Variable{
			{"HTTPS_PROXY", through}, {"https_proxy", through},
		}})
		getenv = func(name string) string {
			if name == "HTTPS_PROXY" {
				return through
			}
			return os.Getenv(name)
		}
	}
	if direct := withoutProxy(getenv, c.Endpoint); len(direct) > 0 {
		e.Groups = append(e.Groups, VariableGroup{"no proxy on the way to the cloud", direct})
	}
	return e, nil
}

// withoutProxy returns the variables that keep clients from asking a proxy for
// the endpoint, if the environment names a proxy.
func withoutProxy(getenv func(string) string, endpoint string) []Variable {
	if getenv("HTTPS_PROXY") == "" && getenv("https_proxy") == "" && getenv("ALL_PROXY") == "" && getenv("all_proxy") == "" {
		return nil
	}
	host := hostOf(endpoint)
	var out []Variable
	for _, name := range []string{"NO_PROXY", "no_proxy"} {
		value := host
		if old := getenv(name); old != "" {
			value = old
			listed := false
			for h := range strings.SplitSeq(old, ",") {
				listed = listed || strings.EqualFold(strings.TrimSpace(h), host)
			}
			if !listed {
				value += "," + host
			}
		}
		out = append(out, Variable{name, value})
	}
	return out
}

// ErrNotRunning says that nobody serves a directory's cloud.
var ErrNotRunning = errors.New("no cloud runs")

// DefaultDir is the folder of an embedded cloud whose folder nobody named.
const DefaultDir = ".cerulean"

// FindCloud joins the cloud that another process serves from a directory; of none,
// that of DefaultDir, or else that of the only network that runs. It makes
// nothing: the error is [ErrNotRunning] if nobody does.
func FindCloud(ctx context.Context, dir string) (*Cloud, error) {
	if dir == "" {
		c, err := FindCloud(ctx, DefaultDir)
		if !errors.Is(err, ErrNotRunning) {
			return c, err
		}
		r, err := Connect(ctx, "")
		if errors.Is(err, ErrNoNetwork) {
			return nil, fmt.Errorf("%w in %s, and no network is up", ErrNotRunning, DefaultDir)
		}
		if err != nil {
			return nil, err
		}
		r.Close()
		return FindCloud(ctx, r.Cloud)
	}
	absent := fmt.Errorf("%w in %s", ErrNotRunning, dir)
	if _, err := os.Stat(filepath.Join(dir, endpointFile)); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil, absent
		}
		return nil, err
	}
	identity, err := arm.OpenIdentity(dir)
	if err != nil {
		return nil, err
	}
	c := &Cloud{identity: identity, dir: dir}
	c.transport = newTransport(identity)
	if !c.join(ctx) {
		return nil, errors.Join(absent, c.Close())
	}
	if err := c.connect(); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

// bundleFile holds, in the cloud's directory, the authorities its clients trust:
// those of the system, so that a client may fetch a provider or an extension,
// and the cloud's.
const bundleFile = "ca-bundle.pem"

// bundleMark begins a bundle, so that one is never made part of another.
const bundleMark = "# Cerulean: this cloud's authority, then this system's.\n"

// systemBundles are where systems keep the authorities they trust, as Go's
// crypto/x509 looks for them.
var systemBundles = []string{
	"/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem",
	"/etc/pki/tls/cacert.pem", "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", "/etc/ssl/cert.pem",
}

// writeBundle writes the bundle if it is not what it should be. A system whose
// authorities are not in a file (Windows) has only the cloud's in it.
func writeBundle(path string, authority []byte) error {
	text := append([]byte(bundleMark), authority...)
	own := []string{os.Getenv("SSL_CERT_FILE"), os.Getenv("REQUESTS_CA_BUNDLE")}
	taken := map[string]bool{}
	for i, from := range append(own, systemBundles...) {
		if from == "" || taken[from] || i >= len(own) && len(taken) > 0 {
			continue
		}
		b, err := os.ReadFile(from)
		if err != nil || bytes.HasPrefix(b, []byte(bundleMark)) {
			continue
		}
		taken[from] = true
		text = append(append(text, '\n'), b...)
	}
	if old, err := os.ReadFile(path); err == nil && bytes.Equal(old, text) {
		return nil
	}
	return replaceFile(path, text)
}

// replaceFile writes a file whole or not at all; only its owner can read it.
func replaceFile(path string, b []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*") // mode 0600
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}
