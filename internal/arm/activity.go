package arm

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ceruleannet/cerulean/internal/state"
	"github.com/ceruleannet/cerulean/model"
	"github.com/google/uuid"
)

// readEvents is what reading the activity log takes.
const readEvents = "Microsoft.Insights/eventtypes/values/read"

// activity is one event of the activity log: a write that was done, or one that
// was refused.
type activity struct {
	at                             time.Time
	caller, correlation, operation string
	id                             string
	status, level, explanation     string
	code                           int
	seed                           string // what makes it one of its own
}

// recordRefusal puts a refused write on the trail. That it could not be put
// there does not make the refusal another one.
func (c *call) recordRefusal(path []string, f *Fault) {
	if c.r.Method == http.MethodGet || c.r.Method == http.MethodHead || c.subscription == "" {
		return
	}
	id, err := model.ParseID("/" + strings.Join(path, "/"))
	operation := "write"
	switch {
	case err != nil:
		if id, err = model.ParseID("/" + strings.Join(path[:len(path)-1], "/")); err != nil {
			return
		}
		operation = path[len(path)-1] + "/action"
	case c.r.Method == http.MethodDelete:
		operation = "delete"
	}
	_ = c.s.store.Refuse(state.Refusal{
		At: c.s.now(), Who: c.who.AppID, Request: c.request,
		Operation: operationOf(id.Type(), operation), ID: id.String(), Status: f.Status, Code: f.Err.Code,
	})
}

// activities are the events of a subscription, newest first.
func (c *call) activities() ([]activity, error) {
	changes, err := c.s.store.History(0, 0)
	if err != nil {
		return nil, err
	}
	refusals, err := c.s.store.Refusals()
	if err != nil {
		return nil, err
	}
	within := strings.ToLower(model.SubscriptionID(c.subscription).String())
	ours := func(id string) bool {
		id = strings.ToLower(id)
		return id == within || strings.HasPrefix(id, within+"/")
	}
	var out []activity
	for _, ch := range changes {
		if !ours(ch.ID) {
			continue
		}
		a := activity{at: ch.At, caller: ch.Who, correlation: ch.Request, id: ch.ID, status: "Succeeded", level: "Informational", seed: fmt.Sprint(ch.Revision, " ", ch.ID)}
		id, err := model.ParseID(ch.ID)
		if err != nil {
			continue
		}
		switch ch.Action {
		case state.ActionCreate:
			a.operation, a.code = operationOf(id.Type(), "write"), http.StatusCreated
		case state.ActionDelete:
			a.operation, a.code = operationOf(id.Type(), "delete"), http.StatusOK
		default:
			a.operation, a.code = operationOf(id.Type(), "write"), http.StatusOK
		}
		out = append(out, a)
	}
	for i, r := range refusals {
		if ours(r.ID) {
			out = append(out, activity{
				at: r.At, caller: r.Who, correlation: r.Request, id: r.ID, operation: r.Operation, status: "Failed", level: "Error",
				code: r.Status, explanation: r.Code, seed: fmt.Sprint("refused ", i),
			})
		}
	}
	slices.SortStableFunc(out, func(a, b activity) int { return a.at.Compare(b.at) })
	slices.Reverse(out)
	return out, nil
}

// activityLog answers "Activity Logs - List": what was written in the
// subscription and what was refused, by whom and when, newest first.
func (c *call) activityLog() *Fault {
	if f := c.getOnly(); f != nil {
		return f
	}
	me := model.SubscriptionID(c.subscription)
	if f := c.permitBelow(readEvents, me); f != nil {
		return f
	}
	q := c.r.URL.Query()
	match, f := activityFilter(q.Get("$filter"))
	if f != nil {
		return f
	}
	from := 0 // how many of the oldest events the pages before left
	if t := q.Get("$skiptoken"); t != "" {
		b, err := base64.RawURLEncoding.DecodeString(t)
		if err == nil {
			from, err = strconv.Atoi(string(b))
		}
		if err != nil || from < 1 {
			return badRequest("InvalidSkipToken", "The value of $skiptoken is invalid; use nextLink as it was given.")
		}
	}
	all, err := c.activities()
	if err != nil {
		return fault(http.StatusServiceUnavailable, "ServiceUnavailable", "The trail could not be read: %v.", err)
	}
	if from > 0 {
		all = all[max(0, len(all)-from):]
	}
	answer := map[string]any{}
	value := []any{}
	for i, a := range all {
		id, err := model.ParseID(a.id)
		if err != nil || !match(a, id) || !c.rights().at(readEvents, id) {
			continue
		}
		if len(value) == c.s.pageSize {
			q.Set("$skiptoken", base64.RawURLEncoding.EncodeToString([]byte(strconv.Itoa(len(all)-i))))
			next := url.URL{Path: c.r.URL.Path, RawQuery: q.Encode()}
			answer["nextLink"] = c.base + next.RequestURI()
			break
		}
		value = append(value, c.activityBody(a, id))
	}
	answer["value"] = value
	writeJSON(c.w, http.StatusOK, answer)
	return nil
}

