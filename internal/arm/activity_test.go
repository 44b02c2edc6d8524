package arm_test

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/ceruleannet/cerulean/internal/arm"
)

// TestActivityLog: who wrote what and when, and what was refused and why
// ("Activity Logs - List").
func TestActivityLog(t *testing.T) {
	c := newCloud(t, func(cfg *arm.Config) { cfg.PageSize = 2 }).withGroup()
	start := c.clock.Now()
	request := "6f8b1f3e-2f0a-4a5e-9d5b-0c9d8e7f6a5b"
	rt := network + "/routeTables/r"
	for _, step := range []func(){
		func() { c.must("PUT", rt, `{"location":"westeurope"}`, "X-Ms-Correlation-Request-Id: "+request) },
		func() { c.must("PATCH", rt, `{"tags":{"a":"b"}}`) },
		func() { c.refused(400, "LocationRequired", "PUT", network+"/routeTables/bad", `{}`) },
		func() { c.must("DELETE", rt, "") },
	} {
		c.clock.Advance(time.Second)
		step()
	}
	they, p := c.as("spy")
	they.refused(403, "AuthorizationFailed", "DELETE", group, "")
	log := func(c *cloud, filter string) []string {
		t.Helper()
		var out []string
		next := subscription + "/providers/Microsoft.Insights/eventtypes/management/values?api-version=2015-04-01&$filter=" + url.QueryEscape("eventTimestamp ge '"+start.UTC().Format(time.RFC3339)+"'"+filter)
		for next != "" {
			body := c.get(next)
			for _, e := range at(body, "value").([]any) {
				out = append(out, str(e, "operationName", "value")+" "+str(e, "status", "value")+" "+str(e, "subStatus", "value"))
				if str(e, "caller") == "" || str(e, "correlationId") == "" || str(e, "eventDataId") == "" || str(e, "resourceGroupName") == "" {
					t.Errorf("%v", e)
				}
			}
			next = str(body, "nextLink")
		}
		return out
	}
	same := func(what string, got []string, want ...string) {
		t.Helper()
		if strings.Join(got, "\n") != strings.Join(want, "\n") {
			t.Errorf("%s:\n%s\nwant\n%s", what, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
	inGroup := " and resourceGroupName eq 'net'"
	const write, remove = "Microsoft.Network/routeTables/write ", "Microsoft.Network/routeTables/delete "
	same("the group", log(c, inGroup),
		"Microsoft.Resources/subscriptions/resourceGroups/delete Failed Forbidden", remove+"Succeeded OK",
		write+"Failed BadRequest", write+"Succeeded OK", write+"Succeeded Created", "Microsoft.Resources/subscriptions/resourceGroups/write Succeeded Created")
	same("a resource", log(c, " and resourceUri eq '"+rt+"' and eventChannels eq 'Admin, Operation'"), remove+"Succeeded OK", write+"Succeeded OK", write+"Succeeded Created")
	same("a request", log(c, " and correlationId eq '"+request+"'"), write+"Succeeded Created")
	same("a caller", log(c, " and caller eq '"+p.ClientID+"'"), "Microsoft.Resources/subscriptions/resourceGroups/delete Failed Forbidden")
	same("a time", log(c, inGroup+" and eventTimestamp le '"+start.Add(time.Second).UTC().Format(time.RFC3339Nano)+"'"), write+"Succeeded Created", "Microsoft.Resources/subscriptions/resourceGroups/write Succeeded Created")
	for _, filter := range []string{"", "x", "eventTimestamp ge 'noon'", "eventTimestamp ge '2026-01-01T00:00:00Z' and", "eventTimestamp ge '2026-01-01T00:00:00Z' or status eq 'Failed'", "eventTimestamp gt '2026-01-01T00:00:00Z'", "eventTimestamp ge '2026", "status eq 'Failed'"} {
		c.refused(400, "BadRequest", "GET", subscription+"/providers/Microsoft.Insights/eventtypes/management/values?api-version=2015-04-01&$filter="+url.QueryEscape(filter), "")
	}
	they.refused(403, "AuthorizationFailed", "GET", subscription+"/providers/Microsoft.Insights/eventtypes/management/values", "")
}
