package node

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/ceruleannet/cerulean/intent"
	"github.com/ceruleannet/cerulean/internal/template"
	"github.com/ceruleannet/cerulean/model"
	"github.com/google/uuid"
)

// IsTemplate reports whether a path is a deployment template rather than a
// network: a file whose name ends in ".json".
func IsTemplate(path string) bool { return strings.EqualFold(filepath.Ext(path), ".json") }

// templateRegion is the location of the resource group that a template is
// deployed to here; templates ask for it with resourceGroup().location.
const templateRegion = "westeurope"

// OpenTemplate reads a deployment template with its file of parameters,
// evaluates it, and compiles the network that it stands for. Without a file of
// parameters, the one beside the template is used if there is one:
// main.parameters.json for main.json. Expectations are those of the template's
// metadata.expectations, as in a declared network. The error of a wrong template
// is model.Problems with file, line and column.
func OpenTemplate(path, parameters string) (*Design, error) {
	begin := time.Now()
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("cannot read the template: %w", err)
	}
	t, err := template.Parse(text, path)
	if err != nil {
		return nil, templateProblem(err, path)
	}
	params, err := readParameters(t, path, parameters)
	if err != nil {
		return nil, err
	}
	name := networkName(path)
	resources, _, err := t.Resources(params, template.Options{
		Tenant: intent.DefaultSubscription, Subscription: intent.DefaultSubscription, Group: name + "-" + templateRegion, Location: templateRegion,
		Name: name, Endpoint: "https://management.azure.com", Now: begin, NewGUID: uuid.NewString,
	})
	if err != nil {
		return nil, templateProblem(err, path)
	}
	declared, err := declare(path, name, inline(resources), t.Metadata()["expectations"])
	if err != nil {
		return nil, err
	}
	return newDesign(declared, time.Since(begin))
}

// readParameters reads a file of a template's parameters.
func readParameters(t *template.Template, path, parameters string) (map[string]any, error) {
	beside := parameters == ""
	if beside {
		parameters = strings.TrimSuffix(path, filepath.Ext(path)) + ".parameters.json"
	}
	text, err := os.ReadFile(parameters)
	switch {
	case beside && errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("cannot read the parameters: %w", err)
	}
	params, err := template.ParseParameters(text, parameters)
	if err == nil {
		err = params.Check(t)
	}
	if err != nil {
		return nil, templateProblem(err, parameters)
	}
	return params.Values, nil
}

// templateProblem is an error of a template as a problem of a network.
func templateProblem(err error, path string) error {
	var e *template.Error
	if !errors.As(err, &e) {
		return err
	}
	p := model.Problem{Pos: e.Pos, What: e.Message}
	if p.Pos.File == "" {
		p.Pos.File = path
	}
	if e.Path != "" {
		p.What = e.Path + ": " + e.Message
	}
	return model.Problems{p}
}

var notInNames = regexp.MustCompile(`[^a-z0-9-]+`)

// networkName makes the name of the network of the template's file name.
func networkName(path string) string {
	base := strings.ToLower(strings.TrimSuffix(filepath.Base(path), filepath.Ext(path)))
	name := strings.Trim(notInNames.ReplaceAllString(base, "-"), "-")
	if len(name) > 40 {
		name = strings.Trim(name[:40], "-")
	}
	if name == "" || name[0] < 'a' {
		name = "template-" + name
	}
	return strings.Trim(name, "-")
}

// inline puts subnets, security rules and routes that the template declares on
// their own into their parents, as networks have them.
func inline(resources []*model.Resource) []*model.Resource {
	lists := map[string]string{
		strings.ToLower(model.TypeSubnet): "subnets", strings.ToLower(model.TypeSecurityRule): "securityRules", strings.ToLower(model.TypeRoute): "routes",
	}
	byKey := map[string]*model.Resource{}
	var out []*model.Resource
	for _, r := range resources {
		property := lists[strings.ToLower(r.Type())]
		parent := byKey[r.ID.Parent().Key()]
		if property == "" || parent == nil {
			byKey[r.ID.Key()] = r
			out = append(out, r)
			continue
		}
		p, _ := parent.Doc["properties"].(map[string]any)
		if p == nil {
			p = map[string]any{}
			parent.Doc["properties"] = p
		}
		list, _ := p[property].([]any)
		child := map[string]any{"name": r.ID.Name(), "properties": r.Doc["properties"]}
		at := slices.IndexFunc(list, func(e any) bool {
			o, _ := e.(map[string]any)
			have, _ := o["name"].(string)
			return strings.EqualFold(have, r.ID.Name())
		})
		if at >= 0 {
			list[at] = child
		} else {
			list = append(list, child)
		}
		p[property] = list
	}
	return out
}

