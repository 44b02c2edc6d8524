package plan

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"sort"
	"strings"
	"unicode/utf8"

	"github.com/ceruleannet/cerulean/model"
)

// Style says how a plan is shown.
type Style struct {
	Color bool // ANSI colours, for a terminal
	// Width is the number of columns lines are kept within where values can be
	// shortened; 0 means 100.
	Width int
	// Brief leaves out the properties of resources to create.
	Brief bool
}

// Header returns the plan's counts, "12 to create, 1 to update, 0 to delete, 2
// to commit".
func (p *Plan) Header() string {
	return fmt.Sprintf("%d to create, %d to update, %d to delete, %d to commit",
		p.Count(Create), p.updated(), p.Count(Delete), p.Count(Deploy))
}

// updated counts the resources to update: one that is updated in two steps
// counts once.
func (p *Plan) updated() int {
	seen := map[string]bool{}
	for _, s := range p.steps {
		if s.Action == Update {
			seen[s.ID.Key()] = true
		}
	}
	return len(seen)
}

// Write shows the plan like a good diff: the counts, then each step with its
// properties and the place they were declared.
func Write(w io.Writer, p *Plan, style Style) error {
	if style.Width <= 0 {
		style.Width = 100
	}
	out := &printer{w: bufio.NewWriter(w), style: style}
	if p.Empty() {
		out.line("", fmt.Sprintf("%s: nothing to do, the cloud is as declared", p.network))
		return out.w.Flush()
	}
	out.line("", p.network+": "+p.Header())
	group := ""
	for i, s := range p.shown() {
		if in := groupOf(s.ID); i == 0 || in != group {
			group = in
			out.line("", "")
			out.line(bold, in)
		}
		out.step(s)
	}
	return out.w.Flush()
}

// shown returns the steps in the order people look for them: by resource
// group and ID, the commits last. The order of execution is in the JSON form.
func (p *Plan) shown() []Step {
	steps := p.Steps()
	key := func(s Step) string {
		last := "0"
		if s.Action == Deploy || s.Action == Record {
			last = "1"
		}
		return last + groupOf(s.ID)
	}
	sort.SliceStable(steps, func(i, j int) bool {
		if a, b := key(steps[i]), key(steps[j]); a != b {
			return a < b
		}
		return steps[i].ID.Key() < steps[j].ID.Key() && steps[i].Action != Deploy && steps[j].Action != Deploy
	})
	return steps
}

const (
	bold   = "\x1b[1m"
	green  = "\x1b[32m"
	yellow = "\x1b[33m"
	red    = "\x1b[31m"
	blue   = "\x1b[36m"
	faint  = "\x1b[2m"
	reset  = "\x1b[0m"
)

func sign(a Action) (text, color string) {
	switch a {
	case Create:
		return "+", green
	case Update:
		return "~", yellow
	case Delete:
		return "-", red
	case Deploy:
		return ">", blue
	default:
		return "·", faint
	}
}

// groupOf names where a resource is.
func groupOf(id model.ID) string {
	if group := id.ResourceGroup(); group != "" {
		return "resource group " + group
	}
	return "subscription " + id.Subscription()
}

// shortName is a resource without its namespace and group, for example
// "virtualNetworks/hub/virtualNetworkPeerings/to-spoke".
func shortName(id model.ID) string {
	text := id.String()
	i := strings.LastIndex(strings.ToLower(text), "/providers/")
	if i < 0 {
		return "resourceGroups/" + id.Name()
	}
	text = text[i+len("/providers/"):]
	return text[strings.IndexByte(text, '/')+1:]
}

type printer struct {
	w     *bufio.Writer
	style Style
}

func (o *printer) line(color, text string) {
	if o.style.Color && color != "" && text != "" {
		text = color + text + reset
	}
	_, _ = o.w.WriteString(text + "\n") // bufio keeps the error for Flush
}

