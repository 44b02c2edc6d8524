package plan

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"slices"
	"sort"
	"strings"

	"github.com/ceruleannet/cerulean/model"
	"github.com/ceruleannet/cerulean/model/wire"
)

// GoalTag is the tag on a network manager that says which configuration
// documents the last complete set of commits put in force: for each commit
// type "Type:hash", separated by spaces. Azure tells which configurations are
// deployed where, but not whether they were edited since; see ADR 0007.
const GoalTag = "cerulean-goal-state"

// DeploymentStatus is the property of an observed commit that holds the status
// of listDeploymentStatus: NotStarted, Deploying, Deployed or Failed.
const DeploymentStatus = "deploymentStatus"

// configTypes are the configuration types with the commit type that puts them
// in force.
var configTypes = []struct{ resourceType, commitType string }{
	{model.TypeConnectivityConfig, "Connectivity"},
	{model.TypeSecurityAdminConfig, "SecurityAdmin"},
	{model.TypeRoutingConfig, "Routing"},
}

// configOf returns the configuration an ID names or lies below, and its commit
// type; ok is false for everything else.
func configOf(id model.ID) (config model.ID, commitType string, ok bool) {
	if !strings.Contains(id.Key(), "/networkmanagers/") {
		return model.ID{}, "", false
	}
	for at := id; !at.IsZero(); at = at.Parent() {
		for _, t := range configTypes {
			if at.Is(t.resourceType) {
				return at, t.commitType, true
			}
		}
	}
	return model.ID{}, "", false
}

// goal is what is, or should be, in force in one region.
type goal struct {
	configs []model.ID
	key     string // equal for equal sets of configurations, "" for none
	pos     model.Pos
	broken  bool // observed: not deployed
}

// target is where a goal holds.
type target struct{ commitType, location string }

// manager is one network manager with its goals.
type manager struct {
	id         model.ID
	pos        model.Pos
	want, have map[target]goal
}

// deployment is a commit step with what it is about.
type deployment struct {
	step    int
	manager model.ID
	configs []model.ID
	record  int // the step that records it, or -1
}

// commits adds the commit and record steps.
func (c *computation) commits(observed []*model.Resource) error {
	managers, err := c.managers(observed)
	if err != nil {
		return err
	}
	for _, key := range sortedKeys(managers) {
		m := managers[key]
		hashes := c.hashes(m)
		noted := notedHashes(c.have[key])
		changed := c.changedTypes(m.id)
		first := c.forget(m, hashes, noted, changed)
		var due []target
		for _, t := range m.targets() {
			w, h := m.want[t], m.have[t]
			stale := w.key != "" && (h.broken || hashes[t.commitType] != noted[t.commitType] || changed[t.commitType])
			if w.key != h.key || stale {
				due = append(due, t)
			}
		}
		steps := c.deployAll(m, due)
		if len(steps) > 0 && len(hashes) > 0 {
			c.record(m, hashes, first, steps)
		}
	}
	return nil
}

// managers groups the declared and observed commits by network manager.
func (c *computation) managers(observed []*model.Resource) (map[string]*manager, error) {
	var problems model.Problems
	managers := map[string]*manager{}
	of := func(id model.ID) *manager {
		m := managers[id.Key()]
		if m == nil {
			m = &manager{id: id, want: map[target]goal{}, have: map[target]goal{}}
			if r := c.want[id.Key()]; r != nil {
				m.id, m.pos = r.ID, r.Pos
			}
			managers[id.Key()] = m
		}
		return m
	}
	for _, r := range c.goals {
		t, g, err := goalOf(r)
		if err != nil {
			problems = append(problems, problemOf(err))
			continue
		}
		id := r.ID.Parent()
		if c.want[id.Key()] == nil && c.have[id.Key()] == nil {
			problems = append(problems, model.Problem{
				Pos: r.Pos, Resource: r.ID.String(),
				What: fmt.Sprintf("the commit is on network manager %s, which is neither declared nor found", id),
				Fix:  "declare the network manager",
			})
			continue
		}
		of(id).want[t] = g
	}
	for _, r := range observed {
		id := r.ID.Parent()
		if !r.ID.Is(model.TypeCommit) || c.want[id.Key()] == nil && !c.estate.owns(id) {
			continue
		}
		t, g, err := goalOf(r)
		if err != nil {
			problems = append(problems, problemOf(err))
			continue
		}
		of(id).have[t] = g
	}
	return managers, problems.Err()
}

