package sql

import (
	"slices"
	"strings"
	"testing"
)

// What people write in Transact-SQL, as SQLite takes it.
func TestTranslate(t *testing.T) {
	env := &environment{server: "west", database: "orders", user: "app", edition: productEdition, version: "v", updateable: true, session: 51, rows: 2, identity: 9, hasIdentity: true, transactions: 1}
	for _, c := range []struct{ in, want string }{
		{"SELECT @@SERVERNAME, @@SPID, @@ROWCOUNT, @@TRANCOUNT, SCOPE_IDENTITY()", "SELECT 'west', 51, 2, 1, 9"},
		{"SELECT DATABASEPROPERTYEX(DB_NAME(), 'Updateability')", "SELECT 'READ_WRITE'"},
		{"select DatabasePropertyEx('orders','updateability') as x", "select 'READ_WRITE' as x"},
		{"SELECT TOP 3 a FROM dbo.t ORDER BY a", "SELECT a FROM t ORDER BY a LIMIT 3"},
		{"SELECT TOP (@n) a FROM (SELECT TOP 1 a FROM [dbo].[t b]) x", `SELECT a FROM (SELECT a FROM "t b" LIMIT 1) x LIMIT @n`},
		{"SELECT a FROM t ORDER BY a OFFSET 5 ROWS FETCH NEXT @n ROWS ONLY", "SELECT a FROM t ORDER BY a LIMIT @n OFFSET 5"},
		{"SELECT a FROM t ORDER BY a OFFSET @skip ROWS", "SELECT a FROM t ORDER BY a LIMIT -1 OFFSET @skip"},
		{"SELECT ISNULL(a, N'é') + 'x' FROM t WITH (NOLOCK)", "SELECT IFNULL(a, 'é') || 'x' FROM t"},
		{"SELECT LEN([a]]b]) -- comment\n, 0x0aF", `SELECT LENGTH("a]b") , x'00aF'`},
		{"INSERT t (a) OUTPUT INSERTED.id, inserted.a VALUES ('it''s')", "INSERT INTO t (a) VALUES ('it''s') RETURNING id, a"},
		{"DELETE t WHERE a /* x /* nested */ */ = 1", "DELETE FROM t WHERE a = 1"},
		{"TRUNCATE TABLE t", "DELETE FROM t"},
		{
			"CREATE TABLE t (id INT IDENTITY(1,1) NOT NULL PRIMARY KEY CLUSTERED, a NVARCHAR(MAX), b VARCHAR(10) NOT NULL, c VARBINARY(MAX))",
			"CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT, a NVARCHAR COLLATE NOCASE, b VARCHAR(10) COLLATE NOCASE NOT NULL, c VARBINARY)",
		},
		{"CREATE TABLE t (id BIGINT PRIMARY KEY IDENTITY, at DATETIME2 DEFAULT GETUTCDATE())", "CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT, at DATETIME2 DEFAULT " + now + ")"},
		{"CREATE UNIQUE NONCLUSTERED INDEX i ON t (a)", "CREATE UNIQUE INDEX i ON t (a)"},
	} {
		parts, p := split(c.in)
		if p != nil || len(parts) != 1 {
			t.Errorf("%s: %v, %d statements", c.in, p, len(parts))
			continue
		}
		s, p := translate(parts[0], env)
		if p != nil || s.text != c.want {
			t.Errorf("%s\n got %s (%v)\nwant %s", c.in, s.text, p, c.want)
		}
	}
}

