package lab

import (
	"context"
	"crypto/x509"
	"sync"
	"time"

	"github.com/ceruleannet/cerulean/internal/fabric/compile"
	"github.com/ceruleannet/cerulean/internal/paas"
	"github.com/ceruleannet/cerulean/internal/proof"
	"github.com/ceruleannet/cerulean/internal/sql"
	"github.com/ceruleannet/cerulean/model"
)

// databases are the SQL servers of a lab.
type databases struct {
	*sql.Servers
	watching sync.WaitGroup
	end      context.CancelFunc
}

// newDatabases makes the SQL servers of a network; nil if it has none.
func newDatabases(n *model.Network, c *cloud) *databases {
	for _, r := range n.Resources {
		if r.ID.Is(model.TypeSQLServer) {
			d := &databases{Servers: sql.New(c)}
			d.Follow(n.Resources)
			d.Fill(n.Contents)
			return d
		}
	}
	return nil
}

// Authenticate implements [sql.Cloud].
func (c *cloud) Authenticate(header string, audiences ...string) (paas.Principal, error) {
	if _, err := c.planes(); err != nil {
		return paas.Principal{}, err
	}
	return c.control.Authenticate(header, audiences...)
}

// Tenant implements [sql.Cloud].
func (c *cloud) Tenant() string {
	if _, err := c.planes(); err != nil {
		return ""
	}
	return c.control.Tenant()
}

// start puts the servers into the running network: what fails over there moves
// the network's names.
func (d *databases) start(l *Lab) {
	var ctx context.Context
	ctx, d.end = context.WithCancel(context.Background())
	d.Attach(l.live, l.moved)
	d.watching.Go(func() {
		for {
			_, _, changed := l.live.Forced()
			d.Disturbed()
			select {
			case <-ctx.Done():
				return
			case <-changed:
			}
		}
	})
}

// close ends them.
func (d *databases) close() {
	d.end()
	d.watching.Wait()
	d.Close()
}

// moved compiles the network anew with another primary in a failover group.
func (l *Lab) moved(f sql.Failover) {
	l.mu.Lock()
	defer l.mu.Unlock()
	resources := sql.WithPrimary(l.resources, f.Group, f.To)
	img, err := compile.Compile(resources, compile.Options{Epoch: l.image.Epoch + 1, Internet: l.network.Internet})
	if err != nil {
		return // it differs from what was compiled by an alias only
	}
	l.resources, l.image = resources, img
	l.prover = sync.OnceValue(func() *proof.Prover { return proof.New(img) })
	l.live.Swap(img)
}

// Failover is a change of a failover group's roles.
type Failover struct {
	Group, From, To string // the group and its primaries before and after, by name
	Forced          bool
	Took            time.Duration
	// Lost counts the commits that were acknowledged and are gone, by database.
	Lost map[string]int
}

// Failover makes a server the primary of a SQL failover group; "" is its first
// secondary. A planned failover waits until the server has every commit and loses
// nothing; with allowDataLoss it takes over at once. The names of the group lead
// there when it returns, but resolvers keep what they have for the TTL of 30
// seconds, which [WithPace] shortens. In a test an error fails it.
func (l *Lab) Failover(ctx context.Context, group, to string, allowDataLoss bool) (Failover, error) {
	mode := sql.Planned
	if allowDataLoss {
		mode = sql.Forced
	}
	var f sql.Failover
	err := sql.ErrNoGroup
	if l.databases != nil {
		f, err = l.databases.Servers.Failover(ctx, group, to, mode)
	}
	if err != nil {
		if l.tb != nil {
			l.tb.Helper()
			l.tb.Fatal(err)
		}
		return Failover{}, err
	}
	out := Failover{Group: f.Group, From: f.From.Name(), To: f.To.Name(), Forced: f.Forced, Took: f.At.Sub(f.Began), Lost: map[string]int{}}
	for _, x := range f.Lost {
		out.Lost[x.Database] = int(x.Commits())
	}
	return out, nil
}

// RootCAs returns the authority that the network's services have their
// certificates from: for clients of protocols of their own, such as
// github.com/microsoft/go-mssqldb. [Host.HTTPClient] trusts it already.
func (l *Lab) RootCAs() *x509.CertPool { return l.live.RootCAs() }