// goalOf reads a commit's document.
func goalOf(r *model.Resource) (target, goal, error) {
	var doc wire.Commit
	if err := r.Decode(&doc); err != nil {
		return target{}, goal{}, model.Problem{Pos: r.Pos, Resource: r.ID.String(), What: err.Error()}
	}
	g := goal{pos: r.Pos}
	seen := map[string]bool{}
	for _, text := range doc.Properties.ConfigurationIDs {
		id, err := model.ParseID(text)
		if err != nil {
			return target{}, goal{}, model.Problem{
				Pos: r.Pos, Resource: r.ID.String(), What: "configurationIds: " + err.Error(),
				Fix: "give the configuration's whole resource ID",
			}
		}
		if !seen[id.Key()] {
			seen[id.Key()] = true
			g.configs = append(g.configs, id)
		}
	}
	sort.Slice(g.configs, func(i, j int) bool { return g.configs[i].Key() < g.configs[j].Key() })
	keys := make([]string, len(g.configs))
	for i, id := range g.configs {
		keys[i] = id.Key()
	}
	g.key = strings.Join(keys, "\n")
	switch status, _ := r.Properties()[DeploymentStatus].(string); status {
	case "Failed", "NotStarted":
		g.broken = true
	}
	return target{doc.Properties.CommitType, model.NormalizeLocation(doc.Properties.TargetLocation)}, g, nil
}

func (m *manager) targets() []target {
	var out []target
	for t := range m.want {
		out = append(out, t)
	}
	for t := range m.have {
		if _, ok := m.want[t]; !ok {
			out = append(out, t)
		}
	}
	sort.Slice(out, func(i, j int) bool {
		if out[i].commitType != out[j].commitType {
			return out[i].commitType < out[j].commitType
		}
		return out[i].location < out[j].location
	})
	return out
}

// hashes returns for each commit type with a goal the hash of the declared
// documents of its configurations and everything below them.
func (c *computation) hashes(m *manager) map[string]string {
	configs := map[string]map[string]bool{}
	for t, g := range m.want {
		for _, id := range g.configs {
			if configs[t.commitType] == nil {
				configs[t.commitType] = map[string]bool{}
			}
			configs[t.commitType][id.Key()] = true
		}
	}
	documents := map[string][]string{} // by configuration
	for _, r := range c.order {
		if config, _, ok := configOf(r.ID); ok {
			doc := map[string]any{}
			for k, v := range r.Doc {
				if k != "id" && k != "name" && k != "type" && !everywhere(k) {
					doc[k] = v
				}
			}
			documents[config.Key()] = append(documents[config.Key()], r.ID.Key()+" "+canonical("", doc))
		}
	}
	out := map[string]string{}
	for commitType, ids := range configs {
		h := sha256.New()
		for _, id := range sortedKeys(ids) {
			_, _ = io.WriteString(h, id+"\n") // a hash never fails to write
			sort.Strings(documents[id])
			for _, line := range documents[id] {
				_, _ = io.WriteString(h, line+"\n")
			}
		}
		// 128 bits are plenty to tell edits apart, and three of them fit
		// Azure's 256 characters of a tag's value.
		out[commitType] = hex.EncodeToString(h.Sum(nil)[:16])
	}
	return out
}

// notedHashes reads the goal-state tag of an observed manager, which may be nil.
func notedHashes(r *model.Resource) map[string]string {
	out := map[string]string{}
	if r == nil {
		return out
	}
	for name, value := range r.Tags() {
		if strings.EqualFold(name, GoalTag) {
			for _, part := range strings.Fields(value) {
				if commitType, hash, ok := strings.Cut(part, ":"); ok {
					out[commitType] = hash
				}
			}
		}
	}
	return out
}

