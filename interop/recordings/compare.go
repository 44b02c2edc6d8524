package main

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"regexp"
	"sort"
	"strings"
)

// difference is a place where an answer is not as recorded.
type difference struct {
	Path     string // of the property, with [] for every element of a list
	Kind     string // missing, extra, differs, length
	Recorded string
	Ours     string
}

func (d difference) String() string {
	switch d.Kind {
	case "missing":
		return fmt.Sprintf("%s: not there, recorded %s", d.Path, d.Recorded)
	case "extra":
		return fmt.Sprintf("%s: %s, not recorded", d.Path, d.Ours)
	}
	return fmt.Sprintf("%s: %s, recorded %s", d.Path, d.Ours, d.Recorded)
}

// compared is what a comparison found, among how many values.
type compared struct {
	values      int
	differences []difference
	underWay    bool // the recorded document is of an operation under way
	// names are identifiers that the service made up, with what ours has in their
	// places: GUIDs and etags.
	names map[string]string
}

var (
	guid = regexp.MustCompile(`[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}`)
	when = regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)?`)
	// The names of a network's own, with the code of its region ("dx"), and what
	// the host made up of an interface.
	internal = regexp.MustCompile(`[a-z0-9]{24,26}(\.[a-z]{2,4})?\.internal\.cloudapp\.net`)
	hardware = regexp.MustCompile(`^[0-9A-F]{2}(-[0-9A-F]{2}){5}$`)

	host = regexp.MustCompile(`https?://(127\.0\.0\.1|localhost|management\.azure\.com)(:\d+)?`)

	// Which zone a static website is in is the region's choice.
	webZone = regexp.MustCompile(`\.z\d+\.web\.core\.`)
)

// madeUp are parts of names that the service assigns: the servers of a public
// zone, and what it adds to the names of a front door's endpoints. The tests ran
// in a stage of the service that is not the public one.
var madeUp = []struct {
	form *regexp.Regexp
	as   string
}{
	{regexp.MustCompile(`^ns([1-4])-\d+\.(daily\.)?azure-dns\.`), "ns$1-<number>.azure-dns."},
	{regexp.MustCompile(`-[a-z0-9]{16}\.z01\.azurefd\.net$`), "-<hash>.z01.azurefd.net"},
	{regexp.MustCompile(`\.(preprodtrafficmanager\.azure|tmpreview\.watmtest\.azure-test)\.net$`), ".trafficmanager.net"},
}

// plain takes out of a value what differs from one run to the next.
func plain(key, s string) string {
	s = guid.ReplaceAllString(s, "<guid>")
	s = when.ReplaceAllString(s, "<time>")
	s = host.ReplaceAllString(s, "<cloud>")
	s = internal.ReplaceAllString(s, "<internal>")
	s = hardware.ReplaceAllString(s, "<hardware>")
	if strings.EqualFold(key, "etag") {
		return "<etag>"
	}
	for _, m := range madeUp {
		s = m.form.ReplaceAllString(s, m.as)
	}
	if key == "stag" || key == "linkIdentifier" {
		return "<number>"
	}
	if a, err := netip.ParseAddr(s); err == nil && !a.IsPrivate() {
		return "<public address>"
	}
	if p, err := netip.ParsePrefix(s); err == nil && !p.Addr().IsPrivate() && strings.EqualFold(key, "ipPrefix") {
		return "<public prefix>"
	}
	s = webZone.ReplaceAllString(s, ".<zone>.web.core.")
	if strings.HasPrefix(s, "/") {
		return strings.ToLower(s)
	}
	return s
}