// declare declares the resources as a network: the same checks and the same
// expansion as of a network that is written by hand. The text is one resource a
// line, so that what is said of a line is said of the resource.
func declare(path, name string, resources []*model.Resource, expectations any) (*intent.Declared, error) {
	var b strings.Builder
	regions := []string{}
	places := map[int]model.Pos{}
	var lines []string
	for _, r := range resources {
		if r.ID.Subscription() != intent.DefaultSubscription || r.ID.Is(model.TypeResourceGroup) {
			if r.ID.Is(model.TypeResourceGroup) {
				continue // comes with what is in it
			}
			return nil, model.Problems{{Pos: r.Pos, Resource: r.ID.String(), What: "the resource is in another subscription", Fix: "deploy it with a template of its own"}}
		}
		if l := r.Location(); l != "" && l != "global" && !slices.Contains(regions, l) {
			regions = append(regions, l)
		}
		doc := map[string]any{}
		for k, v := range r.Doc {
			if k != "id" && k != "apiVersion" {
				doc[k] = v
			}
		}
		doc["type"], doc["name"] = r.ID.Type(), fullName(r.ID)
		if g := r.ID.ResourceGroup(); g != "" {
			doc["resource-group"] = g
		}
		line, err := json.Marshal(doc)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", r.ID, err)
		}
		places[len(lines)+2] = r.Pos
		lines = append(lines, string(line))
	}
	if len(lines) == 0 {
		return nil, model.Problems{{Pos: model.Pos{File: path, Line: 1, Column: 1}, What: "the template declares no resources", Fix: "add resources, or check the conditions of those it has"}}
	}
	head, err := json.Marshal(regions)
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(&b, "{network: %s, regions: %s, resources: [\n%s\n]", name, head, strings.Join(lines, ",\n"))
	if expectations != nil {
		text, err := json.Marshal(expectations)
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(&b, ", expectations: %s", text)
	}
	b.WriteString("}\n")
	place := func(p model.Pos) model.Pos {
		if at, ok := places[p.Line]; ok && p.File == path {
			return at
		}
		return model.Pos{File: path}
	}
	declared, err := intent.Parse([]intent.File{{Name: path, Data: []byte(b.String())}}, nil, intent.Options{IgnoreLock: true})
	var problems model.Problems
	if errors.As(err, &problems) {
		moved := make(model.Problems, len(problems))
		for i, p := range problems {
			p.Pos = place(p.Pos)
			moved[i] = p
		}
		return nil, moved
	}
	if err != nil {
		return nil, err
	}
	for _, r := range declared.Network.Resources {
		r.Pos = place(r.Pos)
		for at, p := range r.At {
			r.At[at] = place(p)
		}
	}
	for i := range declared.Network.Expectations {
		declared.Network.Expectations[i].Pos = model.Pos{File: path}
	}
	for i := range declared.Warnings {
		declared.Warnings[i].Pos = place(declared.Warnings[i].Pos)
	}
	// Addresses are assigned anew each time: a template has no lock.
	declared.LockChanged = false
	return declared, nil
}

// fullName is a resource's name with its parents'.
func fullName(id model.ID) string {
	s := id.String()
	parts := strings.Split(s[strings.LastIndex(strings.ToLower(s), "/providers/"):], "/")
	var names []string
	for i := 4; i < len(parts); i += 2 {
		names = append(names, parts[i])
	}
	return strings.Join(names, "/")
}
