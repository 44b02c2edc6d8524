package lab_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	mssql "github.com/microsoft/go-mssqldb"
	"github.com/microsoft/go-mssqldb/msdsn"

	"github.com/ceruleannet/cerulean/lab"
)

// ledger is two regions with a failover group behind private endpoints, one host
// in each, and one without an endpoint's names.
const ledger = `
network: books
regions: [westeurope, northeurope]
networks:
  - name: app-{region}
    each: region
    subnets:
      web:
        hosts:
          web-{region}: {identity: system}
      links: {}
peerings:
  - between: [app-westeurope, app-northeurope]
services:
  - name: books-sql-{region}
    each: region
    kind: sql
    public: false
    logins: {books: Correct-horse1}
    users: [web-westeurope]
failover-groups:
  - {name: books-data, servers: [books-sql-westeurope, books-sql-northeurope], databases: [ledger]}
private-endpoints:
  - {name: "sql-{region}", each: region, service: "books-sql-{region}", subnet: "links in app-{region}", zones: [privatelink.database.windows.net]}
dns:
  privatelink.database.windows.net: {link: all}
expectations:
  - resolves: [books-data.database.windows.net, books-data.secondary.database.windows.net]
  - allow: web -> endpoint:sql-westeurope sqlserver
  - allow: web -> endpoint:sql-northeurope sqlserver
  - deny: internet -> books-sql-westeurope
`

// connect returns Microsoft's client at a host, of a server by its name.
func connect(t *testing.T, l *lab.Lab, host, server string, change ...func(*mssql.Connector, *msdsn.Config)) *sql.DB {
	t.Helper()
	config, err := msdsn.Parse("sqlserver://books:Correct-horse1@" + server + ".database.windows.net:1433?encrypt=true&database=ledger&dial+timeout=2&disableretry=true")
	if err != nil {
		t.Fatal(err)
	}
	config.TLSConfig.RootCAs = l.RootCAs()
	c := mssql.NewConnectorConfig(config)
	c.Dialer = dialer{l.Host(host)}
	for _, f := range change {
		f(c, &config)
	}
	db := sql.OpenDB(c)
	t.Cleanup(func() { db.Close() })
	return db
}

// dialer makes a host dial by names: it resolves them through the network.
type dialer struct{ *lab.Host }

func (d dialer) HostName() string { return "books" }

// "Failover groups overview", planned failover: no data loss, and the listener
// leads to the new primary within the TTL of its name.
func TestPlannedFailoverMovesTheListener(t *testing.T) {
	l := lab.Declare(t, ledger, lab.WithPace(1000))
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	db := connect(t, l, "web-westeurope", "books-data")
	if _, err := db.ExecContext(ctx, "CREATE TABLE t (n INT); INSERT INTO t VALUES (1)"); err != nil {
		t.Fatal(err)
	}
	if got := who(ctx, t, db); got != "books-sql-westeurope READ_WRITE" {
		t.Error(got)
	}
	readers := connect(t, l, "web-northeurope", "books-data.secondary")
	if got := who(ctx, t, readers); got != "books-sql-northeurope READ_ONLY" {
		t.Error(got)
	}
	var e mssql.Error
	if _, err := readers.ExecContext(ctx, "INSERT INTO t VALUES (2)"); !errors.As(err, &e) || e.Number != 3906 {
		t.Errorf("a write at the secondary: %v", err)
	}
	f, err := l.Failover(ctx, "books-data", "", false)
	if err != nil || f.Forced || len(f.Lost) > 0 || f.To != "books-sql-northeurope" {
		t.Fatal(f, err)
	}
	// The connection is gone. Each new one resolves the name anew; while a resolver
	// keeps the old answer it leads to what is the secondary now.
	db.SetMaxIdleConns(0)
	for who := ""; who != "books-sql-northeurope READ_WRITE"; {
		if ctx.Err() != nil {
			t.Fatal("the listener did not move")
		}
		_ = db.QueryRowContext(ctx, "SELECT @@SERVERNAME + ' ' + DATABASEPROPERTYEX(DB_NAME(), 'Updateability')").Scan(&who)
	}
	var n int
	if err := db.QueryRowContext(ctx, "SELECT n FROM t").Scan(&n); err != nil || n != 1 {
		t.Error(n, err)
	}
	if err := l.Check(); err != nil {
		t.Error(err)
	}
}

func who(ctx context.Context, t *testing.T, db *sql.DB) string {
	t.Helper()
	var name string
	if err := db.QueryRowContext(ctx, "SELECT @@SERVERNAME + ' ' + DATABASEPROPERTYEX(DB_NAME(), 'Updateability')").Scan(&name); err != nil {
		t.Fatal(err)
	}
	return name
}

