package arm

import (
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/ceruleannet/cerulean/internal/state"
	"github.com/ceruleannet/cerulean/model"
	"github.com/ceruleannet/cerulean/model/wire"
)

// shadow returns the call against a copy of the cloud in memory: what a
// deployment would do is found out by doing it there.
func (c *call) shadow() (*call, *Fault) {
	store := state.Memory(state.Options{Index: c.s.index})
	resources := c.s.store.View().Snapshot()
	_, err := store.Update(c.actor(), func(tx *state.Tx) error {
		for _, r := range resources {
			if err := tx.Put(r); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, fault(http.StatusInternalServerError, "InternalServerError", "The cloud could not be copied: %v.", err)
	}
	s := &Server{
		store: store, identity: c.s.identity, now: c.s.now, base: c.s.base, subscriptions: c.s.subscriptions,
		pageSize: c.s.pageSize, kinds: c.s.kinds, index: c.s.index, operations: operations{key: c.s.operations.key},
	}
	return &call{s: s, w: c.w, r: c.r, base: c.base, who: c.who, request: c.request, version: c.version, subscription: c.subscription}, nil
}

// rehearse runs a deployment on a copy of the cloud. ok is false if the answer
// was written already.
func (c *call) rehearse(id model.ID) (r *run, ok bool, f *Fault) {
	ro, ok, f := c.readRollout(id)
	if f != nil || !ok {
		return nil, false, f
	}
	sc, f := c.shadow()
	if f != nil {
		return nil, false, f
	}
	r = newRun(sc, ro)
	r.all()
	return r, true, nil
}

// validateDeployment answers "Deployments - Validate".
func (c *call) validateDeployment(d *model.Resource) *Fault {
	r, ok, f := c.rehearse(d.ID)
	if f != nil || !ok {
		return f
	}
	if r.failure != nil {
		return invalidDeployment(c, r.ro.id, r.failure.Details)
	}
	doc := r.document(stateSucceeded)
	p := object(doc, "properties")
	showDeployment(nil, p)
	delete(p, "outputs")
	delete(p, "outputResources")
	p["duration"], p["validatedResources"] = "PT0S", idObjects(r.written)
	writeJSON(c.w, http.StatusOK, doc)
	return nil
}

// whatIf answers "Deployments - What If": the cloud before and after, compared.
func (c *call) whatIf(d *model.Resource) *Fault {
	before := c.s.store.View()
	r, ok, f := c.rehearse(d.ID)
	if f != nil || !ok {
		return f
	}
	answer := map[string]any{"status": stateSucceeded}
	if r.failure != nil {
		answer["status"] = stateFailed
		answer["error"] = errorObject(wire.Error{Code: codeInvalidDeployment, Message: "The template deployment would fail. See inner errors for details.", Details: r.failure.Details})
	} else {
		whole := !strings.EqualFold(r.ro.resultFormat, "ResourceIdOnly")
		answer["properties"] = map[string]any{
			"correlationId": c.request, "changes": c.changes(before, r, whole), "potentialChanges": []any{}, "diagnostics": []any{},
		}
	}
	return c.promise(answer, &model.Resource{ID: r.ro.id, Doc: map[string]any{"location": r.ro.location}})
}

// changes tells what became of each resource: of those of the template, and of
// all others in the resource group.
func (c *call) changes(before *state.View, r *run, whole bool) []any {
	after := r.c.s.store.View()
	written := map[string]bool{}
	ids := map[string]model.ID{}
	for _, s := range r.written {
		id := model.MustParseID(s)
		written[id.Key()], ids[id.Key()] = true, id
	}
	if r.ro.scope.ResourceGroup() != "" {
		for e := range before.List(r.ro.scope.Key()+"/", "") {
			id := e.Resource.ID
			if k := c.s.kinds[strings.ToLower(id.Type())]; k != nil && k.tracked() && id.Parent().Equal(r.ro.scope) {
				ids[id.Key()] = id
			}
		}
	}
	keys := make([]string, 0, len(ids))
	for key := range ids {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	out := make([]any, 0, len(keys))
	for _, key := range keys {
		id := ids[key]
		o := c.changeOf(id, c.planned(before, id), c.planned(after, id), written[key])
		if !whole {
			delete(o, "before")
			delete(o, "after")
			delete(o, "delta")
		}
		out = append(out, o)
	}
	return out
}

// planned is a resource without what the server makes anew with every write.
func (c *call) planned(v *state.View, id model.ID) map[string]any {
	k, f := c.s.kinds.of(id)
	if f != nil {
		return nil
	}
	doc, ok := lookup(v, k, id)
	if !ok {
		return nil
	}
	doc, _ = bare(doc).(map[string]any)
	return doc
}

// bare drops what is of no interest to who plans: etags, GUIDs, states.
func bare(v any) any {
	switch v := v.(type) {
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = bare(e)
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(v))
		for name, e := range v {
			switch name {
			case "etag", "resourceGuid", "provisioningState", "systemData":
			default:
				out[name] = bare(e)
			}
		}
		return out
	default:
		return v
	}
}

// changeOf is one element of "changes".
func (c *call) changeOf(id model.ID, before, after map[string]any, written bool) map[string]any {
	o := map[string]any{"resourceId": id.String()}
	if before != nil {
		o["before"] = before
	}
	if after != nil {
		o["after"] = after
	}
	switch {
	case before == nil:
		o["changeType"] = "Create"
	case after == nil:
		o["changeType"] = "Delete"
	case !written:
		o["changeType"] = "Ignore"
	case reflect.DeepEqual(before, after):
		o["changeType"], o["delta"] = "NoChange", []any{}
	default:
		o["changeType"], o["delta"] = "Modify", delta("", before, after)
	}
	return o
}

// delta lists how properties differ: WhatIfPropertyChange of the reference.
func delta(path string, before, after map[string]any) []any {
	names := map[string]bool{}
	for n := range before {
		names[n] = true
	}
	for n := range after {
		names[n] = true
	}
	sorted := make([]string, 0, len(names))
	for n := range names {
		sorted = append(sorted, n)
	}
	slices.Sort(sorted)
	out := []any{}
	for _, n := range sorted {
		at := n
		if path != "" {
			at = path + "." + n
		}
		x, was := before[n]
		y, is := after[n]
		switch {
		case !was:
			out = append(out, map[string]any{"path": at, "propertyChangeType": "Create", "before": nil, "after": y, "children": nil})
		case !is:
			out = append(out, map[string]any{"path": at, "propertyChangeType": "Delete", "before": x, "after": nil, "children": nil})
		case !reflect.DeepEqual(x, y):
			out = append(out, modified(at, x, y)...)
		}
	}
	return out
}

// modified is a property that differs: objects by their members, arrays by their
// elements, whose children have paths of their own.
func modified(at string, x, y any) []any {
	xo, bothX := x.(map[string]any)
	yo, bothY := y.(map[string]any)
	if bothX && bothY {
		return delta(at, xo, yo)
	}
	xl, listX := x.([]any)
	yl, listY := y.([]any)
	if !listX || !listY {
		return []any{map[string]any{"path": at, "propertyChangeType": "Modify", "before": x, "after": y, "children": nil}}
	}
	children := []any{}
	for i := range max(len(xl), len(yl)) {
		index := strconv.Itoa(i)
		switch {
		case i >= len(xl):
			children = append(children, map[string]any{"path": index, "propertyChangeType": "Create", "before": nil, "after": yl[i], "children": nil})
		case i >= len(yl):
			children = append(children, map[string]any{"path": index, "propertyChangeType": "Delete", "before": xl[i], "after": nil, "children": nil})
		case !reflect.DeepEqual(xl[i], yl[i]):
			a, okA := xl[i].(map[string]any)
			b, okB := yl[i].(map[string]any)
			o := map[string]any{"path": index, "propertyChangeType": "Modify", "before": xl[i], "after": yl[i], "children": nil}
			if okA && okB {
				o["before"], o["after"], o["children"] = nil, nil, delta("", a, b)
			}
			children = append(children, o)
		}
	}
	return []any{map[string]any{"path": at, "propertyChangeType": "Array", "before": nil, "after": nil, "children": children}}
}
