package arm_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/ceruleannet/cerulean/internal/state"
	"github.com/ceruleannet/cerulean/model"
)

// Microsoft's SDKs come with examples: a request as Go code and the answer it
// had as a comment. This file reads them from the module cache as data, writes
// the requests, and compares the answers by their properties' names and kinds.

// exampleModules are the modules whose examples are tried.
var exampleModules = []string{"network/armnetwork/v9", "privatedns/armprivatedns", "dns/armdns", "trafficmanager/armtrafficmanager", "msi/armmsi"}

const examplesKnown = "testdata/examples.txt"

// TestSDKExamples: what Microsoft's recorded answers have, ours have, but for
// what testdata/examples.txt lists; UPDATE=1 writes that list.
func TestSDKExamples(t *testing.T) {
	c := newCloud(t)
	missing, refused, tried, fields := map[string]int{}, map[string]string{}, 0, 0
	for _, module := range exampleModules {
		dir, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/"+module).Output()
		if err != nil {
			t.Skipf("the module %s is not at hand: %v", module, err)
		}
		m := readModule(t, strings.TrimSpace(string(dir)))
		for i, e := range m.examples {
			subscription := fmt.Sprintf("%s-%d", lastOf(strings.TrimSuffix(module, "/v9")), i)
			request, want := e.request.in(subscription), e.answer.in(subscription)
			path := text(want, "id")
			id, err := model.ParseID(path)
			if err != nil {
				continue
			}
			c.plant(id, request, text(request, "location"))
			body, err := json.Marshal(request)
			if err != nil {
				t.Fatal(err)
			}
			a := c.do("PUT", path, string(body))
			if a.status >= 300 {
				refused[e.name] = fmt.Sprintf("%d %s", a.status, a.code())
				continue
			}
			if a = c.do("GET", path, ""); a.status != 200 {
				t.Errorf("%s: GET %d %s", e.name, a.status, a.raw)
				continue
			}
			tried++
			compareShapes(id.Type(), want, a.body, func(at string) { missing[at]++ }, &fields)
		}
	}
	t.Logf("%d examples answered with %d properties compared, %d kinds of property differ, %d examples refused", tried, fields, len(missing), len(refused))
	var lines []string
	for _, name := range slices.Sorted(maps.Keys(refused)) {
		lines = append(lines, "refused "+name+": "+refused[name])
	}
	lines = append(lines, slices.Sorted(maps.Keys(missing))...)
	got := strings.Join(lines, "\n") + "\n"
	if os.Getenv("UPDATE") != "" {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(examplesKnown, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	known, err := os.ReadFile(examplesKnown)
	if err != nil {
		t.Fatal(err)
	}
	have := strings.Split(strings.TrimSpace(string(known)), "\n")
	for _, l := range lines {
		if !slices.Contains(have, l) {
			t.Errorf("differs from Microsoft's example, and %s does not say so: %s", examplesKnown, l)
		}
	}
	for _, l := range have {
		if !slices.Contains(lines, l) {
			t.Logf("%s lists what no longer differs; run UPDATE=1 go test -run SDKExamples: %s", examplesKnown, l)
		}
	}
}

func text(m map[string]any, name string) string {
	s, _ := m[name].(string)
	return s
}

// plant puts what a request refers to straight into the store: the resource's
// parents, and the least of each resource it names.
func (c *cloud) plant(id model.ID, request map[string]any, location string) {
	c.t.Helper()
	if location = model.NormalizeLocation(location); location == "" {
		location = region
	}
	inline := map[string]string{
		"subnets": "", "virtualNetworkPeerings": "", "frontendIPConfigurations": "", "backendAddressPools": "", "probes": "", "inboundNatRules": "", "ipConfigurations": "",
		"securityRules": "", "routes": "", "peerings": "", "authorizations": "", "serviceEndpointPolicyDefinitions": "",
	}
	planted := 0
	_, err := c.store.Update(state.Actor{}, func(tx *state.Tx) error {
		var put func(model.ID) error
		put = func(want model.ID) error {
			if want.IsZero() || want.Is("Microsoft.Resources/subscriptions") {
				return nil
			}
			up := want.Parent()
			if err := put(up); err != nil {
				return err
			}
			if want.Is(model.TypeResourceGroup) {
				return plantDoc(tx, want, map[string]any{"location": location})
			}
			leaf := want.Type()[strings.LastIndexByte(want.Type(), '/')+1:]
			if _, ok := inline[leaf]; ok && strings.Count(want.Type(), "/") > 1 && !want.Is("Microsoft.Network/virtualHubs/ipConfigurations") {
				e, _ := tx.Get(up)
				doc, _ := model.CloneJSON(e.Resource.Doc).(map[string]any)
				p, _ := doc["properties"].(map[string]any)
				list, _ := p[leaf].([]any)
				for _, o := range list {
					if m, _ := o.(map[string]any); strings.EqualFold(text(m, "name"), want.Name()) {
						return nil
					}
				}
				child := map[string]any{"name": want.Name(), "id": want.String(), "properties": map[string]any{"privateLinkServiceNetworkPolicies": "Disabled"}}
				switch cp, _ := child["properties"].(map[string]any); leaf {
				case "subnets":
					space, _ := at(p, "addressSpace", "addressPrefixes", 0).(string)
					cp["addressPrefix"] = strings.Replace(space, ".0.0/16", fmt.Sprintf(".%d.0/24", len(list)), 1)
				case "frontendIPConfigurations":
					front := up.Parent().Resource(model.TypePublicIP, "planted")
					cp["publicIPAddress"] = map[string]any{"id": front.String()}
					if err := put(front); err != nil {
						return err
					}
				}
				p[leaf] = append(list, child)
				return tx.Put(&model.Resource{ID: up, Doc: doc})
			}
			props := map[string]any{}
			if want.Is(model.TypeVirtualNetwork) {
				planted++
				props["addressSpace"] = map[string]any{"addressPrefixes": []any{fmt.Sprintf("10.%d.0.0/16", planted)}}
			}
			location := location
			if want.Is("Microsoft.Network/trafficManagerProfiles") {
				location = "global"
				props["dnsConfig"] = map[string]any{"relativeName": "planted"}
			}
			return plantDoc(tx, want, map[string]any{"location": location, "properties": props})
		}
		if err := put(id.Parent()); err != nil {
			return err
		}
		var walk func(any) error
		walk = func(v any) error {
			switch v := v.(type) {
			case map[string]any:
				for _, k := range slices.Sorted(maps.Keys(v)) {
					if err := walk(v[k]); err != nil {
						return err
					}
				}
			case []any:
				for _, e := range v {
					if err := walk(e); err != nil {
						return err
					}
				}
			case string:
				if ref, err := model.ParseID(v); err == nil && ref.Key() != id.Key() && !strings.HasPrefix(ref.Key(), id.Key()+"/") {
					return put(ref)
				}
			}
			return nil
		}
		return walk(request)
	})
	if err != nil {
		c.t.Fatalf("planting for %s: %v", id, err)
	}
}

func plantDoc(tx *state.Tx, id model.ID, doc map[string]any) error {
	if _, ok := tx.Get(id); ok {
		return nil
	}
	doc["id"], doc["name"], doc["type"] = id.String(), id.Name(), id.Type()
	return tx.Put(&model.Resource{ID: id, Doc: doc})
}

// compareShapes reports the properties an answer lacks or has as another kind of
// value, by type and path.
func compareShapes(at string, want, have any, report func(string), fields *int) {
	switch want := want.(type) {
	case map[string]any:
		m, ok := have.(map[string]any)
		if !ok {
			report(at + " is not an object")
			return
		}
		for k, v := range want {
			*fields++
			if _, ok := m[k]; !ok {
				report(at + "." + k)
				continue
			}
			compareShapes(at+"."+k, v, m[k], report, fields)
		}
	case []any:
		list, ok := have.([]any)
		switch {
		case !ok:
			report(at + " is not a list")
		case len(want) > 0 && len(list) == 0:
			report(at + " is empty")
		case len(want) > 0:
			compareShapes(at+".*", want[0], list[0], report, fields)
		}
	default:
		if fmt.Sprintf("%T", want) != fmt.Sprintf("%T", have) {
			report(fmt.Sprintf("%s is a %T, not a %T", at, have, want))
		}
	}
}

// tree is a document of an example.
type tree map[string]any

var anySubscription = regexp.MustCompile(`(?i)/?subscriptions/[^/]*`)

// in returns the document moved to a subscription.
func (d tree) in(subscription string) map[string]any {
	moved, _ := moveIDs(map[string]any(d), subscription).(map[string]any)
	return moved
}

func moveIDs(v any, subscription string) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, e := range v {
			out[k] = moveIDs(e, subscription)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = moveIDs(e, subscription)
		}
		return out
	case string:
		return anySubscription.ReplaceAllString(v, "/subscriptions/"+subscription)
	default:
		return v
	}
}