func noteHashes(hashes map[string]string) string {
	parts := make([]string, 0, len(hashes))
	for _, commitType := range sortedKeys(hashes) {
		parts = append(parts, commitType+":"+hashes[commitType])
	}
	return strings.Join(parts, " ")
}

// changedTypes returns the commit types of a manager whose configurations are
// about to change.
func (c *computation) changedTypes(managerID model.ID) map[string]bool {
	out := map[string]bool{}
	for _, s := range c.graph.steps {
		if _, commitType, ok := configOf(s.ID); ok && strings.HasPrefix(s.ID.Key(), managerID.Key()+"/") {
			out[commitType] = true
		}
	}
	return out
}

// forget adds the step, if one is needed, that takes a hash out of the tag
// before a configuration is changed back to what the hash stands for: without
// it, a kill between that change and its commit would leave a tag that claims
// the commit was made. It returns the tag's value afterwards.
func (c *computation) forget(m *manager, hashes, noted map[string]string, changed map[string]bool) string {
	before := noteHashes(noted)
	for commitType := range changed {
		if hashes[commitType] != "" && hashes[commitType] == noted[commitType] {
			delete(noted, commitType)
		}
	}
	after := noteHashes(noted)
	if after == before {
		return before
	}
	key := m.id.Key()
	if step, ok := c.graph.byKey[key]; ok {
		s := &c.graph.steps[step]
		if s.Action == Update {
			s.Resource = withGoalTag(s.Resource, after)
		}
		return after
	}
	c.graph.byKey[key] = c.graph.add(c.recordStep(m, before, after))
	return after
}

// recordStep is the step that sets a manager's goal-state tag.
func (c *computation) recordStep(m *manager, before, after string) Step {
	var doc *model.Resource
	if step, ok := c.graph.byKey[m.id.Key()]; ok && c.graph.steps[step].Resource != nil {
		doc = c.graph.steps[step].Resource
	} else {
		want, have := c.want[m.id.Key()], c.have[m.id.Key()]
		if want == nil {
			want = &model.Resource{ID: m.id, Pos: m.pos, Doc: map[string]any{"tags": have.Doc["tags"]}}
		}
		doc = overlay(want, have, c.scope(m.id))
	}
	var old any
	if before != "" {
		old = before
	}
	return Step{
		Action: Record, ID: m.id, Pos: m.pos, Resource: withGoalTag(doc, after),
		Changes: []Change{{Pointer: "/tags/" + GoalTag, Path: "tags." + GoalTag, Old: old, New: after, Pos: m.pos}},
	}
}

func withGoalTag(r *model.Resource, value string) *model.Resource {
	out := r.Clone()
	tags, _ := out.Doc["tags"].(map[string]any)
	if tags == nil {
		tags = map[string]any{}
		out.Doc["tags"] = tags
	}
	for name := range tags {
		if strings.EqualFold(name, GoalTag) {
			delete(tags, name)
		}
	}
	if value != "" {
		tags[GoalTag] = value
	}
	return out
}

// deployAll adds one commit step for each commit type and equal set of
// configurations among the targets that are due.
func (c *computation) deployAll(m *manager, due []target) []int {
	type group struct{ commitType, key string }
	at := map[group]int{}
	var steps []int
	for _, t := range due {
		g := m.want[t]
		k := group{t.commitType, g.key}
		if i, ok := at[k]; ok {
			commit := c.graph.steps[i].Commit
			commit.Locations = append(commit.Locations, t.location)
			continue
		}
		pos := g.pos
		if pos.IsZero() {
			pos = m.pos
		}
		i := c.graph.add(Step{
			Action: Deploy, ID: m.id, Pos: pos,
			Commit: &Commit{Type: t.commitType, Locations: []string{t.location}, Configurations: g.configs},
			// One commit at a time: Azure refuses a second one that overlaps.
			locks: []string{m.id.Key()},
		})
		at[k] = i
		steps = append(steps, i)
		c.deploy = append(c.deploy, deployment{step: i, manager: m.id, configs: g.configs, record: -1})
	}
	return steps
}