// row writes text with the place at the right margin.
func (o *printer) row(color, text string, pos model.Pos) {
	at := pos.String()
	room := o.style.Width
	if at != "" {
		room -= utf8.RuneCountInString(at) + 2
	}
	if room < o.style.Width/2 {
		room = o.style.Width / 2
	}
	text = shorten(text, room)
	if at == "" {
		o.line(color, text)
		return
	}
	pad := strings.Repeat(" ", max(2, room-utf8.RuneCountInString(text)+2))
	if o.style.Color {
		o.line("", color+text+reset+pad+faint+at+reset)
		return
	}
	o.line("", text+pad+at)
}

func (o *printer) step(s Step) {
	mark, color := sign(s.Action)
	switch s.Action {
	case Deploy:
		o.row(color, fmt.Sprintf("  %s commit %s of %s", mark, s.Commit.Type, shortName(s.ID)), s.Pos)
		o.row("", "      to: "+strings.Join(s.Commit.Locations, ", "), model.Pos{})
		if len(s.Commit.Configurations) == 0 {
			o.row("", "      nothing: what was in force there no longer is", model.Pos{})
		}
		for _, id := range s.Commit.Configurations {
			o.row("", "      configuration: "+shortName(id), model.Pos{})
		}
	case Record:
		if s.Changes[0].New == "" {
			o.row(color, fmt.Sprintf("  %s forget the goal state of %s", mark, shortName(s.ID)), model.Pos{})
			return
		}
		o.row(color, fmt.Sprintf("  %s record the goal state of %s", mark, shortName(s.ID)), model.Pos{})
	default:
		o.row(color, fmt.Sprintf("  %s %s", mark, shortName(s.ID)), s.Pos)
		if s.Action == Create && !o.style.Brief {
			for _, leaf := range leaves(s.Resource) {
				o.row("", "      "+leaf.Path+": "+show(leaf.New), model.Pos{})
			}
		}
		for _, ch := range s.Changes {
			o.change(ch)
		}
	}
}

func (o *printer) change(ch Change) {
	switch {
	case ch.Old == nil:
		o.row(green, "      + "+ch.Path+": "+show(ch.New), ch.Pos)
	case ch.New == nil:
		o.row(red, "      - "+ch.Path+": "+show(ch.Old), model.Pos{})
	default:
		old, new := show(ch.Old), show(ch.New)
		text := "      ~ " + ch.Path + ": " + old + " -> " + new
		if utf8.RuneCountInString(text) <= o.style.Width-30 {
			o.row(yellow, text, ch.Pos)
			return
		}
		o.row(yellow, "      ~ "+ch.Path, ch.Pos)
		o.row(red, "          - "+old, model.Pos{})
		o.row(green, "          + "+new, model.Pos{})
	}
}

// leaves returns the scalar properties of a document as creations, without its
// identity.
func leaves(r *model.Resource) []Change {
	var out []Change
	var walk func(path string, v any)
	walk = func(path string, v any) {
		switch v := v.(type) {
		case map[string]any:
			for _, k := range sortedKeys(v) {
				walk(pathOf(path, k), v[k])
			}
		case []any:
			if keyOf := elementKey("", v, nil); keyOf != nil && len(v) > 0 {
				for _, e := range v {
					m, _ := e.(map[string]any)
					rest := make(map[string]any, len(m))
					for k, p := range m {
						if k != "name" && !(k == "id" && m["name"] != nil) {
							rest[k] = p
						}
					}
					walk(path+"["+elementName(e, keyOf(e))+"]", rest)
				}
				return
			}
			out = append(out, Change{Path: path, New: v})
		default:
			out = append(out, Change{Path: path, New: v})
		}
	}
	for _, k := range sortedKeys(r.Doc) {
		if k != "id" && k != "name" && k != "type" {
			walk(pathOf("", k), r.Doc[k])
		}
	}
	return out
}