// What has no meaning here is refused with what to do, and nothing gets past the
// database's own file.
func TestRefused(t *testing.T) {
	for _, c := range []struct {
		in, say string
		number  int32
	}{
		{"ATTACH DATABASE '/etc/passwd' AS x", "Incorrect syntax near 'ATTACH'", 102},
		{"PRAGMA query_only=OFF", "Incorrect syntax near 'PRAGMA'", 102},
		{"VACUUM INTO '/tmp/x'", "Incorrect syntax near 'VACUUM'", 102},
		{"EXPLAIN SELECT 1", "Incorrect syntax near 'EXPLAIN'", 102},
		{"SELECT (1;ATTACH 'x' AS y)", "Incorrect syntax near ';'", 102},
		{"SELECT `a`", "Incorrect syntax near '`'", 102},
		{"CREATE VIRTUAL TABLE t USING fts5(a)", "CREATE VIRTUAL is not supported", 40517},
		{"CREATE TRIGGER t ON x AFTER INSERT AS SELECT 1", "CREATE TRIGGER is not supported", 40517},
		{"CREATE DATABASE d", "databases are resources of their server", 40517},
		{"DECLARE @x INT", "Decide in the client", 40517},
		{"MERGE t USING u ON 1=1", "Decide in the client", 40517},
		{"SELECT * INTO u FROM t", "INSERT INTO … SELECT", 40517},
		{"SELECT * FROM #t", "temporary table #t", 40517},
		{"SELECT TOP 5 PERCENT a FROM t", "Write a number of rows", 40517},
		{"SELECT TOP 1 a FROM t UNION SELECT b FROM u", "into parentheses", 40517},
		{"SELECT @@LANGID", "@@SERVERNAME, @@VERSION", 40517},
		{"SELECT CONVERT(INT, '1')", "write CAST", 40517},
		{"CREATE TABLE t (a INT PRIMARY KEY, b INT IDENTITY)", "INT IDENTITY PRIMARY KEY", 40517},
		{"EXEC sp_who", "Could not find stored procedure 'sp_who'", 2812},
		{"SELECT 'a", "Unclosed quotation mark", 102},
		{"SELECT /* a", "Missing end comment mark", 102},
	} {
		parts, p := split(c.in)
		if p == nil {
			_, p = translate(parts[0], &environment{})
		}
		if p == nil || p.Number != c.number || !strings.Contains(p.Text, c.say) {
			t.Errorf("%s: %+v", c.in, p)
		}
	}
}

// Statements stand between semicolons, with the line each begins at; SET ends by
// itself.
func TestSplit(t *testing.T) {
	parts, p := split("SET NOCOUNT ON\nINSERT INTO t VALUES (';'); -- ;\nSELECT [a;b]\n;;")
	if p != nil || len(parts) != 3 || parts[1][0].line != 2 || parts[2][0].line != 3 {
		t.Errorf("%+v, %v", parts, p)
	}
}

// FuzzTranslate: what passes is one statement that begins with a word that opens
// no file and changes no setting.
func FuzzTranslate(f *testing.F) {
	for _, s := range []string{"SELECT TOP 1 [a] FROM dbo.t;", "INSERT t OUTPUT inserted.a VALUES (1)", "CREATE TABLE t (a INT IDENTITY(1,1) PRIMARY KEY, b NVARCHAR(MAX))", "SELECT N'a' + @b -- x", "UPDATE t SET a = 0x", "WITH x AS (SELECT 1) SELECT DATABASEPROPERTYEX(DB_NAME(),'x')", "DELETE t /* /* */ */"} {
		f.Add(s)
	}
	e, err := openEngine(nil, true)
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(e.close)
	f.Fuzz(func(t *testing.T, batch string) {
		parts, p := split(batch)
		if p != nil {
			return
		}
		for _, part := range parts {
			s, p := translate(part, &environment{})
			if p != nil || s.text == "" {
				continue
			}
			first := strings.ToUpper(s.text[:word(s.text)])
			if !slices.Contains([]string{"SELECT", "WITH", "VALUES", "INSERT", "UPDATE", "DELETE", "CREATE", "ALTER", "DROP"}, first) {
				t.Errorf("%q becomes %q", batch, s.text)
			}
			if err := e.control("BEGIN"); err != nil {
				t.Fatal(err)
			}
			_, _ = e.run(t.Context(), s.text, nil, s.act == actSelect || s.rows) // any error will do
			if err := e.control("ROLLBACK"); err != nil {
				t.Errorf("%q ended the transaction: %v", s.text, err)
			}
		}
	})
}
