package arm

import (
	"strings"

	"github.com/ceruleannet/cerulean/internal/state"
	"github.com/ceruleannet/cerulean/model"
)

const typeFlowLog = typeWatcher + "/flowLogs"

// flowLogVerbs are how clients of before flow logs were resources set and read
// them, by what they log ("Network Watchers - Set Flow Log Configuration" and
// "Get Flow Log Status").
func flowLogVerbs() []verb {
	return []verb{
		{name: "configureFlowLog", act: configureFlowLog},
		{name: "queryFlowLogStatus", body: withBody, answer: func(q *question) (any, *Fault) {
			target, f := flowLogTarget(q.view, q.on.ID, q.body)
			if f != nil {
				return nil, f
			}
			return flowLogStatus(target, flowLogOf(q.view, q.on.ID, target)), nil
		}},
	}
}

// flowLogTarget reads what a request is about.
func flowLogTarget(v viewer, watcher model.ID, body map[string]any) (model.ID, *Fault) {
	id, err := model.ParseID(text(body, "targetResourceId"))
	if err != nil {
		return id, invalidProperty(watcher, "targetResourceId", body["targetResourceId"], "it must be the ID of what flows are logged of")
	}
	if !has(v, id) {
		return id, invalidReference(watcher, id.String())
	}
	return id, nil
}

// flowLogOf returns the flow log of a target, of one watcher.
func flowLogOf(v *state.View, watcher, target model.ID) *model.Resource {
	for _, r := range flowLogsOf(v, target) {
		if r.ID.Parent().Equal(watcher) {
			return r
		}
	}
	return nil
}

// flowLogsOf returns the flow logs of a target, in order of IDs.
func flowLogsOf(v *state.View, target model.ID) []*model.Resource {
	var out []*model.Resource
	for _, e := range findExact(v, termType+strings.ToLower(typeFlowLog)) {
		if strings.EqualFold(text(e.Resource.Properties(), "targetResourceId"), target.String()) {
			out = append(out, e.Resource)
		}
	}
	return out
}

// showFlowLogs shows what logs the flows of a resource, if something does.
func (r *reading) showFlowLogs(p map[string]any) {
	var list []any
	for _, l := range flowLogsOf(r.view, r.id) {
		list = append(list, map[string]any{"id": l.ID.String()})
	}
	if len(list) > 0 {
		p["flowLogs"] = list
	}
}

// flowLogStatus is a flow log as the actions have it; log is nil if there is
// none.
func flowLogStatus(target model.ID, log *model.Resource) map[string]any {
	if log == nil {
		return map[string]any{
			"targetResourceId": target.String(), "flowAnalyticsConfiguration": map[string]any{},
			"properties": map[string]any{"storageId": "", "enabled": false, "retentionPolicy": map[string]any{"days": 0, "enabled": false}},
		}
	}
	p := log.Properties()
	out := map[string]any{"targetResourceId": target.String(), "properties": map[string]any{
		"storageId": p["storageId"], "enabled": p["enabled"], "retentionPolicy": p["retentionPolicy"], "format": p["format"],
	}}
	analytics := object(p, "flowAnalyticsConfiguration")
	if object(analytics, "networkWatcherFlowAnalyticsConfiguration")["enabled"] == true {
		out["flowAnalyticsConfiguration"] = analytics
	}
	return out
}

// configureFlowLog writes the flow log of a target: the one it has, or one of the
// name that the service gives.
func configureFlowLog(c *call, on *model.Resource) *Fault {
	body, f := readBody(c.w, c.r)
	if f != nil {
		return f
	}
	var answer map[string]any
	f = c.update(func(tx *state.Tx) *Fault {
		target, f := flowLogTarget(tx, on.ID, body)
		if f != nil {
			return f
		}
		given := object(body, "properties")
		if text(given, "storageId") == "" {
			return invalidProperty(on.ID, "properties.storageId", given["storageId"], "a flow log needs a storage account")
		}
		p := map[string]any{"targetResourceId": target.String()}
		for _, name := range []string{"storageId", "enabled", "retentionPolicy", "format"} {
			if given[name] != nil {
				p[name] = given[name]
			}
		}
		if a := object(body, "flowAnalyticsConfiguration"); a != nil {
			p["flowAnalyticsConfiguration"] = a
		}
		namespace, _, _ := strings.Cut(target.Type(), "/")
		id := on.ID.Child("flowLogs", namespace+target.ResourceGroup()+target.Name())
		ch := c.s.newChange(tx, c.s.kinds[strings.ToLower(typeFlowLog)], id, c.actor())
		if had := flowLogOf(tx.View, on.ID, target); had != nil {
			ch.id, ch.old = had.ID, had.Doc
		}
		ch.doc = map[string]any{"location": on.Location(), "properties": p}
		if _, f := ch.store(); f != nil {
			return f
		}
		answer = flowLogStatus(target, &model.Resource{ID: ch.id, Doc: ch.doc})
		return nil
	})
	if f != nil {
		return f
	}
	return c.promise(answer, on)
}
