package sql

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"database/sql"
	"encoding/json"
	"errors"
	"math/big"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	mssql "github.com/microsoft/go-mssqldb"
	"github.com/microsoft/go-mssqldb/msdsn"

	"github.com/ceruleannet/cerulean/internal/paas"
	"github.com/ceruleannet/cerulean/internal/sql/tds"
	"github.com/ceruleannet/cerulean/model"
)

const providers = "/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/g/providers/"

func id(t testing.TB, s string) model.ID {
	t.Helper()
	x, err := model.ParseID(providers + s)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

// fakeCloud knows one token.
type fakeCloud struct{ vm model.ID }

func (c fakeCloud) Tenant() string { return "22222222-2222-2222-2222-222222222222" }

func (c fakeCloud) Authenticate(header string, audiences ...string) (paas.Principal, error) {
	if header != "Bearer good" || len(audiences) != 1 || audiences[0] != "https://database.windows.net" {
		return paas.Principal{}, errors.New("the token is not good")
	}
	return paas.Principal{ObjectID: "33333333-3333-3333-3333-333333333333", Resource: c.vm.String()}, nil
}

// resources are two servers with a database in a group, and one database alone.
func resources(t testing.TB) []*model.Resource {
	west, north := id(t, "Microsoft.Sql/servers/west"), id(t, "Microsoft.Sql/servers/north")
	return []*model.Resource{
		{ID: west, Doc: map[string]any{"location": "westeurope", "properties": map[string]any{}}},
		{ID: north, Doc: map[string]any{"location": "northeurope", "properties": map[string]any{}}},
		{ID: west.Child("databases", "orders"), Doc: map[string]any{}},
		{ID: west.Child("databases", "alone"), Doc: map[string]any{}},
		{ID: west.Child("failoverGroups", "Fog"), Doc: map[string]any{"properties": map[string]any{
			"partnerServers":    []any{map[string]any{"id": north.String()}},
			"databases":         []any{west.Child("databases", "orders").String()},
			"readWriteEndpoint": map[string]any{"failoverPolicy": "Automatic", "failoverWithDataLossGracePeriodMinutes": json.Number("60")},
		}}},
	}
}

// bench is servers that tests connect to over pipes.
type bench struct {
	*Servers
	t      testing.TB
	config *tls.Config
	pool   *x509.CertPool
	done   sync.WaitGroup
}

func newBench(t testing.TB) *bench {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Unix(0, 0), NotAfter: time.Unix(1<<33, 0), IsCA: true, BasicConstraintsValid: true,
		DNSNames: []string{"west.database.windows.net", "north.database.windows.net", "fog.database.windows.net"},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{Servers: New(fakeCloud{id(t, "Microsoft.Compute/virtualMachines/vm")}), t: t, pool: x509.NewCertPool()}
	b.pool.AddCert(cert)
	b.config = &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
	b.Follow(resources(t))
	b.Fill([]model.Contents{
		{Service: id(t, "Microsoft.Sql/servers/west"), Logins: map[string]string{"app": "Correct-horse1"}, Users: []model.ID{id(t, "Microsoft.Compute/virtualMachines/vm")}},
		{Service: id(t, "Microsoft.Sql/servers/north"), Logins: map[string]string{"app": "Correct-horse1"}},
	})
	t.Cleanup(func() {
		b.Close()
		b.done.Wait()
	})
	return b
}

// DialContext implements [mssql.Dialer]: the address is that of a server's name.
func (b *bench) DialContext(_ context.Context, _, address string) (net.Conn, error) {
	return b.dial(address, Client{Addr: netip.MustParseAddr("10.0.0.4")})
}

func (b *bench) dial(address string, c Client) (net.Conn, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	name, _, _ := cutDot(host)
	if name == "fog" {
		for _, g := range b.Status() {
			name = g.Servers[0].ID.Name()
		}
	}
	client, server := net.Pipe()
	b.done.Go(func() { b.Serve(server, id(b.t, "Microsoft.Sql/servers/"+name), c, b.config) })
	return client, nil
}

func cutDot(s string) (before, after string, ok bool) {
	for i := range s {
		if s[i] == '.' {
			return s[:i], s[i+1:], true
		}
	}
	return s, "", false
}

func (b *bench) HostName() string { return "" }

// open returns Microsoft's client of a database at a server.
func (b *bench) open(server, database string, change ...func(*msdsn.Config)) *sql.DB {
	b.t.Helper()
	config, err := msdsn.Parse("sqlserver://app:Correct-horse1@" + server + ".database.windows.net:1433?encrypt=true&disableretry=true&database=" + database)
	if err != nil {
		b.t.Fatal(err)
	}
	config.TLSConfig.RootCAs = b.pool
	config.DialTimeout = 10 * time.Second
	for _, f := range change {
		f(&config)
	}
	c := mssql.NewConnectorConfig(config)
	c.Dialer = b
	db := sql.OpenDB(c)
	b.t.Cleanup(func() { db.Close() })
	return db
}

// number returns the number of an error of SQL Server's.
func numberOf(err error) int32 {
	var e mssql.Error
	if errors.As(err, &e) {
		return e.Number
	}
	return 0
}

// login logs in with our own client.
func login(c net.Conn, b *bench) (*tds.Client, error) { return loginTo(c, b, "") }

func loginTo(c net.Conn, b *bench, database string) (*tds.Client, error) {
	return tds.Connect(c, &tls.Config{RootCAs: b.pool, ServerName: "west.database.windows.net"}, tds.Login{User: "app", Password: "Correct-horse1", Database: database})
}