// A managed identity of the network's own cloud logs in with its token, in either
// way that clients have; a host that is no user does not.
func TestManagedIdentityLogsIn(t *testing.T) {
	l := lab.Declare(t, ledger)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	for _, host := range []string{"web-westeurope", "web-northeurope"} {
		token, err := identityToken(ctx, l, host)
		if err != nil {
			t.Fatal(err)
		}
		for way, make := range map[string]func(msdsn.Config) (*mssql.Connector, error){
			"security token": func(c msdsn.Config) (*mssql.Connector, error) {
				return mssql.NewSecurityTokenConnector(c, func(context.Context) (string, error) { return token, nil })
			},
			"as the server says": func(c msdsn.Config) (*mssql.Connector, error) {
				return mssql.NewActiveDirectoryTokenConnector(c, mssql.FedAuthADALWorkflowMSI, func(_ context.Context, spn, sts string) (string, error) {
					if spn != "https://database.windows.net/" || !strings.HasPrefix(sts, "https://login.microsoftonline.com/") {
						return "", errors.New(spn + " " + sts)
					}
					return token, nil
				})
			},
		} {
			t.Run(host+" "+way, func(t *testing.T) {
				config, err := msdsn.Parse("sqlserver://books-data.database.windows.net:1433?encrypt=true&database=ledger&disableretry=true")
				if err != nil {
					t.Fatal(err)
				}
				config.TLSConfig.RootCAs = l.RootCAs()
				c, err := make(config)
				if err != nil {
					t.Fatal(err)
				}
				c.Dialer = dialer{l.Host(host)}
				db := sql.OpenDB(c)
				defer db.Close()
				var user string
				err = db.QueryRowContext(ctx, "SELECT SUSER_SNAME()").Scan(&user)
				if is := host == "web-westeurope"; is != (err == nil) || is && user != host {
					t.Error(user, err)
				}
			})
		}
	}
}

// elsewhere dials from one host what another resolves.
type elsewhere struct {
	dialer
	names *lab.Host
}

func (e elsewhere) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	name, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	addrs, err := e.names.LookupHost(ctx, name)
	if err != nil {
		return nil, err
	}
	return e.dialer.DialContext(ctx, network, net.JoinHostPort(addrs[0].String(), port))
}

// identityToken asks a host's metadata for a token of its managed identity.
func identityToken(ctx context.Context, l *lab.Lab, host string) (string, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://169.254.169.254/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https://database.windows.net/", nil)
	if err != nil {
		return "", err
	}
	r.Header.Set("Metadata", "true")
	res, err := l.Host(host).HTTPClient().Do(r)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	var answer struct {
		Token string `json:"access_token"`
	}
	err = json.NewDecoder(res.Body).Decode(&answer)
	return answer.Token, err
}

// "Azure SQL Database and Azure Synapse IP firewall rules": the server's own
// answer to who may not come in by its public address.
func TestServerFirewallAnswers(t *testing.T) {
	for _, c := range []struct {
		name, service string
		number        int32
	}{
		{"public access off", "public: false", 47073},
		{"no rule for the address", "public: true", 40615},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := lab.Declare(t, strings.NewReplacer("public: false", c.service, "{link: all}", "{link: [app-northeurope]}", "  - resolves: [books-data.database.windows.net, books-data.secondary.database.windows.net]\n", "").Replace(ledger))
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
			defer cancel()
			db := connect(t, l, "internet", "books-sql-westeurope", func(c *mssql.Connector, _ *msdsn.Config) {
				c.Dialer = elsewhere{dialer{l.Host("internet")}, l.Host("web-westeurope")}
			})
			var e mssql.Error
			if err := db.PingContext(ctx); !errors.As(err, &e) || e.Number != c.number {
				t.Errorf("%v, want error %d", err, c.number)
			}
		})
	}
}

// A drill writes to failover groups meanwhile: what fails here is not the primary's,
// so nothing moves and nothing is lost.
func TestDrillOfAFailoverGroup(t *testing.T) {
	l := lab.Declare(t, ledger, lab.WithPace(1000))
	d := kept(t, l, "host web-northeurope", 100*time.Millisecond)
	if len(d.Groups) != 1 {
		t.Fatalf("%d failover groups\n%s", len(d.Groups), d)
	}
	g := d.Groups[0]
	if g.Group != "books-data" || g.From != "books-sql-westeurope" || g.To != "" || g.FailedOver >= 0 || g.Lost != 0 || g.Acknowledged == 0 || g.Result != "as predicted" || g.Why != "" {
		t.Errorf("%+v\n%s", g, d)
	}
}
