package sql

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/ceruleannet/cerulean/internal/paas"
	"github.com/microsoft/go-mssqldb/msdsn"
)

// Errors are those of SQL Server, by their numbers.
func TestErrors(t *testing.T) {
	b := newBench(t)
	db := b.open("west", "alone")
	exec := func(s string) error {
		_, err := db.ExecContext(t.Context(), s)
		return err
	}
	if err := exec("CREATE TABLE t (a INT PRIMARY KEY, b INT NOT NULL CHECK (b > 0), c INT UNIQUE); CREATE TABLE u (a INT REFERENCES t(a))"); err != nil {
		t.Fatal(err)
	}
	if err := exec("INSERT INTO t VALUES (1, 1, 1)"); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		in     string
		number int32
	}{
		{"SELECT * FROM nobody", 208},
		{"SELECT nobody FROM t", 207},
		{"INSERT INTO t (z) VALUES (1)", 207},
		{"INSERT INTO t VALUES (1, 1, 2)", 2627},
		{"INSERT INTO t VALUES (2, 1, 1)", 2627},
		{"INSERT INTO t VALUES (3, NULL, 3)", 515},
		{"INSERT INTO t VALUES (3, 0, 3)", 547},
		{"INSERT INTO u VALUES (77)", 547},
		{"CREATE TABLE t (a INT)", 2714},
		{"SELEC 1", 102},
		{"SELECT FROM t", 102},
		{"SELECT @x", 137},
		{"SELECT nobody(1)", 195},
		{"COMMIT", 3902},
		{"ROLLBACK", 3903},
		{"USE other", 40508},
		{"EXEC sp_who", 2812},
	} {
		if err := exec(c.in); numberOf(err) != c.number {
			t.Errorf("%s: %v (%d), want %d", c.in, err, numberOf(err), c.number)
		}
	}
	var n int
	if err := db.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM t").Scan(&n); err != nil || n != 1 {
		t.Error(n, err)
	}
}

