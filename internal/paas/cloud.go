package paas

import (
	"context"
	"net/netip"
	"time"

	"github.com/ceruleannet/cerulean/model"
)

// Principal is who a request speaks for.
type Principal struct {
	AppID    string // GUID of the application or managed identity
	ObjectID string // GUID that role assignments name
	TenantID string // GUID of the directory
	Issuer   string // of the token
	// Resource is the ID of the resource that a managed identity belongs to, or
	// of the identity itself; "" if it is none.
	Resource string
}

// Right is one operation that a role gives or does not. Data actions and
// actions are separate lists of a role.
type Right struct {
	Action string // "Microsoft.KeyVault/vaults/secrets/getSecret/action"
	Data   bool   // among the dataActions
}

// Token is an access token.
type Token struct {
	Value             string
	NotBefore, Expiry time.Time
}

// Cloud is the control plane as data planes see it. Its methods are safe for
// concurrent use.
type Cloud interface {
	// Resource returns the document of a resource. It must not be changed.
	Resource(id model.ID) (*model.Resource, bool)
	// Authenticate returns who the value of an Authorization header speaks for,
	// if its token is good and for one of the audiences.
	Authenticate(header string, audiences ...string) (Principal, error)
	// May reports whether role assignments give a right at a scope.
	May(who Principal, right Right, scope model.ID) bool
	// Issue signs an access token that is good for some time.
	Issue(who Principal, audience string, life time.Duration) (Token, error)
	// AccountKeys returns the access keys of a storage account.
	AccountKeys(account *model.Resource) [][]byte
	// Tenant returns the GUID of the directory.
	Tenant() string
}

// Client is a connection as the service sees it.
type Client struct {
	Addr netip.Addr // the address it comes from
	// Refused says that the service's own firewall does not let it in; the
	// service answers, and the answer is no.
	Refused bool
}

type clientKey struct{}

// WithClient returns a context of requests from a client.
func WithClient(ctx context.Context, c Client) context.Context {
	return context.WithValue(ctx, clientKey{}, c)
}

func clientOf(ctx context.Context) Client {
	c, _ := ctx.Value(clientKey{}).(Client)
	return c
}

// Limits bound what is kept, and for how long. Zero fields mean the defaults.
type Limits struct {
	// TokenLife is how long the tokens of managed identities are good; default 1
	// hour.
	TokenLife  time.Duration
	Secrets    int   // secrets of one vault, deleted ones too; default 10,000
	Versions   int   // versions of one secret; default 500
	Containers int   // of one account; default 1,000
	Blobs      int   // of one account; default 100,000
	Bytes      int64 // of one account, uncommitted blocks too; default 256 MiB
	Body       int64 // largest body of a request, in bytes; default 64 MiB
}

func (l Limits) orDefaults() Limits {
	d := Limits{Secrets: 10_000, Versions: 500, Containers: 1000, Blobs: 100_000, Bytes: 256 << 20, Body: 64 << 20}
	for _, f := range []struct{ have, otherwise *int }{{&l.Secrets, &d.Secrets}, {&l.Versions, &d.Versions}, {&l.Containers, &d.Containers}, {&l.Blobs, &d.Blobs}} {
		if *f.have <= 0 {
			*f.have = *f.otherwise
		}
	}
	if l.TokenLife <= 0 {
		l.TokenLife = time.Hour
	}
	if l.Bytes <= 0 {
		l.Bytes = d.Bytes
	}
	if l.Body <= 0 {
		l.Body = d.Body
	}
	return l
}
