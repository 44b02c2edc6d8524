package arm

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"
)

// tokenLife is how long an access token is good for, as Azure's default.
const tokenLife = time.Hour

// claims are those clients of Azure look at in an access token.
type claims struct {
	jwt.RegisteredClaims
	// Audience is one string, as in Microsoft's tokens; RFC 7519 allows a list,
	// and some clients do not read one.
	Audience string   `json:"aud"`
	AppID    string   `json:"appid"`
	ObjectID string   `json:"oid"`
	TenantID string   `json:"tid"`
	IDType   string   `json:"idtyp"`
	Roles    []string `json:"roles,omitempty"`
	Version  string   `json:"ver"`
	// Resource is the resource that a managed identity belongs to.
	Resource string `json:"xms_mirid,omitempty"`
}

// principal is who a request speaks for.
type principal struct {
	AppID, ObjectID, TenantID string
}

// issueToken signs an access token of a client for an audience.
func (id *Identity) issueToken(now time.Time, issuer, audience string, who principal) (string, error) {
	return id.issueTokenFor(now, tokenLife, issuer, audience, who, "")
}

// issueTokenFor is issueToken for a managed identity of a resource.
func (id *Identity) issueTokenFor(now time.Time, life time.Duration, issuer, audience string, who principal, resource string) (string, error) {
	t := jwt.NewWithClaims(jwt.SigningMethodES256, claims{
		RegisteredClaims: jwt.RegisteredClaims{
			Issuer:    issuer,
			Subject:   who.ObjectID,
			IssuedAt:  jwt.NewNumericDate(now),
			NotBefore: jwt.NewNumericDate(now),
			ExpiresAt: jwt.NewNumericDate(now.Add(life)),
			ID:        uuid.NewString(),
		},
		Audience: audience, AppID: who.AppID, ObjectID: who.ObjectID, TenantID: who.TenantID, IDType: "app", Version: "1.0", Resource: resource,
	})
	t.Header["kid"] = id.tokenKeyID
	return t.SignedString(id.tokenKey)
}

// Audiences of Azure's own Resource Manager, which clients may ask tokens for
// whatever endpoint they were given.
var azureAudiences = []string{"https://management.azure.com", "https://management.core.windows.net"}

// Errors of a token check, in the words of the answer.
var (
	errNoToken       = errors.New("the 'Authorization' header is missing or not of the form 'Bearer TOKEN'")
	errTokenExpired  = errors.New("the access token has expired")
	errTokenAudience = errors.New("the access token is for another audience")
	errTokenIssuer   = errors.New("the access token is from the wrong issuer")
	errTokenInvalid  = errors.New("the access token is invalid")
)

// tokenCache remembers tokens whose signature was checked: checking one costs
// more than the rest of a small request.
type tokenCache struct {
	mu    sync.Mutex
	known map[[sha256.Size]byte]*claims
}

// maxKnownTokens bounds the cache; when full it is emptied.
const maxKnownTokens = 1024

// check returns who the value of an Authorization header speaks for, to Resource
// Manager at an address.
func (c *tokenCache) check(id *Identity, header string, now time.Time, audience string) (principal, error) {
	cl, err := c.verify(id, header, now)
	if err != nil {
		return principal{}, err
	}
	a := strings.TrimRight(cl.Audience, "/")
	if strings.EqualFold(a, audience) || strings.EqualFold(a, azureAudiences[0]) || strings.EqualFold(a, azureAudiences[1]) {
		return principal{cl.AppID, cl.ObjectID, cl.TenantID}, nil
	}
	return principal{}, fmt.Errorf("%w (%s)", errTokenAudience, cl.Audience)
}

// verify returns the claims of the token in the value of an Authorization
// header, whatever its audience.
func (c *tokenCache) verify(id *Identity, header string, now time.Time) (*claims, error) {
	scheme, token, ok := strings.Cut(header, " ")
	if !ok || !strings.EqualFold(scheme, "Bearer") {
		return nil, errNoToken
	}
	sum := sha256.Sum256([]byte(token))
	c.mu.Lock()
	cl := c.known[sum]
	c.mu.Unlock()
	if cl == nil {
		cl = &claims{}
		parser := jwt.NewParser(jwt.WithValidMethods([]string{jwt.SigningMethodES256.Alg()}), jwt.WithoutClaimsValidation())
		if _, err := parser.ParseWithClaims(token, cl, func(*jwt.Token) (any, error) { return &id.tokenKey.PublicKey, nil }); err != nil {
			return nil, errTokenInvalid
		}
		c.mu.Lock()
		if c.known == nil || len(c.known) >= maxKnownTokens {
			c.known = map[[sha256.Size]byte]*claims{}
		}
		c.known[sum] = cl
		c.mu.Unlock()
	}
	switch {
	case cl.ExpiresAt == nil || cl.NotBefore == nil || cl.AppID == "" || cl.ObjectID == "":
		return nil, errTokenInvalid
	case cl.TenantID != id.TenantID || !id.issuedHere(cl.Issuer):
		return nil, errTokenIssuer
	case !now.Before(cl.ExpiresAt.Time):
		return nil, errTokenExpired
	case now.Before(cl.NotBefore.Add(-time.Minute)):
		return nil, errTokenInvalid
	}
	return cl, nil
}

// issuedHere reports whether an issuer is one of this server's authorities:
// https, one of its names, and a tenant that it answers for.
func (id *Identity) issuedHere(issuer string) bool {
	u, err := url.Parse(issuer)
	if err != nil || u.Scheme != "https" || !id.tenant(strings.Trim(u.Path, "/")) {
		return false
	}
	return slices.ContainsFunc(id.hosts, func(h string) bool { return strings.EqualFold(h, u.Hostname()) })
}

// tenant reports whether the first segment of an authority is the installation's
// tenant or an alias of it.
func (id *Identity) tenant(name string) bool {
	switch strings.ToLower(name) {
	case id.TenantID, "adfs", "common", "organizations":
		return true
	}
	return false
}