type example struct {
	name            string
	request, answer tree
}

// sdkModule is what a module's source says about JSON.
type sdkModule struct {
	names    map[string]map[string]string // type, field: property
	fixed    map[string]map[string]any    // type, property: value
	values   map[string]any               // constant: value
	examples []example
}

var answerForm = regexp.MustCompile(`^res(\.\w+)? = `)

// readModule reads a module's property names, constants and examples of writing.
func readModule(t *testing.T, dir string) *sdkModule {
	t.Helper()
	m := &sdkModule{names: map[string]map[string]string{}, fixed: map[string]map[string]any{}, values: map[string]any{}}
	fset := token.NewFileSet()
	each := func(pattern string, fn func(string, *ast.File)) {
		files, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range files {
			f, err := parser.ParseFile(fset, name, nil, parser.ParseComments)
			if err != nil {
				t.Fatal(err)
			}
			fn(filepath.Base(name), f)
		}
	}
	each("constants.go", func(_ string, f *ast.File) {
		ast.Inspect(f, func(n ast.Node) bool {
			if spec, ok := n.(*ast.ValueSpec); ok && len(spec.Values) == 1 {
				if lit, ok := spec.Values[0].(*ast.BasicLit); ok {
					m.values[spec.Names[0].Name] = literal(lit)
				}
			}
			return true
		})
	})
	each("models_serde.go", func(_ string, f *ast.File) {
		for _, d := range f.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok || fn.Name.Name != "MarshalJSON" {
				continue
			}
			owner := typeName(fn.Recv.List[0].Type)
			m.names[owner] = map[string]string{}
			m.fixed[owner] = map[string]any{}
			ast.Inspect(fn, func(n ast.Node) bool {
				if set, ok := n.(*ast.AssignStmt); ok {
					if index, ok := set.Lhs[0].(*ast.IndexExpr); ok { // objectMap["ruleType"] = RuleTypeNetwork
						if key, ok := index.Index.(*ast.BasicLit); ok {
							name, _ := strconv.Unquote(key.Value)
							if id, ok := set.Rhs[0].(*ast.Ident); ok {
								m.fixed[owner][name] = m.values[id.Name]
							}
						}
					}
				}
				call, ok := n.(*ast.CallExpr)
				if !ok || len(call.Args) != 3 {
					return true
				}
				key, isKey := call.Args[1].(*ast.BasicLit)
				field, isField := call.Args[2].(*ast.SelectorExpr)
				if isKey && isField {
					m.names[owner][field.Sel.Name], _ = strconv.Unquote(key.Value)
				}
				return true
			})
		}
	})
	each("*_example_test.go", func(file string, f *ast.File) {
		for _, d := range f.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok || !regexp.MustCompile(`_(Begin)?Create(OrUpdate)?(_|$)`).MatchString(fn.Name.Name) {
				continue
			}
			e := example{name: strings.TrimPrefix(fn.Name.Name, "Example")}
			ast.Inspect(fn, func(n ast.Node) bool {
				if lit, ok := n.(*ast.CompositeLit); ok && e.request == nil && !strings.HasSuffix(typeName(lit.Type), "Options") {
					e.request, _ = m.value(lit, typeName(lit.Type)).(map[string]any)
					return false
				}
				return true
			})
			e.answer = m.commented(f, fn)
			if e.request != nil && e.answer != nil {
				m.examples = append(m.examples, e)
			}
		}
	})
	slices.SortStableFunc(m.examples, func(a, b example) int { return cmp.Compare(a.name, b.name) })
	return m
}