// compare compares two JSON documents.
func compare(recorded, ours string) (compared, error) {
	var want, got any
	if strings.TrimSpace(recorded) == "" && strings.TrimSpace(ours) == "" {
		return compared{}, nil
	}
	if err := json.Unmarshal([]byte(orNull(recorded)), &want); err != nil {
		return compared{}, fmt.Errorf("the recorded answer is no JSON: %w", err)
	}
	if err := json.Unmarshal([]byte(orNull(ours)), &got); err != nil {
		return compared{}, fmt.Errorf("the answer is no JSON: %w", err)
	}
	c := compared{underWay: underWay(want), names: map[string]string{}}
	c.walk("", "", want, got)
	return c, nil
}

// ofTheRun are properties of which only that they are there can be compared: how
// long a deployment took, a hash whose algorithm is not published, and who wrote:
// people in the recordings, an application here.
var ofTheRun = map[string]bool{
	"duration": true, "templateHash": true,
	"createdBy": true, "createdByType": true, "lastModifiedBy": true, "lastModifiedByType": true, "updatedBy": true,
}

// scrubbed is what the recorder writes in place of the keys of storage accounts.
const scrubbed = "veryFakedStorageAccountKey=="

// ownOnly takes out of a recorded list of a whole subscription what is in
// resource groups that the recording does not touch: the recorder's
// subscription had other tenants.
func ownOnly(recorded string, groups map[string]bool) string {
	var list map[string]any
	if json.Unmarshal([]byte(recorded), &list) != nil {
		return recorded
	}
	all, ok := list["value"].([]any)
	if !ok {
		return recorded
	}
	own := []any{}
	for _, v := range all {
		o, _ := v.(map[string]any)
		id, _ := o["id"].(string)
		if name, _ := group(id); name == "" || groups[strings.ToLower(name)] {
			own = append(own, v)
		}
	}
	list["value"] = own
	b, err := json.Marshal(list)
	if err != nil {
		return recorded
	}
	return string(b)
}

// name remembers what the two sides call the same thing.
func (c *compared) name(key string, want, got any) {
	w, ok := want.(string)
	g, isText := got.(string)
	if !ok || !isText || w == g || w == "" || plain(key, w) != plain(key, g) {
		return
	}
	if strings.EqualFold(key, "etag") {
		c.names[w] = g
	}
	theirs, ours := guid.FindAllString(w, -1), guid.FindAllString(g, -1)
	for i := range min(len(theirs), len(ours)) {
		if theirs[i] != ours[i] {
			c.names[theirs[i]] = ours[i]
		}
	}
}

// states are properties that tell how far an operation is, besides
// provisioningState.
var states = map[string]bool{
	"operationalState": true, "resourceState": true, "circuitProvisioningState": true, "domainValidationState": true, "virtualNetworkLinkState": true, "routingState": true,
	"advertisedPublicPrefixesState": true,
}

// unsettled reports whether a value of a document under way is one that the
// operation changes: a state, or nothing yet (0, "").
func unsettled(key string, want any) bool {
	return states[key] || want == "" || want == float64(0)
}

// underWay reports whether a document is of a resource that is being changed:
// what the operation fills in is not there yet.
func underWay(v any) bool {
	o, _ := v.(map[string]any)
	p, _ := o["properties"].(map[string]any)
	state, ok := p["provisioningState"].(string)
	return ok && state != "Succeeded" && state != "Failed"
}

func orNull(s string) string {
	if strings.TrimSpace(s) == "" {
		return "null"
	}
	return s
}

func (c *compared) add(d difference) { c.differences = append(c.differences, d) }

func (c *compared) walk(path, key string, want, got any) {
	switch want := want.(type) {
	case map[string]any:
		got, ok := got.(map[string]any)
		if !ok {
			c.values++
			c.add(difference{path, "differs", short(want), short(got)})
			return
		}
		c.object(path, want, got)
	case []any:
		list, ok := got.([]any)
		if !ok {
			c.values++
			c.add(difference{path, "differs", short(want), short(got)})
			return
		}
		c.list(path, want, list)
	default:
		if want == scrubbed || ofTheRun[key] && want != nil && got != nil {
			return
		}
		c.values++
		w, g := scalar(key, want), scalar(key, got)
		if w != g && !(c.underWay && unsettled(key, want)) {
			c.add(difference{path, "differs", w, g})
		}
		c.name(key, want, got)
	}
}

