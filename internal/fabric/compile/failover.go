package compile

import (
	"fmt"
	"strings"

	"github.com/ceruleannet/cerulean/internal/fabric"
)

// failoverTTL is the lifetime of the listeners of failover groups, in seconds
// ("Failover groups overview": the TTL of the DNS record is 30 seconds).
const failoverTTL = 30

// sqlDomain is the domain of SQL servers and of failover groups.
const sqlDomain = "database.windows.net"

// listenerNames are the names of SQL failover groups: the one for reading and
// writing leads to the primary server, the other to the secondary ("Failover
// groups overview", listeners). A group stands at each of its servers and is one.
func (c *compiler) listenerNames() []fabric.Zone {
	var out []fabric.Zone
	for _, it := range c.docs.failoverGroups.list {
		p := it.res.Properties()
		if role, _ := p["replicationRole"].(string); strings.EqualFold(role, "Secondary") {
			continue // its primary speaks of it
		}
		at := origin(it.res, "", "")
		server := it.res.ID.Parent()
		if _, ok := c.docs.sqlServers.get(server.Key()); !ok {
			c.problem(it.res, "", fmt.Sprintf("failover group %q belongs to a SQL server that does not exist", it.res.ID.Name()), "declare the server")
			continue
		}
		single := func(label, target string) {
			name := strings.ToLower(label) + "." + sqlDomain
			out = append(out, fabric.Zone{Name: name, Origin: at, Moves: true, Records: []fabric.Record{
				{Name: name, Alias: strings.ToLower(target) + "." + sqlDomain, TTL: failoverTTL, Origin: at},
			}})
		}
		single(it.res.ID.Name(), server.Name())
		partners, _ := p["partnerServers"].([]any)
		for i, x := range partners {
			m, _ := x.(map[string]any)
			id, _ := m["id"].(string)
			if _, ok := c.docs.sqlServers.get(id); !ok {
				c.dangling(it.res, fmt.Sprintf("/properties/partnerServers/%d", i), "SQL server", id)
				continue
			}
			if i == 0 {
				single(it.res.ID.Name()+".secondary", lastSegment(id))
			}
		}
	}
	return out
}