// activityBody is an event as EventData of the REST reference.
func (c *call) activityBody(a activity, id model.ID) map[string]any {
	both := func(s string) map[string]any { return map[string]any{"value": s, "localizedValue": s} }
	when := a.at.UTC().Format("2006-01-02T15:04:05.0000000Z")
	event := uuid.NewSHA1(uuid.NameSpaceURL, []byte(a.id+" "+a.seed)).String()
	sub := fmt.Sprintf("%s (HTTP Status Code: %d)", http.StatusText(a.code), a.code)
	properties := map[string]any{"statusCode": strings.ReplaceAll(http.StatusText(a.code), " ", ""), "entity": a.id, "message": a.operation, "hierarchy": c.subscription}
	if a.explanation != "" {
		properties["statusMessage"] = `{"error":{"code":"` + a.explanation + `"}}`
	}
	namespace, _, _ := strings.Cut(a.operation, "/")
	return map[string]any{
		"id":             fmt.Sprintf("%s/events/%s/ticks/%d", a.id, event, ticks(a.at)),
		"authorization":  map[string]any{"action": a.operation, "scope": a.id},
		"caller":         a.caller,
		"channels":       "Operation",
		"claims":         map[string]any{"appid": a.caller},
		"category":       both("Administrative"),
		"correlationId":  a.correlation,
		"operationId":    a.correlation,
		"description":    "",
		"eventDataId":    event,
		"eventName":      map[string]any{"value": "EndRequest", "localizedValue": "End request"},
		"eventTimestamp": when, "submissionTimestamp": when,
		"level":                a.level,
		"operationName":        both(a.operation),
		"resourceGroupName":    id.ResourceGroup(),
		"resourceId":           a.id,
		"resourceProviderName": both(namespace),
		"resourceType":         both(id.Type()),
		"status":               both(a.status),
		"subStatus":            map[string]any{"value": strings.ReplaceAll(http.StatusText(a.code), " ", ""), "localizedValue": sub},
		"subscriptionId":       c.subscription,
		"tenantId":             c.s.identity.TenantID,
		"properties":           properties,
	}
}

// ticks are 100 ns since the year 1, as .NET counts.
func ticks(t time.Time) int64 {
	const atUnixEpoch = 621_355_968_000_000_000
	return t.UnixNano()/100 + atUnixEpoch
}

// activityFilter reads the $filter that "Activity Logs - List" takes: terms
// joined by "and", of which the earliest time is one.
func activityFilter(s string) (func(activity, model.ID) bool, *Fault) {
	bad := badRequest("BadRequest", "The filter '%.300s' is not valid. Use eventTimestamp ge 'TIME', eventTimestamp le 'TIME', and resourceGroupName, resourceUri, resourceProvider, correlationId, caller, status, levels or eventChannels eq 'VALUE', joined by and.", s)
	var terms []func(activity, model.ID) bool
	since := false
	for rest := strings.TrimSpace(s); rest != ""; {
		name, after, _ := strings.Cut(rest, " ")
		op, after, ok := strings.Cut(strings.TrimSpace(after), " ")
		after = strings.TrimSpace(after)
		if !ok || after == "" {
			return nil, bad
		}
		var value string
		if after[0] == '\'' {
			if value, after, ok = quoted(after); !ok {
				return nil, bad
			}
		} else {
			value, after, _ = strings.Cut(after, " ")
		}
		term, ok := activityTerm(strings.ToLower(name), strings.ToLower(op), value)
		if !ok {
			return nil, bad
		}
		since = since || strings.EqualFold(name, "eventTimestamp") && strings.EqualFold(op, "ge")
		terms = append(terms, term)
		if rest = strings.TrimSpace(after); rest == "" {
			break
		}
		joint, next, _ := strings.Cut(rest, " ")
		if rest = strings.TrimSpace(next); !strings.EqualFold(joint, "and") || rest == "" {
			return nil, bad
		}
	}
	if !since {
		return nil, bad
	}
	return func(a activity, id model.ID) bool {
		return !slices.ContainsFunc(terms, func(t func(activity, model.ID) bool) bool { return !t(a, id) })
	}, nil
}

func activityTerm(name, op, value string) (func(activity, model.ID) bool, bool) {
	if name == "eventtimestamp" {
		at, err := time.Parse(time.RFC3339, strings.ToUpper(value))
		if err != nil {
			at, err = time.Parse("2006-01-02T15:04:05", strings.ToUpper(value))
		}
		switch {
		case err != nil:
			return nil, false
		case op == "ge":
			return func(a activity, _ model.ID) bool { return !a.at.Before(at) }, true
		case op == "le":
			return func(a activity, _ model.ID) bool { return !a.at.After(at) }, true
		}
		return nil, false
	}
	of, ok := map[string]func(activity, model.ID) string{
		"resourcegroupname": func(_ activity, id model.ID) string { return id.ResourceGroup() },
		"resourceuri":       func(a activity, _ model.ID) string { return a.id },
		"resourceid":        func(a activity, _ model.ID) string { return a.id },
		"resourceprovider":  func(a activity, _ model.ID) string { p, _, _ := strings.Cut(a.operation, "/"); return p },
		"correlationid":     func(a activity, _ model.ID) string { return a.correlation },
		"caller":            func(a activity, _ model.ID) string { return a.caller },
		"status":            func(a activity, _ model.ID) string { return a.status },
		"levels":            func(a activity, _ model.ID) string { return a.level },
		// Every event here is of both channels.
		"eventchannels": func(activity, model.ID) string { return "Operation" },
	}[name]
	if !ok || op != "eq" {
		return nil, false
	}
	return func(a activity, id model.ID) bool {
		for v := range strings.SplitSeq(value, ",") {
			if strings.EqualFold(strings.TrimSpace(v), of(a, id)) {
				return true
			}
		}
		return false
	}, true
}