// ofItsTime are what a provider says of its types that is of the day it was
// asked: the versions and regions there were, and what they could.
var ofItsTime = map[string]bool{
	"apiVersions": true, "defaultApiVersion": true, "apiProfiles": true, "locations": true, "zoneMappings": true, "capabilities": true,
}

// nextLink leads to the next page of a list: how long pages are is the
// service's own.
const nextLink = "nextLink"

func (c *compared) object(path string, want, got map[string]any) {
	for _, k := range keys(want) {
		if ofItsTime[k] && strings.HasSuffix(path, ".resourceTypes[]") || k == nextLink {
			continue
		}
		name := find(got, k)
		if name == "" {
			if want[k] == nil {
				continue
			}
			c.values++
			c.add(difference{path + "." + k, "missing", short(want[k]), ""})
			continue
		}
		if k == "provisioningState" && want[k] != "Succeeded" {
			continue // an operation is over here when it is recorded under way
		}
		if name != k {
			c.values++
			c.add(difference{path + "." + k, "differs", "spelt " + k, "spelt " + name})
		}
		c.walk(path+"."+k, k, want[k], got[name])
	}
	for _, k := range keys(got) {
		if c.underWay {
			break
		}
		if k != nextLink && find(want, k) == "" && got[k] != nil {
			c.values++
			c.add(difference{path + "." + k, "extra", "", short(got[k])})
		}
	}
}

// find is the name under which an object has a key, in any case.
func find(o map[string]any, key string) string {
	if _, ok := o[key]; ok {
		return key
	}
	for k := range o {
		if strings.EqualFold(k, key) {
			return k
		}
	}
	return ""
}

// list compares lists: of named things by their names, of others by position.
func (c *compared) list(path string, want, got []any) {
	c.values++
	if len(want) != len(got) && !(c.underWay && len(want) == 0) {
		c.add(difference{path, "length", fmt.Sprintf("%d: %s", len(want), names(want)), fmt.Sprintf("%d: %s", len(got), names(got))})
	}
	by := map[string]any{}
	for _, g := range got {
		if n := identity(g); n != "" {
			by[n] = g
		}
	}
	known := false // whether the names are the same at all, and not of the server's making
	for _, w := range want {
		known = known || by[identity(w)] != nil
	}
	for i, w := range want {
		if n := identity(w); n != "" && len(by) == len(got) && known {
			if g, ok := by[n]; ok {
				c.walk(path+"[]", "", w, g)
			}
			continue
		}
		if i < len(got) {
			c.walk(path+"[]", "", w, got[i])
		}
	}
}

// identity tells an element of a list from the others.
func identity(v any) string {
	o, ok := v.(map[string]any)
	if !ok {
		return ""
	}
	for _, k := range []string{"id", "name", "resourceType"} {
		if s, ok := o[k].(string); ok && s != "" {
			return strings.ToLower(s)
		}
	}
	return ""
}

func names(list []any) string {
	var out []string
	for _, v := range list {
		if n := identity(v); n != "" {
			out = append(out, n[strings.LastIndex(n, "/")+1:])
		} else {
			out = append(out, short(v))
		}
	}
	s := strings.Join(out, " ")
	if len(s) > 160 {
		s = s[:160] + "..."
	}
	return s
}

func scalar(key string, v any) string {
	if s, ok := v.(string); ok {
		return fmt.Sprintf("%q", plain(key, s))
	}
	return short(v)
}

func short(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	if len(b) > 160 {
		return string(b[:160]) + "..."
	}
	return string(b)
}

func keys(o map[string]any) []string {
	out := make([]string, 0, len(o))
	for k := range o {
		out = append(out, k)
	}
	sort.Strings(out)
	return out
}