// Logins: the password, the database, and the address decide, in Azure's words.
func TestLogins(t *testing.T) {
	b := newBench(t)
	all := resources(t)
	all[0].Doc["properties"] = map[string]any{"administratorLogin": "Boss", paas.PasswordHashProperty: paas.HashPassword("Battery-staple2")}
	b.Follow(all)
	as := func(user, password string) func(*msdsn.Config) {
		return func(c *msdsn.Config) { c.User, c.Password = user, password }
	}
	for _, c := range []struct {
		name   string
		db     *sql.DB
		number int32
	}{
		{"the administrator", b.open("west", "alone", as("boss", "Battery-staple2")), 0},
		{"the administrator at the server", b.open("west", "alone", as("Boss@west", "Battery-staple2")), 0},
		{"the administrator, another password", b.open("west", "alone", as("boss", "Correct-horse1")), 18456},
		{"the administrator, the hash for a password", b.open("west", "alone", as("boss", all[0].Properties()[paas.PasswordHashProperty].(string))), 18456},
		{"the administrator of another server", b.open("north", "orders", as("boss", "Battery-staple2")), 18456},
		{"nobody", b.open("north", "orders", as("", "")), 18456},
		{"right", b.open("west", "alone"), 0},
		{"right, with the server's name", b.open("west", "alone", func(c *msdsn.Config) { c.User = "app@west" }), 0},
		{"TDS 8", b.open("west", "alone", strict(b)), 0},
		{"another password", b.open("west", "alone", func(c *msdsn.Config) { c.Password = "x" }), 18456},
		{"another user", b.open("west", "alone", func(c *msdsn.Config) { c.User = "sa" }), 18456},
		{"no such database", b.open("west", "nothing"), 4060},
	} {
		if err := c.db.PingContext(t.Context()); numberOf(err) != c.number || c.number == 0 && err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

// strict makes a client speak TDS 8: TLS first.
func strict(b *bench) func(*msdsn.Config) {
	return func(c *msdsn.Config) {
		c.Encryption = msdsn.EncryptionStrict
		c.TLSConfig.NextProtos = []string{"tds/8.0"}
		c.TLSConfig.RootCAs = b.pool
	}
}

// A transaction is all or nothing, seen by others when it is committed, and one
// holds the database at a time.
func TestTransactions(t *testing.T) {
	b := newBench(t)
	db := b.open("west", "alone")
	ctx := t.Context()
	if _, err := db.ExecContext(ctx, "CREATE TABLE t (a INT)"); err != nil {
		t.Fatal(err)
	}
	count := func() (n int) {
		if err := db.QueryRowContext(ctx, "SELECT COUNT(*) FROM t").Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := tx.ExecContext(ctx, "INSERT INTO t VALUES (@p1)", 1); err != nil {
			t.Fatal(err)
		}
	}
	if n := count(); n != 0 {
		t.Errorf("%d rows of a transaction are seen before its end", n)
	}
	if err := tx.Commit(); err != nil || count() != 2 {
		t.Error(err, count())
	}
	tx, err = db.BeginTx(ctx, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.ExecContext(ctx, "DELETE t"); err != nil {
		t.Fatal(err)
	}
	if err := tx.Rollback(); err != nil || count() != 2 {
		t.Error(err, count())
	}
	// By statements, with a savepoint.
	if _, err := db.ExecContext(ctx, "BEGIN TRAN; INSERT INTO t VALUES (3); SAVE TRAN s; INSERT INTO t VALUES (4); ROLLBACK TRAN s; COMMIT"); err != nil || count() != 3 {
		t.Error(err, count())
	}
	// A session that ends takes its transaction with it.
	c, err := db.Conn(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.ExecContext(ctx, "BEGIN TRAN; DELETE t"); err != nil {
		t.Fatal(err)
	}
	_ = c.Raw(func(any) error { return errors.New("bad") })
	c.Close()
	db.SetMaxIdleConns(0)
	if _, err := db.ExecContext(ctx, "INSERT INTO t VALUES (5)"); err != nil || count() != 4 {
		t.Error(err, count())
	}
}

// The attention of a client stops a statement, and its session goes on.
func TestCancel(t *testing.T) {
	b := newBench(t)
	db := b.open("west", "alone")
	db.SetMaxOpenConns(1)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	var n int64
	err := db.QueryRowContext(ctx, "WITH c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c) SELECT COUNT(*) FROM c").Scan(&n)
	if err == nil || ctx.Err() == nil {
		t.Fatal(n, err)
	}
	if err := db.QueryRowContext(t.Context(), "SELECT 1").Scan(&n); err != nil || n != 1 {
		t.Error(n, err)
	}
}

// Statements can be prepared at the server, as drivers of other languages do it,
// with parameters by name and by place.
func TestPrepared(t *testing.T) {
	b := newBench(t)
	ctx := t.Context()
	c, err := b.open("west", "alone").Conn(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.ExecContext(ctx, "CREATE TABLE t (a INT, b NVARCHAR(10))"); err != nil {
		t.Fatal(err)
	}
	for _, proc := range []string{"sp_prepexec", "sp_prepare"} {
		var handle int64
		args := []any{sql.Named("handle", sql.Out{Dest: &handle}), sql.Named("params", "@x int, @y nvarchar(10)"), sql.Named("stmt", "INSERT INTO t VALUES (@x, @y)")}
		if proc == "sp_prepexec" {
			args = append(args, sql.Named("x", 1), sql.Named("y", "one"))
		}
		if _, err := c.ExecContext(ctx, proc, args...); err != nil || handle == 0 {
			t.Fatal(proc, handle, err)
		}
		if _, err := c.ExecContext(ctx, "sp_execute", handle, 2, "two"); err != nil {
			t.Error(proc, err)
		}
		if _, err := c.ExecContext(ctx, "sp_unprepare", handle); err != nil {
			t.Error(proc, err)
		}
		if _, err := c.ExecContext(ctx, "sp_execute", handle, 2, "two"); numberOf(err) != 8179 {
			t.Error(proc, err)
		}
	}
	var got string
	if err := c.QueryRowContext(ctx, "SELECT STRING_AGG(CONCAT(a, b), ' ') FROM t").Scan(&got); err != nil || got != "1one 2two 2two" {
		t.Error(got, err)
	}
	if _, err := c.ExecContext(ctx, "sp_who"); numberOf(err) != 2812 {
		t.Error(err)
	}
}

// A secondary has the same bytes as its primary, whatever functions made them.
func TestSecondaryIsTheSame(t *testing.T) {
	b := newBench(t)
	db := b.open("west", "orders")
	ctx := t.Context()
	for _, s := range []string{
		"CREATE TABLE t (id INT IDENTITY PRIMARY KEY, a UNIQUEIDENTIFIER DEFAULT NEWID(), at DATETIME2 DEFAULT GETUTCDATE(), b VARBINARY(MAX))",
		"INSERT INTO t (b) VALUES (randomblob(9000)), (randomblob(10))", "CREATE INDEX i ON t (a)", "UPDATE t SET b = randomblob(3)", "DELETE t WHERE id = 1",
	} {
		if _, err := db.ExecContext(ctx, s); err != nil {
			t.Fatal(err)
		}
	}
	g := b.all()[0]
	g.advance()
	west, north := b.servers[id(t, "Microsoft.Sql/servers/west").Key()].stores["orders"], b.servers[id(t, "Microsoft.Sql/servers/north").Key()].stores["orders"]
	if len(west.image()) == 0 || !bytes.Equal(west.image(), north.image()) {
		t.Errorf("the images differ: %d and %d bytes", len(west.image()), len(north.image()))
	}
	reader := b.open("north", "orders")
	var at time.Time
	if err := reader.QueryRowContext(ctx, "SELECT at FROM t WHERE id = 2").Scan(&at); err != nil || time.Since(at) > time.Hour {
		t.Error(at, err)
	}
	if _, err := reader.ExecContext(ctx, "DELETE t"); numberOf(err) != 3906 {
		t.Error(err)
	}
}

// The firewall's answers come after the login, as a client of Azure sees them.
func TestRefusedByFirewall(t *testing.T) {
	b := newBench(t)
	for access, want := range map[string]string{"": "Client with IP address '203.0.113.9' is not allowed", "Disabled": "public network interface on this server is not accessible"} {
		b.mu.Lock()
		b.servers[id(t, "Microsoft.Sql/servers/west").Key()].properties = map[string]any{"publicNetworkAccess": access}
		b.mu.Unlock()
		c, err := b.dial("west.:1433", Client{Addr: netip.MustParseAddr("203.0.113.9"), Refused: true})
		if err != nil {
			t.Fatal(err)
		}
		_, err = login(c, b)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", access, err)
		}
	}
}
