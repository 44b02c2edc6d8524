package node

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ceruleannet/cerulean/internal/drill"
	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/internal/sql/tds"
	"github.com/ceruleannet/cerulean/model"
)

const ledgerNetwork = `
network: books
regions: [westeurope, northeurope]
networks:
  - name: app-{region}
    each: region
    subnets: {web: {hosts: {"web-{region}": {}}}, links: {}}
peerings:
  - between: [app-westeurope, app-northeurope]
services:
  - {name: "books-sql-{region}", each: region, kind: sql, public: false, logins: {books: Correct-horse1}}
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
`

// sqlRun executes statements at a host, in a session of their own.
func sqlRun(t *testing.T, s *System, host, server, statements string) ([][]any, error) {
	t.Helper()
	h, err := s.Net.Host(host)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	name := server + ".database.windows.net"
	c, err := h.DialContext(ctx, "tcp", name+":1433")
	if err != nil {
		return nil, err
	}
	_ = c.SetDeadline(time.Now().Add(10 * time.Second))
	client, err := tds.Connect(c, &tls.Config{RootCAs: s.Net.RootCAs(), ServerName: name}, tds.Login{User: "books", Password: "Correct-horse1", Database: "ledger"})
	if err != nil {
		return nil, err
	}
	defer client.Close()
	return client.Run(statements)
}

// must is sqlRun of statements that work.
func must(t *testing.T, s *System, host, server, statements string) string {
	t.Helper()
	rows, err := sqlRun(t, s, host, server, statements)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprint(rows)
}

// cloudPost asks the network's cloud to do something, as a client of Resource
// Manager.
func cloudPost(t *testing.T, s *System, path string) (int, string) {
	t.Helper()
	l := &load{cloud: s.Cloud, client: &http.Client{Transport: s.Cloud.transport}}
	if err := l.signIn(t.Context()); err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.Cloud.Endpoint+path+"?api-version=2023-08-01", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+l.token)
	res, err := l.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(b)
}

func roles(s *System) (out []string) {
	for _, v := range s.FailoverGroups()[0].Servers {
		out = append(out, v.Region+" "+v.Role)
	}
	return out
}

func groupID(t *testing.T, s *System, region string) string {
	t.Helper()
	for _, r := range s.Design.Network().Resources {
		if r.ID.Is(model.TypeSQLServer) && strings.HasSuffix(r.ID.Name(), region) {
			return r.ID.Child("failoverGroups", "books-data").String()
		}
	}
	t.Fatal("no server in " + region)
	return ""
}

// "Failover Groups - Failover": asked of the secondary, it makes it the primary:
// of the databases, of the documents and of the names, and proofs follow.
func TestFailoverByResourceManager(t *testing.T) {
	s := upWith(t, written(t, ledgerNetwork), UpOptions{Pace: 1000, Latency: 0.1})
	if s.Failed() {
		t.Fatalf("%+v", s.Rows())
	}
	must(t, s, "web-westeurope", "books-data", "CREATE TABLE t (n INT); INSERT INTO t VALUES (1)")
	north := groupID(t, s, "northeurope")
	if code, body := cloudPost(t, s, north+"/failover"); code != http.StatusAccepted {
		t.Fatal(code, body)
	}
	if got := roles(s); !slices.Equal(got, []string{"northeurope Primary", "westeurope Secondary"}) {
		t.Error(got)
	}
	for at, role := range map[string]string{north: "Primary", groupID(t, s, "westeurope"): "Secondary"} {
		if got := cloudAnswer(t, s, at)["properties"].(map[string]any)["replicationRole"]; got != role {
			t.Errorf("%s is %v", at, got)
		}
	}
	until(t, "the listener leads to the new primary", func() bool {
		rows, err := sqlRun(t, s, "web-westeurope", "books-data", "INSERT INTO t VALUES (2); SELECT @@SERVERNAME, COUNT(*) FROM t")
		return err == nil && fmt.Sprint(rows) == "[[books-sql-northeurope 2]]"
	})
	until(t, "and the other name to the old one", func() bool {
		rows, err := sqlRun(t, s, "web-westeurope", "books-data.secondary", "SELECT @@SERVERNAME, COUNT(*) FROM t")
		return err == nil && fmt.Sprint(rows) == "[[books-sql-westeurope 2]]"
	})
	until(t, "the image says so", func() bool {
		img := s.Net.Declared()
		for i := range img.Spaces {
			for _, z := range img.Spaces[i].View.Zones {
				if z.Name == "books-data.database.windows.net" && z.Records[0].Alias == "books-sql-northeurope.database.windows.net" {
					return true
				}
			}
		}
		return false
	})
	w := httptest.NewRecorder()
	s.metrics.ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	for _, want := range []string{
		`cerulean_sql_primary{group="books-data",network="books",server="books-sql-northeurope"} 1`,
		`cerulean_sql_primary{group="books-data",network="books",server="books-sql-westeurope"} 0`,
		`cerulean_sql_failovers_total{group="books-data",kind="planned",network="books"} 1`,
		`cerulean_sql_replication_lag_seconds{database="ledger",group="books-data",network="books",server="books-sql-westeurope"}`,
		`cerulean_sql_commits_total{database="ledger",group="books-data",network="books"} `,
	} {
		if !strings.Contains(w.Body.String(), want) {
			t.Errorf("no %s in\n%s", want, w.Body)
		}
	}
}

