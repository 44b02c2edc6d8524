package paas

import (
	"crypto/rand"
	"fmt"
	"maps"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/ceruleannet/cerulean/model"
)

// Planes are the data planes of one cloud.
type Planes struct {
	cloud  Cloud
	now    func() time.Time
	limits Limits
	// sealKey authenticates backups.
	sealKey []byte

	mu       sync.Mutex
	vaults   map[string]*vault   // by lower-case ID
	accounts map[string]*account // by lower-case ID
}

// New returns the data planes of a cloud. now is their clock.
func New(cloud Cloud, now func() time.Time, limits Limits) *Planes {
	return &Planes{sealKey: []byte(rand.Text() + rand.Text()), cloud: cloud, now: now, limits: limits.orDefaults(), vaults: map[string]*vault{}, accounts: map[string]*account{}}
}

// planeNames are the DNS suffixes of the data planes that there are, by
// resource type and sub-resource ("Azure Private Endpoint private DNS zone
// values").
var planeNames = []struct{ kind, group, suffix string }{
	{model.TypeKeyVault, "vault", ".vault.azure.net"},
	{model.TypeStorageAccount, "blob", ".blob.core.windows.net"},
}

// Serves returns the DNS names that a resource's data planes have, empty if it
// has none. Clients reach each at TCP port 443.
func Serves(resource model.ID) []string {
	var out []string
	for _, n := range planeNames {
		if resource.Is(n.kind) {
			out = append(out, strings.ToLower(resource.Name())+n.suffix)
		}
	}
	return out
}

// Named returns the type and the name of the resource that answers by a DNS name,
// if it is a name of data planes at all. No resource of the name need be there.
func Named(host string) (resourceType, name string, ok bool) {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	for _, n := range planeNames {
		if name, ok := strings.CutSuffix(host, n.suffix); ok && name != "" && !strings.Contains(name, ".") {
			return n.kind, name, true
		}
	}
	return "", "", false
}

// Service returns the data plane of a resource, nil if its type has none.
// Requests tell by their context who asks ([WithClient]).
func (p *Planes) Service(resource model.ID) http.Handler {
	switch {
	case resource.Is(model.TypeKeyVault):
		return vaultServer{p, resource}
	case resource.Is(model.TypeStorageAccount):
		return blobServer{p, resource}
	}
	return nil
}

func (p *Planes) vault(id model.ID) *vault {
	p.mu.Lock()
	defer p.mu.Unlock()
	v := p.vaults[id.Key()]
	if v == nil {
		v = &vault{limits: p.limits, secrets: map[string]*secret{}, deleted: map[string]*secret{}}
		p.vaults[id.Key()] = v
	}
	return v
}

func (p *Planes) account(id model.ID) *account {
	p.mu.Lock()
	defer p.mu.Unlock()
	a := p.accounts[id.Key()]
	if a == nil {
		a = &account{limits: p.limits, containers: map[string]*container{}}
		p.accounts[id.Key()] = a
	}
	return a
}

// Fill puts declared contents into the data planes of a network's services.
func (p *Planes) Fill(contents []model.Contents) error {
	for i := range contents {
		c := &contents[i]
		at := ""
		if !c.Pos.IsZero() {
			at = c.Pos.String() + ": "
		}
		for _, name := range sortedKeys(c.Secrets) {
			if _, err := p.vault(c.Service).set(name, secretInput{value: c.Secrets[name]}, p.now()); err != nil {
				return fmt.Errorf("%ssecret %s of %s: %w", at, name, c.Service.Name(), err)
			}
		}
		a := p.account(c.Service)
		for _, path := range sortedKeys(c.Blobs) {
			container, name, _ := strings.Cut(path, "/")
			if err := a.fill(container, name, []byte(c.Blobs[path]), p.now()); err != nil {
				return fmt.Errorf("%sblob %s of %s: %w", at, path, c.Service.Name(), err)
			}
		}
	}
	return nil
}

func sortedKeys(m map[string]string) []string { return slices.Sorted(maps.Keys(m)) }

func sortedNames(m map[string]any) []string { return slices.Sorted(maps.Keys(m)) }

// applicationOf is the application ID of a system-assigned identity, which
// Microsoft Entra makes with it: here always the same for its object ID.
func applicationOf(object string) string {
	return uuid.NewSHA1(uuid.NameSpaceOID, []byte("application of "+strings.ToLower(object))).String()
}

// Names returns the DNS names of a resource's data planes, empty if it has none.
func (p *Planes) Names(resource model.ID) []string { return Serves(resource) }

// Plane returns the data plane of a resource as it answers a connection from an
// address; refused means that the service's own firewall does not let it in.
func (p *Planes) Plane(resource model.ID, from netip.Addr, refused bool) http.Handler {
	h := p.Service(resource)
	if h == nil {
		return http.NotFoundHandler()
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.ServeHTTP(w, r.WithContext(WithClient(r.Context(), Client{Addr: from, Refused: refused})))
	})
}
