package arm

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/google/uuid"
)

// principalsFile holds the installation's further clients, beside its identity.
const principalsFile = "principals.json"

// Principal is a client of the installation besides its first: it may do what
// role assignments say, and nothing without one.
type Principal struct {
	Name     string `json:"name"`
	ClientID string `json:"client"` // GUID
	ObjectID string `json:"object"` // GUID, which role assignments name
	// SecretHash is the SHA-256 of the secret, which is itself told once and
	// kept nowhere. It is of 260 random bits, so that guessing is hopeless.
	SecretHash []byte `json:"secretSha256"`
}

// ErrNoPrincipal means that there is no client of a name.
var ErrNoPrincipal = errors.New("there is no such principal")

var principalName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

// AddPrincipal makes a client with a name and returns it with its secret. A
// server of the same directory knows it from then on.
func (id *Identity) AddPrincipal(name string) (Principal, string, error) {
	if !principalName.MatchString(name) {
		return Principal{}, "", fmt.Errorf("%q is no name for a principal: 1 to 64 letters, digits, dots, hyphens and underscores", name)
	}
	id.principalsMu.Lock()
	defer id.principalsMu.Unlock()
	all, err := id.readPrincipals()
	if err != nil {
		return Principal{}, "", err
	}
	if slices.ContainsFunc(all, func(p Principal) bool { return strings.EqualFold(p.Name, name) }) {
		return Principal{}, "", fmt.Errorf("the principal %q exists; remove it first, or use another name", name)
	}
	secret := rand.Text() + rand.Text()
	p := Principal{Name: name, ClientID: uuid.NewString(), ObjectID: uuid.NewString(), SecretHash: hash([]byte(secret))}
	return p, secret, id.writePrincipals(append(all, p))
}

// RemovePrincipal forgets a client and returns it; tokens it has are good until
// they expire. It returns ErrNoPrincipal if there is none of the name.
func (id *Identity) RemovePrincipal(name string) (Principal, error) {
	id.principalsMu.Lock()
	defer id.principalsMu.Unlock()
	all, err := id.readPrincipals()
	if err != nil {
		return Principal{}, err
	}
	i := slices.IndexFunc(all, func(p Principal) bool { return strings.EqualFold(p.Name, name) })
	if i < 0 {
		return Principal{}, fmt.Errorf("%w: %q", ErrNoPrincipal, name)
	}
	gone := all[i]
	return gone, id.writePrincipals(slices.Delete(all, i, i+1))
}

// Principals returns the further clients, by name.
func (id *Identity) Principals() ([]Principal, error) {
	id.principalsMu.Lock()
	defer id.principalsMu.Unlock()
	all, err := id.readPrincipals()
	slices.SortFunc(all, func(a, b Principal) int { return strings.Compare(a.Name, b.Name) })
	return all, err
}

// readPrincipals reads the file anew: another process may have changed it.
func (id *Identity) readPrincipals() ([]Principal, error) {
	if id.dir == "" {
		return slices.Clone(id.principals), nil
	}
	path := filepath.Join(id.dir, principalsFile)
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s is not a regular file", path)
	case info.Mode().Perm()&0o077 != 0:
		return nil, fmt.Errorf("%s can be read by others (mode %o); run chmod 600 on it", path, info.Mode().Perm())
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var all []Principal
	if err := json.Unmarshal(b, &all); err != nil {
		return nil, fmt.Errorf("%s: %w; move the file away and add the principals again", path, err)
	}
	return all, nil
}

func (id *Identity) writePrincipals(all []Principal) error {
	id.principals = all
	if id.dir == "" {
		return nil
	}
	b, err := json.MarshalIndent(all, "", "  ")
	if err != nil {
		return err
	}
	return writeFile(filepath.Join(id.dir, principalsFile), append(b, '\n'))
}

// client returns who a client ID is, and whether the secret is the client's.
func (id *Identity) client(clientID, secret string) (who principal, known, proved bool, err error) {
	if strings.EqualFold(clientID, id.ClientID) {
		return principal{id.ClientID, id.ObjectID, id.TenantID}, true, subtle.ConstantTimeCompare([]byte(secret), []byte(id.ClientSecret)) == 1, nil
	}
	all, err := id.Principals()
	for _, p := range all {
		if strings.EqualFold(p.ClientID, clientID) {
			sum := sha256.Sum256([]byte(secret))
			return principal{p.ClientID, p.ObjectID, id.TenantID}, true, subtle.ConstantTimeCompare(sum[:], p.SecretHash) == 1, nil
		}
	}
	return principal{}, false, false, err
}
