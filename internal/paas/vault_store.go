package paas

import (
	"errors"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
)

// Limits of secrets ("About Azure Key Vault secrets", "Azure Key Vault service
// limits").
const (
	maxSecretValue = 25 << 10 // bytes
	maxSecretTags  = 15
	maxTagText     = 256 // characters of a tag's name or value
	maxContentType = 255
)

var secretName = regexp.MustCompile(`^[0-9A-Za-z-]{1,127}$`)

// retention is how long deleted secrets can be recovered, in days, where the
// vault does not say.
const retention = 90

// Errors of a vault's contents.
var (
	errSecretNotFound = errors.New("secret not found")
	errSecretDeleted  = errors.New("secret is deleted but recoverable")
	errSecretExists   = errors.New("secret exists")
	errVaultFull      = errors.New("the vault is full: it keeps no more here")
	errSecretValue    = errors.New("a secret has at most 25 KiB")
	errSecretName     = errors.New("a secret's name has 1 to 127 letters, digits and '-'")
)

// vault is what a key vault holds.
type vault struct {
	limits Limits

	mu      sync.Mutex
	secrets map[string]*secret // by lower-case name
	deleted map[string]*secret
}

// secret is one secret with its versions.
type secret struct {
	name      string
	versions  []*secretVersion // oldest first, never empty
	deletedAt time.Time
	purgeAt   time.Time
}

func (s *secret) latest() *secretVersion { return s.versions[len(s.versions)-1] }

func (s *secret) version(id string) *secretVersion {
	if id == "" {
		return s.latest()
	}
	for _, v := range s.versions {
		if strings.EqualFold(v.id, id) {
			return v
		}
	}
	return nil
}

// secretVersion is one version of a secret. It is never changed in place.
type secretVersion struct {
	id               string // 32 hexadecimal digits
	value            string
	contentType      string
	tags             map[string]string
	disabled         bool
	notBefore        int64 // seconds since 1970, 0 for none
	expires          int64
	created, updated int64
}

// secretInput is what a client gives of a version; nil parts are not given.
type secretInput struct {
	value       string
	contentType *string
	tags        map[string]string
	enabled     *bool
	notBefore   *int64
	expires     *int64
}

func (in *secretInput) apply(v *secretVersion) {
	if in.contentType != nil {
		v.contentType = *in.contentType
	}
	if in.tags != nil {
		v.tags = maps.Clone(in.tags)
	}
	if in.enabled != nil {
		v.disabled = !*in.enabled
	}
	if in.notBefore != nil {
		v.notBefore = *in.notBefore
	}
	if in.expires != nil {
		v.expires = *in.expires
	}
}

// forget drops deleted secrets whose time has come. The caller holds mu.
func (v *vault) forget(now time.Time) {
	maps.DeleteFunc(v.deleted, func(_ string, s *secret) bool { return !s.purgeAt.After(now) })
}

// set adds a version; the first makes the secret.
func (v *vault) set(name string, in secretInput, now time.Time) (*secretVersion, error) {
	if !secretName.MatchString(name) {
		return nil, errSecretName
	}
	if len(in.value) > maxSecretValue {
		return nil, errSecretValue
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.forget(now)
	key := strings.ToLower(name)
	if v.deleted[key] != nil {
		return nil, errSecretDeleted
	}
	s := v.secrets[key]
	switch {
	case s == nil && len(v.secrets)+len(v.deleted) >= v.limits.Secrets, s != nil && len(s.versions) >= v.limits.Versions:
		return nil, errVaultFull
	case s == nil:
		s = &secret{name: name}
		v.secrets[key] = s
	}
	x := &secretVersion{id: newVersion(), value: in.value, created: now.Unix(), updated: now.Unix()}
	in.apply(x)
	s.versions = append(s.versions, x)
	return x, nil
}

// get returns a version, the newest if id is empty.
func (v *vault) get(name, id string) (*secret, *secretVersion, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	s := v.secrets[strings.ToLower(name)]
	if s == nil {
		return nil, nil, errSecretNotFound
	}
	x := s.version(id)
	if x == nil {
		return nil, nil, errSecretNotFound
	}
	return s, x, nil
}

// update changes what a version says besides its value.
func (v *vault) update(name, id string, in secretInput, now time.Time) (*secretVersion, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	s := v.secrets[strings.ToLower(name)]
	if s == nil {
		return nil, errSecretNotFound
	}
	old := s.version(id)
	if old == nil {
		return nil, errSecretNotFound
	}
	x := *old
	in.apply(&x)
	x.updated = now.Unix()
	s.versions = slices.Clone(s.versions)
	s.versions[slices.Index(s.versions, old)] = &x
	return &x, nil
}

// remove deletes a secret, which can be recovered for the vault's days.
func (v *vault) remove(name string, now time.Time, days int) (*secret, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.forget(now)
	key := strings.ToLower(name)
	s := v.secrets[key]
	if s == nil {
		return nil, errSecretNotFound
	}
	gone := *s
	gone.deletedAt, gone.purgeAt = now, now.AddDate(0, 0, days)
	delete(v.secrets, key)
	v.deleted[key] = &gone
	return &gone, nil
}

// removed returns a deleted secret.
func (v *vault) removed(name string, now time.Time) (*secret, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.forget(now)
	s := v.deleted[strings.ToLower(name)]
	if s == nil {
		return nil, errSecretNotFound
	}
	return s, nil
}

// recover takes a deleted secret back.
func (v *vault) recover(name string, now time.Time) (*secret, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.forget(now)
	key := strings.ToLower(name)
	s := v.deleted[key]
	if s == nil {
		return nil, errSecretNotFound
	}
	back := *s
	back.deletedAt, back.purgeAt = time.Time{}, time.Time{}
	delete(v.deleted, key)
	v.secrets[key] = &back
	return &back, nil
}

// purge forgets a deleted secret for good.
func (v *vault) purge(name string, now time.Time) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.forget(now)
	key := strings.ToLower(name)
	if v.deleted[key] == nil {
		return errSecretNotFound
	}
	delete(v.deleted, key)
	return nil
}

// restore puts back a secret that a backup holds.
func (v *vault) restore(s *secret, now time.Time) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.forget(now)
	key := strings.ToLower(s.name)
	switch {
	case v.secrets[key] != nil || v.deleted[key] != nil:
		return errSecretExists
	case len(v.secrets)+len(v.deleted) >= v.limits.Secrets:
		return errVaultFull
	}
	v.secrets[key] = s
	return nil
}

// list returns copies of the secrets, or the deleted ones, by name.
func (v *vault) list(deleted bool, now time.Time) []secret {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.forget(now)
	from := v.secrets
	if deleted {
		from = v.deleted
	}
	keys := slices.Sorted(maps.Keys(from))
	out := make([]secret, len(keys))
	for i, k := range keys {
		out[i] = *from[k]
	}
	return out
}
