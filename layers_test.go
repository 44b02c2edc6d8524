package cerulean

import (
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// module is this module's path.
const module = "github.com/ceruleannet/cerulean"

// room is one row of the house's plan. A package belongs to the room with the
// longest matching path; packages of one room may import each other.
type room struct {
	path    string
	duty    string
	may     []string // rooms it may import
	tests   []string // rooms its tests may import besides
	planned bool     // not built yet: the folder must not exist
}

// rooms is the plan of the house. docs/ARCHITECTURE.md shows the same table.
var rooms = []room{
	{path: "model", duty: "The nouns: Azure resources as Go values, IDs, references, expectations; `model/catalog` has Azure's published facts, `model/wire` typed views of the documents"},
	{path: "intent", duty: "Declared languages in, resources out: the YAML network with its lock file", may: []string{"model"}, tests: []string{"internal/fabric", "internal/fabric/compile", "internal/proof"}},
	{path: "lab", duty: "A virtual network inside your Go test: declare, dial, prove, assert", may: []string{"model", "intent", "internal/fabric", "internal/fabric/compile", "internal/proof", "internal/engine", "internal/live", "internal/drill", "internal/state", "internal/arm", "internal/paas", "internal/sql"}},
	{path: "discovery", duty: "A registry of services with leases and watches, and its client; importable by any Go program"},
	{path: "balance", duty: "Choosing a healthy member; importable by any Go program"},
	{path: "internal/fabric", duty: "The compiled image of a network: what every interpreter reads. Besides `balance`, standard library only", may: []string{"balance"}, tests: []string{"internal/fabric/fabrictest"}},
	{path: "internal/fabric/ref", duty: "The reference evaluator: the definition of correct", may: []string{"internal/fabric"}, tests: []string{"internal/fabric/fabrictest"}},
	{path: "internal/fabric/fabrictest", duty: "Random and hand-made images for the tests of every interpreter", may: []string{"internal/fabric"}},
	{path: "internal/fabric/avnm", duty: "Virtual Network Manager: groups, configurations and commits, expanded", may: []string{"model"}},
	{path: "internal/fabric/compile", duty: "Resources in, image out, in visible passes", may: []string{"model", "internal/fabric", "internal/fabric/avnm", "internal/traffic/trafficmanager"}, tests: []string{"internal/fabric/ref"}},
	{path: "internal/proof", duty: "Answers about all packets, each with a witness", may: []string{"model", "internal/fabric", "internal/fabric/ref", "internal/proof/policy", "internal/proof/certificate"}, tests: []string{"internal/fabric/fabrictest"}},
	{path: "internal/proof/policy", duty: "One first-match list of rules, over all packets: contracts, shadowed and redundant rules, differences; `classbench` makes lists and measures", may: []string{"internal/fabric"}, tests: []string{"internal/fabric/fabrictest"}},
	{path: "internal/proof/certificate", duty: "Checks proofs without trusting the prover: boxes followed through the image by the plainest means", may: []string{"internal/fabric"}, tests: []string{"internal/fabric/ref", "internal/fabric/fabrictest"}},
	{path: "internal/audit", duty: "What is legal and likely to hurt, as findings: limits, asymmetric paths, loops and black holes, routes and groups without effect", may: []string{"model", "internal/fabric", "internal/fabric/ref", "internal/proof"}, tests: []string{"internal/fabric/compile"}},
	{path: "internal/diagnose", duty: "Azure's network diagnostics, answered from an image in its API's shapes", may: []string{"model", "internal/fabric", "internal/fabric/ref", "internal/proof"}, tests: []string{"internal/fabric/fabrictest"}},
	{path: "internal/engine", duty: "One packet in; verdict, reason and bytes out; flow table. No I/O, no clock", may: []string{"internal/fabric"}, tests: []string{"internal/fabric/ref", "internal/fabric/fabrictest"}},
	{path: "internal/live", duty: "The running network: in-process hosts around one engine, the wire between regions, probes of expectations by real connections", may: []string{"model", "internal/fabric", "internal/fabric/ref", "internal/engine", "internal/proof", "internal/traffic/trafficmanager"}, tests: []string{"intent", "internal/fabric/compile", "internal/fabric/fabrictest"}},
	{path: "internal/paas", duty: "Data planes of platform services as HTTP handlers without sockets: Key Vault secrets, blobs, instance metadata and its tokens", may: []string{"model"}},
	{path: "internal/sql", duty: "Data planes of SQL servers: TDS sessions over databases in SQLite, and failover groups whose replication has no clock; `tds` is the protocol, `geo` the replication", may: []string{"model", "internal/paas"}},
	{path: "internal/drill", duty: "Rehearsed failures: what goes down, what the proof predicts, what the running network does", may: []string{"model", "internal/fabric", "internal/fabric/ref", "internal/proof", "internal/live", "internal/sql"}, tests: []string{"intent", "internal/fabric/compile"}},
	{path: "internal/route", duty: "Routing protocol state machines", planned: true},
	{path: "internal/traffic/dns", duty: "An authoritative DNS server: zones, and names whose answer depends on who asks, beside any network"},
	{path: "internal/traffic/trafficmanager", duty: "What a Traffic Manager profile's name means to whom: states, routing methods, nested profiles. No I/O, no clock", may: []string{"model"}},
	{path: "internal/traffic/gateway", duty: "An application gateway: an HTTP reverse proxy by host, path and priority, beside any network", may: []string{"balance", "internal/traffic/waf", "internal/traffic/cache", "internal/traffic/coding", "internal/traffic/http1", "internal/traffic/underway"}},
	{path: "internal/traffic/appgateway", duty: "Application gateways as Resource Manager has them, as configurations of a gateway; what of them is not done is told", may: []string{"model", "internal/traffic/gateway", "internal/traffic/waf"}},
	{path: "internal/traffic/waf", duty: "Web application firewall policies: custom rules, managed rules with overrides and exclusions, by Coraza over the OWASP Core Rule Set"},
	{path: "internal/traffic/http1", duty: "The heads and chunks of plain HTTP/1.1 messages, read in place; what is unusual is left to others"},
	{path: "internal/traffic/cache", duty: "A shared HTTP cache between a proxy and those it asks (RFC 9111)"},
	{path: "internal/traffic/coding", duty: "Compressing the bodies of HTTP answers as they pass: content codings"},
	{path: "internal/traffic/underway", duty: "Counts the requests that a server handles, so that closing it waits for them"},
	{path: "internal/traffic/frontdoor", duty: "The data plane of Front Door: edges in regions, routes, rule sets, the choosing of origins", may: []string{"model", "balance", "internal/traffic/cache", "internal/traffic/coding", "internal/traffic/underway", "internal/traffic/waf"}},
	{path: "internal/state", duty: "Versioned resource store with an append-only audit trail", may: []string{"model"}},
	{path: "internal/plan", duty: "Desired against observed: an immutable plan and its executor", may: []string{"model", "internal/state", "internal/fabric", "internal/proof"}},
	{path: "internal/plan/azure", duty: "The one client of the Resource Manager API; the only place with the Azure SDK", may: []string{"model", "internal/plan"}},
	{path: "internal/observe", duty: "Seeing a running network: captures in pcapng, filters, flow logs, tables of flows, metrics. It decides nothing", may: []string{"model", "internal/fabric", "internal/fabric/ref", "internal/engine"}, tests: []string{"internal/fabric/fabrictest"}},
	{path: "internal/datapath", duty: "The edge to the operating system: virtual network interfaces of real processes, in namespaces of their own", may: []string{"internal/engine"}},
	{path: "internal/template", duty: "Azure's deployment templates: their expressions, and the resources they stand for", may: []string{"model"}},
	{path: "internal/arm", duty: "The embedded cloud: a Resource Manager server over the store", may: []string{"model", "intent", "internal/state", "internal/plan", "internal/fabric", "internal/fabric/compile", "internal/fabric/avnm", "internal/proof", "internal/diagnose", "internal/paas", "internal/template"}, tests: []string{"internal/plan/azure", "internal/fabric/ref"}},
	{path: "internal/node", duty: "Composition root: builds one running system; knows all rooms but `lab` and `cmd`", may: []string{"model", "intent", "internal/fabric", "internal/fabric/ref", "internal/fabric/compile", "internal/fabric/avnm", "internal/proof", "internal/proof/policy", "internal/proof/certificate", "internal/audit", "internal/diagnose", "internal/engine", "internal/live", "internal/drill", "internal/observe", "internal/datapath", "internal/paas", "internal/sql", "internal/state", "internal/plan", "internal/plan/azure", "internal/arm", "internal/template", "internal/traffic/dns", "internal/traffic/trafficmanager", "internal/traffic/gateway", "internal/traffic/appgateway", "internal/traffic/waf", "internal/traffic/frontdoor", "internal/traffic/cache", "discovery"}, tests: []string{"internal/fabric/fabrictest"}},
	{path: "cmd/cerulean", duty: "One main; thin commands", may: []string{"model", "intent", "lab", "internal/node"}},
	{path: "interop", duty: "Unchanged clients of Azure against the embedded cloud: stories of the Azure CLI and Terraform, and recordings of the real service replayed. They run the program; they import nothing of ours"},
	{path: "web", duty: "The console's assets", planned: true},
}

// quarantine says which rooms may import a third-party module; prefixes of
// import paths. A module not named here may be imported by any room but those
// of the standard library only.
var quarantine = map[string][]string{
	"github.com/Azure/azure-sdk-for-go": {"internal/plan/azure", "internal/arm (tests)", "internal/node (tests)", "internal/paas (tests)", "lab (tests)", "interop (tests)"},
	"gvisor.dev/gvisor":                 {"internal/live"},
	"github.com/goccy/go-yaml":          {"intent", "internal/traffic/gateway", "internal/traffic/frontdoor", "internal/traffic/waf (tests)", "interop"},
	"github.com/invopop/jsonschema":     {"intent"},
	"go.etcd.io/bbolt":                  {"internal/state"},
	"github.com/golang-jwt/jwt":         {"internal/arm", "internal/traffic/gateway"},
	"github.com/miekg/dns":              {"internal/live", "internal/traffic/dns", "internal/node"},
	"github.com/gaissmai/bart":          {"internal/engine", "internal/fabric/compile"},
	"github.com/spf13/cobra":            {"cmd/cerulean"},
	"github.com/vishvananda/netlink":    {"internal/datapath"},
	"github.com/insomniacslk/dhcp":      {"internal/datapath"},
	"github.com/corazawaf":              {"internal/traffic/waf"},
	"github.com/quic-go":                {"internal/traffic/gateway"},
	"google.golang.org/grpc":            {"internal/traffic/gateway (tests)", "balance (tests)"},
	"github.com/gorilla/websocket":      {"internal/traffic/gateway (tests)"},
	"github.com/coder/websocket":        {"internal/traffic/gateway (tests)"},
	"github.com/prometheus":             {"internal/observe"},
	"modernc.org/sqlite":                {"internal/sql"},
	"github.com/microsoft/go-mssqldb":   {"internal/sql (tests)", "internal/node (tests)", "lab (tests)"},
}

// standardOnly are rooms without any third-party import.
var standardOnly = []string{"model", "internal/template", "internal/fabric", "internal/fabric/ref", "internal/fabric/avnm", "internal/proof", "internal/proof/policy", "internal/proof/certificate"}

// maxLines is the longest a Go file may be: past it a file has more than one
// subject.
const maxLines = 1000

func roomOf(pkg string) *room {
	var best *room
	for i := range rooms {
		r := &rooms[i]
		if (pkg == r.path || strings.HasPrefix(pkg, r.path+"/")) && (best == nil || len(r.path) > len(best.path)) {
			best = r
		}
	}
	return best
}

// TestLayers holds every Go file, of every build tag and system, to the table.
func TestLayers(t *testing.T) {
	docs := map[string]bool{}
	eachGoFile(t, func(path string, lines int) {
		pkg := filepath.ToSlash(filepath.Dir(path))
		if filepath.Base(path) == "doc.go" {
			docs[pkg] = true
		}
		if lines > maxLines {
			t.Errorf("%s has %d lines, more than %d: it has more than one subject", path, lines, maxLines)
		}
		if pkg == "." {
			return
		}
		r := roomOf(pkg)
		if r == nil {
			t.Errorf("%s belongs to no room: add a row to layers_test.go by a decision record", path)
			return
		}
		if _, seen := docs[pkg]; !seen {
			docs[pkg] = false
		}
		fset := token.NewFileSet()
		file, err := parser.ParseFile(fset, path, nil, parser.ImportsOnly)
		if err != nil {
			t.Error(err)
			return
		}
		test := strings.HasSuffix(path, "_test.go")
		for _, spec := range file.Imports {
			imported, _ := strconv.Unquote(spec.Path.Value)
			if why := forbidden(r, imported, test); why != "" {
				t.Errorf("%s imports %s: %s\n\t%s: %s", fset.Position(spec.Pos()), imported, why, r.path, r.duty)
			}
		}
	})
	for pkg, has := range docs {
		if !has && pkg != "." && !strings.Contains(pkg, "internal/gen") && pkg != "cmd/cerulean" {
			t.Errorf("package %s has no doc.go", pkg)
		}
	}
	for _, r := range rooms {
		_, err := os.Stat(r.path)
		if exists := err == nil; exists == r.planned {
			t.Errorf("room %s: planned is %v but the folder exists: %v", r.path, r.planned, exists)
		}
	}
}

// forbidden says why a room may not import a package, or "".
func forbidden(r *room, imported string, test bool) string {
	if inner, ours := strings.CutPrefix(imported, module+"/"); ours {
		to := roomOf(inner)
		switch {
		case to == nil:
			return "it belongs to no room"
		case to == r || slices.Contains(r.may, to.path):
			return ""
		case test && slices.Contains(r.tests, to.path):
			return ""
		}
		return fmt.Sprintf("%s may import only %s", r.path, strings.Join(append([]string{"itself"}, r.may...), ", "))
	}
	if !strings.Contains(strings.Split(imported, "/")[0], ".") {
		return "" // the standard library
	}
	if slices.Contains(standardOnly, r.path) && !test {
		return r.path + " uses the standard library only"
	}
	for prefix, homes := range quarantine {
		if imported != prefix && !strings.HasPrefix(imported, prefix+"/") {
			continue
		}
		if slices.Contains(homes, r.path) || test && slices.Contains(homes, r.path+" (tests)") {
			return ""
		}
		return "only " + strings.Join(homes, ", ") + " may use this module"
	}
	return ""
}

// TestArchitectureShowsTheTable keeps docs/ARCHITECTURE.md and the table one.
func TestArchitectureShowsTheTable(t *testing.T) {
	const file, begin, end = "docs/ARCHITECTURE.md", "<!-- rooms: begin -->\n", "<!-- rooms: end -->"
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	text := string(b)
	i, j := strings.Index(text, begin), strings.Index(text, end)
	if i < 0 || j < i {
		t.Fatalf("%s has no table between %q and %q", file, begin, end)
	}
	want := roomTable()
	if got := text[i+len(begin) : j]; got != want {
		if os.Getenv("UPDATE") != "" {
			if err := os.WriteFile(file, []byte(text[:i+len(begin)]+want+text[j:]), 0o644); err != nil {
				t.Fatal(err)
			}
			return
		}
		t.Errorf("the table of rooms in %s differs from layers_test.go; run UPDATE=1 go test -run Architecture .\nwant:\n%s", file, want)
	}
}

func roomTable() string {
	var b strings.Builder
	b.WriteString("| room | duty | may import |\n|---|---|---|\n")
	for _, r := range rooms {
		may := "nothing of ours"
		if len(r.may) > 0 {
			may = "`" + strings.Join(r.may, "`, `") + "`"
		}
		if r.planned {
			may = "not built yet"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", r.path, r.duty, may)
	}
	return b.String()
}

// eachGoFile calls f with every Go file below this folder and its length.
func eachGoFile(t *testing.T, f func(path string, lines int)) {
	t.Helper()
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if name := d.Name(); d.IsDir() && name != "." && (strings.HasPrefix(name, ".") || name == "testdata") {
			return filepath.SkipDir
		}
		if !strings.HasSuffix(path, ".go") || d.IsDir() {
			return nil
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		f(path, strings.Count(string(b), "\n"))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