// commented reads the answer in the comments of a function.
func (m *sdkModule) commented(f *ast.File, fn *ast.FuncDecl) tree {
	for _, g := range f.Comments {
		if g.Pos() < fn.Pos() || g.End() > fn.End() {
			continue
		}
		var b strings.Builder
		for _, c := range g.List {
			line := strings.TrimPrefix(c.Text, "//")
			if b.Len() == 0 && !answerForm.MatchString(strings.TrimSpace(line)) {
				continue
			}
			b.WriteString(line + "\n")
		}
		source := answerForm.ReplaceAllString(strings.TrimSpace(b.String()), "")
		if source == "" {
			continue
		}
		expr, err := parser.ParseExpr(source)
		if err != nil {
			return nil
		}
		lit, ok := expr.(*ast.CompositeLit)
		if !ok {
			return nil
		}
		if strings.HasSuffix(typeName(lit.Type), "Response") {
			kv, ok := lit.Elts[0].(*ast.KeyValueExpr)
			if !ok {
				return nil
			}
			if lit, ok = kv.Value.(*ast.CompositeLit); !ok {
				return nil
			}
		}
		v, _ := m.value(lit, typeName(lit.Type)).(map[string]any)
		return v
	}
	return nil
}

// value evaluates an expression to JSON. Elements of lists have their type from
// the list.
func (m *sdkModule) value(e ast.Expr, elided string) any {
	switch e := e.(type) {
	case *ast.UnaryExpr:
		return m.value(e.X, elided)
	case *ast.BasicLit:
		return literal(e)
	case *ast.Ident:
		return e.Name == "true"
	case *ast.SelectorExpr:
		return m.values[e.Sel.Name]
	case *ast.CallExpr:
		return m.called(e)
	case *ast.CompositeLit:
		return m.composite(e, elided)
	}
	return nil
}