// Roles are the cloud's, not the declaration's: a network that begins again has
// them as they were, and proves itself so.
func TestRolesSurviveARestart(t *testing.T) {
	file, dir := written(t, ledgerNetwork), t.TempDir()
	for _, want := range []string{"westeurope Primary", "northeurope Primary"} {
		s, err := Up(t.Context(), file, UpOptions{Dir: dir}, func(Event) {})
		if err != nil {
			t.Fatal(err)
		}
		if got := roles(s)[0]; got != want || s.Failed() {
			t.Errorf("%s, want %s: %+v", got, want, s.Rows())
		}
		if _, err := s.Failover(t.Context(), FailoverOptions{Group: "books-data", To: "books-sql-northeurope"}); err != nil {
			t.Error(err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

// A planned failover needs both servers; a forced one loses what had not arrived,
// and says what.
func TestForcedFailoverLoses(t *testing.T) {
	s := upWith(t, written(t, ledgerNetwork), UpOptions{Pace: 1000, NoProbe: true})
	must(t, s, "web-westeurope", "books-data", "CREATE TABLE t (n INT); INSERT INTO t VALUES (1)")
	target, err := drill.Parse(s.Net.Declared(), "link", "westeurope", "northeurope")
	if err != nil {
		t.Fatal(err)
	}
	restore := s.Net.Fail(func(img *fabric.Image) fabric.Failure { f, _ := target.Failure(img); return f })
	defer restore()
	state := func() string { return s.FailoverGroups()[0].Servers[1].Databases[0].State }
	until(t, "replication is suspended", func() bool { return state() == "SUSPENDED" })
	must(t, s, "web-westeurope", "books-sql-westeurope", "INSERT INTO t VALUES (2); INSERT INTO t VALUES (3)")
	north := groupID(t, s, "northeurope")
	if code, body := cloudPost(t, s, north+"/failover"); code != http.StatusConflict || !strings.Contains(body, "SUSPENDED") {
		t.Error(code, body)
	}
	if code, body := cloudPost(t, s, north+"/tryPlannedBeforeForcedFailover"); code != http.StatusAccepted {
		t.Error(code, body)
	}
	last := s.FailoverGroups()[0].Failovers
	if len(last) != 1 || last[0].Kind != "forced" || len(last[0].Lost) != 1 || last[0].Lost[0].Commits != 2 {
		t.Fatalf("%+v", last)
	}
	restore()
	until(t, "the old primary is seeded anew", func() bool { return state() == "CATCH_UP" })
	for _, server := range []string{"books-sql-northeurope", "books-sql-westeurope"} {
		if got := must(t, s, "web-westeurope", server, "SELECT n FROM t"); got != "[[1]]" {
			t.Errorf("%s has %s", server, got)
		}
	}
	if code, body := cloudPost(t, s, groupID(t, s, "westeurope")+"/forceFailoverAllowDataLoss"); code != http.StatusAccepted || roles(s)[0] != "westeurope Primary" {
		t.Error(code, body, roles(s))
	}
}

// A drill takes the primary's region down: the grace period runs in the drill's
// time, names move within their TTL, and what is lost is what was not yet
// elsewhere.
func TestDrillOfARegionFailsOver(t *testing.T) {
	s := upWith(t, written(t, ledgerNetwork), UpOptions{Pace: 100, Latency: 1, NoProbe: true})
	must(t, s, "web-westeurope", "books-data", "CREATE TABLE t (n INT); INSERT INTO t VALUES (1)")
	r := drilled(t, s, DrillOptions{Target: []string{"region", "westeurope"}, For: 3500 * time.Millisecond, Grace: 200 * time.Millisecond})
	if len(r.Groups) != 1 {
		t.Fatalf("%+v", r.Groups)
	}
	g := r.Groups[0]
	if !g.Hit || g.To != "books-sql-northeurope" || g.Writer != "web-northeurope" || g.FailedOver < g.Grace || g.NameMoved < g.FailedOver || g.Recovered < g.FailedOver || g.Acknowledged == 0 || g.Back < 0 || g.Declared != time.Hour {
		t.Errorf("%+v", g)
	}
	if g.Comparison == drill.Worse {
		t.Error(g.Said)
	}
	if got := roles(s)[0]; got != "westeurope Primary" {
		t.Errorf("after the drill: %s", got)
	}
	if got := must(t, s, "web-westeurope", "books-sql-westeurope", "SELECT n FROM t"); got != "[[1]]" {
		t.Error(got)
	}
	if _, err := sqlRun(t, s, "web-westeurope", "books-sql-westeurope", "SELECT n FROM cerulean_drill"); err == nil {
		t.Error("the drill left its table")
	}
}