// show writes a value on one line. Resource IDs are shown without the part
// every ID of the network shares.
func show(v any) string {
	switch v := v.(type) {
	case string:
		if isID(v) {
			if id, err := model.ParseID(v); err == nil && id.ResourceGroup() != "" {
				return id.ResourceGroup() + ":" + shortName(id)
			}
		}
		return v
	case []any:
		parts := make([]string, len(v))
		for i, e := range v {
			parts[i] = show(e)
		}
		sep := ", "
		return "[" + strings.Join(parts, sep) + "]"
	case map[string]any:
		if id, ok := v["id"].(string); ok && len(v) == 1 {
			return show(id)
		}
		var parts []string
		for _, l := range leaves(&model.Resource{Doc: v}) {
			parts = append(parts, l.Path+": "+show(l.New))
		}
		return "{" + strings.Join(parts, ", ") + "}"
	default:
		var b bytes.Buffer
		enc := json.NewEncoder(&b)
		enc.SetEscapeHTML(false)
		if err := enc.Encode(v); err != nil {
			return fmt.Sprint(v)
		}
		return strings.TrimSpace(b.String())
	}
}

// shorten cuts the middle out of text that is longer than width.
func shorten(text string, width int) string {
	runes := []rune(text)
	if len(runes) <= width || width < 8 {
		return text
	}
	tail := width / 3
	return string(runes[:width-tail-1]) + "…" + string(runes[len(runes)-tail:])
}

// jsonPlan is the JSON form of a plan.
type jsonPlan struct {
	Network string         `json:"network"`
	Empty   bool           `json:"empty"`
	Counts  map[string]int `json:"counts"`
	Steps   []jsonStep     `json:"steps"`
}

type jsonStep struct {
	Action  Action       `json:"action"`
	ID      model.ID     `json:"id"`
	Pos     *model.Pos   `json:"pos,omitempty"`
	Changes []jsonChange `json:"changes,omitempty"`
	Commit  *jsonCommit  `json:"commit,omitempty"`
	Doc     any          `json:"document,omitempty"`
	Needs   []int        `json:"needs,omitempty"`
}

type jsonChange struct {
	Pointer string     `json:"pointer"`
	Path    string     `json:"path"`
	Old     any        `json:"old"`
	New     any        `json:"new"`
	Pos     *model.Pos `json:"pos,omitempty"`
}

type jsonCommit struct {
	Type           string   `json:"commitType"`
	Locations      []string `json:"targetLocations"`
	Configurations []string `json:"configurationIds"`
}

// WriteJSON writes the plan as one JSON object: network, empty, counts by
// action, and the steps in order with their changes, documents and needs
// (indices of steps).
func WriteJSON(w io.Writer, p *Plan) error {
	out := jsonPlan{
		Network: p.network, Empty: p.Empty(), Steps: make([]jsonStep, len(p.steps)),
		Counts: map[string]int{
			string(Create): p.Count(Create), string(Update): p.updated(),
			string(Delete): p.Count(Delete), string(Deploy): p.Count(Deploy),
		},
	}
	for i, s := range p.steps {
		js := jsonStep{Action: s.Action, ID: s.ID, Pos: posOrNil(s.Pos), Needs: s.Needs}
		if s.Resource != nil {
			js.Doc = s.Resource.Doc
		}
		for _, ch := range s.Changes {
			js.Changes = append(js.Changes, jsonChange{ch.Pointer, ch.Path, ch.Old, ch.New, posOrNil(ch.Pos)})
		}
		if s.Commit != nil {
			ids := make([]string, len(s.Commit.Configurations))
			for k, id := range s.Commit.Configurations {
				ids[k] = id.String()
			}
			sort.Strings(ids)
			js.Commit = &jsonCommit{s.Commit.Type, s.Commit.Locations, ids}
		}
		out.Steps[i] = js
	}
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(out)
}

func posOrNil(p model.Pos) *model.Pos {
	if p.IsZero() {
		return nil
	}
	return &p
}