func (m *sdkModule) called(e *ast.CallExpr) any {
	if len(e.Args) == 1 { // to.Ptr(x), to.Ptr[int32](x), a conversion
		return m.value(e.Args[0], "")
	}
	var at any // a time, parsed of a text
	ast.Inspect(e, func(n ast.Node) bool {
		if lit, ok := n.(*ast.BasicLit); ok && at == nil {
			at = literal(lit)
		}
		return true
	})
	return at
}

func (m *sdkModule) composite(e *ast.CompositeLit, elided string) any {
	switch t := e.Type.(type) {
	case *ast.ArrayType:
		out := []any{}
		for _, el := range e.Elts {
			out = append(out, m.value(el, typeName(t.Elt)))
		}
		return out
	case *ast.MapType:
		out := map[string]any{}
		for _, el := range e.Elts {
			if kv, ok := el.(*ast.KeyValueExpr); ok {
				key, _ := m.value(kv.Key, "").(string)
				out[key] = m.value(kv.Value, typeName(t.Value))
			}
		}
		return out
	}
	name := typeName(e.Type)
	if name == "" {
		name = elided
	}
	out := map[string]any{}
	maps.Copy(out, m.fixed[name])
	for _, el := range e.Elts {
		kv, ok := el.(*ast.KeyValueExpr)
		if !ok {
			continue
		}
		if field, ok := kv.Key.(*ast.Ident); ok {
			if property := m.names[name][field.Name]; property != "" {
				out[property] = m.value(kv.Value, "")
			}
		}
	}
	return out
}

// typeName returns the name of a type, without package and pointer.
func typeName(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.StarExpr:
		return typeName(e.X)
	case *ast.SelectorExpr:
		return e.Sel.Name
	case *ast.Ident:
		return e.Name
	}
	return ""
}

func literal(l *ast.BasicLit) any {
	if l.Kind == token.STRING {
		s, _ := strconv.Unquote(l.Value)
		return s
	}
	n, _ := strconv.ParseFloat(l.Value, 64)
	return n
}