// record adds the step that notes the hashes once every commit has succeeded.
func (c *computation) record(m *manager, hashes map[string]string, before string, commits []int) {
	after := noteHashes(hashes)
	if after == before {
		return
	}
	i := c.graph.add(c.recordStep(m, before, after))
	for _, step := range commits {
		c.graph.need(i, step)
	}
	if step, ok := c.graph.byKey[m.id.Key()]; ok {
		c.graph.need(i, step)
	}
}

// commitEdges orders commits among the other steps.
func (c *computation) commitEdges() {
	if len(c.deploy) == 0 {
		return
	}
	below := c.membersBelow()
	for _, d := range c.deploy {
		prefix := d.manager.Key() + "/"
		if step, ok := c.graph.byKey[d.manager.Key()]; ok && c.graph.steps[step].Action != Delete {
			c.graph.need(d.step, step)
		}
		for _, key := range c.closure(d.configs, below) {
			if step, ok := c.graph.byKey[key]; ok && c.graph.steps[step].Action != Delete {
				c.graph.need(d.step, step)
			}
		}
		for i, s := range c.graph.steps {
			if s.Action != Delete {
				continue
			}
			config, _, inConfig := configOf(s.ID)
			switch {
			case inConfig && slices.ContainsFunc(d.configs, config.Equal):
				// A rule taken out of a configuration that stays.
				c.graph.need(d.step, i)
			case inConfig && c.want[config.Key()] == nil && strings.HasPrefix(s.ID.Key(), prefix),
				s.ID.Is(model.TypeNetworkGroup) && strings.HasPrefix(s.ID.Key(), prefix),
				s.ID.Equal(d.manager):
				// Azure refuses to delete what is in force.
				c.graph.need(i, d.step)
			}
		}
	}
	// A hash must be forgotten before the first configuration changes.
	for i, s := range c.graph.steps {
		if config, _, ok := configOf(s.ID); ok {
			if step, ok := c.graph.byKey[config.Parent().Key()]; ok && c.graph.steps[step].Action != Delete {
				c.graph.need(i, step)
			}
		}
	}
}

// membersBelow returns for each declared configuration, rule collection and
// network group what belongs to it: its children and, for a group, the
// policies that fill it; for a definition its assignments.
func (c *computation) membersBelow() map[string][]*model.Resource {
	out := map[string][]*model.Resource{}
	for _, r := range c.order {
		parent := r.ID.Parent()
		_, _, inConfig := configOf(parent)
		if inConfig || parent.Is(model.TypeNetworkGroup) {
			out[parent.Key()] = append(out[parent.Key()], r)
		}
		if r.ID.Is(model.TypePolicyDefinition) {
			group := strings.ToLower(policyGroup(r))
			out[group] = append(out[group], r)
		}
		if r.ID.Is(model.TypePolicyAssignment) {
			definition, _ := r.Properties()["policyDefinitionId"].(string)
			definition = strings.ToLower(definition)
			out[definition] = append(out[definition], r)
		}
	}
	return out
}

// closure returns the keys of the declared resources that decide what a set of
// configurations does: everything below them and everything they refer to.
func (c *computation) closure(configs []model.ID, below map[string][]*model.Resource) []string {
	seen := map[string]bool{}
	var out []string
	var visit func(key string)
	visit = func(key string) {
		r := c.want[key]
		if r == nil || seen[key] {
			return
		}
		seen[key] = true
		out = append(out, key)
		for _, child := range below[key] {
			visit(child.ID.Key())
		}
		for _, id := range references(r, true) {
			if holder, ok := c.want.holder(id); ok {
				visit(holder)
			}
		}
	}
	for _, id := range configs {
		visit(id.Key())
	}
	return out
}
