package arm_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/ceruleannet/cerulean/internal/arm"
	"github.com/ceruleannet/cerulean/internal/state"
)

// killed is a request during which the server is killed: at each of its writes,
// before it is durable and after.
type killed struct {
	name         string
	make         func(*cloud) // what is there before
	method, path string
	body         string
	// after says how much of what the request is for is there, of how much.
	after func(*cloud) (is, all int)
}

func killedRequests() []killed {
	vnet := func(name, space string) string {
		return `{"location":"westeurope","properties":{"addressSpace":{"addressPrefixes":["` + space + `"]},"subnets":[{"name":"app","properties":{"addressPrefix":"` + space + `"}}]}}`
	}
	// count says how many of some resources are there.
	count := func(paths ...string) func(*cloud) (int, int) {
		return func(c *cloud) (is, all int) {
			for _, p := range paths {
				switch a := c.do("GET", p, ""); a.status {
				case 200:
					is++
				case 404:
				default:
					c.t.Errorf("%s: %d %s", p, a.status, a.raw)
				}
			}
			return is, len(paths)
		}
	}
	peering := func(c *cloud) (is, all int) {
		for _, p := range []string{"/virtualNetworks/a/virtualNetworkPeerings/b", "/virtualNetworks/b/virtualNetworkPeerings/a"} {
			if str(c.do("GET", network+p, "").body, "properties", "peeringState") == "Connected" {
				is++
			}
		}
		return is, 2
	}
	twoNetworks := func(c *cloud) {
		c.must("PUT", network+"/virtualNetworks/a", vnet("a", "10.1.0.0/16"))
		c.must("PUT", network+"/virtualNetworks/b", vnet("b", "10.2.0.0/16"))
	}
	many := func(c *cloud) {
		twoNetworks(c)
		for i := range 20 {
			c.must("PUT", fmt.Sprintf("%s/networkInterfaces/n%d", network, i), nicBody(network+"/virtualNetworks/a/subnets/app", ""))
		}
	}
	manager := network + "/networkManagers/nm"
	return []killed{
		{
			name: "network", make: func(*cloud) {}, method: "PUT", path: network + "/virtualNetworks/a", body: vnet("a", "10.1.0.0/16"),
			// The first network of a region brings its network watcher with it.
			after: count(network+"/virtualNetworks/a", watcher),
		},
		{
			name: "peering", make: func(c *cloud) {
				twoNetworks(c)
				c.must("PUT", network+"/virtualNetworks/b/virtualNetworkPeerings/a", `{"properties":{"remoteVirtualNetwork":{"id":"`+network+`/virtualNetworks/a"}}}`)
			},
			method: "PUT", path: network + "/virtualNetworks/a/virtualNetworkPeerings/b", body: `{"properties":{"remoteVirtualNetwork":{"id":"` + network + `/virtualNetworks/b"}}}`,
			after: peering,
		},
		{
			name: "commit of a network manager", make: func(c *cloud) {
				twoNetworks(c)
				c.must("PUT", manager, managerBody)
				c.must("PUT", manager+"/networkGroups/g", `{"properties":{}}`)
				for _, n := range []string{"a", "b"} {
					c.must("PUT", manager+"/networkGroups/g/staticMembers/"+n, `{"properties":{"resourceId":"`+network+`/virtualNetworks/`+n+`"}}`)
				}
				c.must("PUT", manager+"/connectivityConfigurations/c", `{"properties":{"connectivityTopology":"HubAndSpoke","hubs":[{"resourceId":"`+network+`/virtualNetworks/b","resourceType":"Microsoft.Network/virtualNetworks"}],
					"appliesToGroups":[{"networkGroupId":"`+manager+`/networkGroups/g","groupConnectivity":"None","isGlobal":"False","useHubGateway":"False"}],"isGlobal":"False","deleteExistingPeering":"True"}}`)
			},
			method: "POST", path: manager + "/commit", body: `{"commitType":"Connectivity","targetLocations":["westeurope","northeurope"],"configurationIds":["` + manager + `/connectivityConfigurations/c"]}`,
			after: func(c *cloud) (is, all int) {
				list, _ := c.must("POST", manager+"/listDeploymentStatus", `{"regions":[],"deploymentTypes":[]}`).body["value"].([]any)
				return len(list), 2
			},
		},
		{
			name: "cascading deletion", make: many, method: "DELETE", path: group,
			after: func(c *cloud) (is, all int) {
				left := 0
				for range c.store.View().List(strings.ToLower(group)+"/", "") {
					left++
				}
				if c.do("GET", group, "").status == 200 {
					left++
				}
				return 23 - left, 23
			},
		},
		{
			name: "deployment", make: func(c *cloud) { c.must("PUT", network+"/routeTables/other", `{"location":"westeurope"}`) },
			method: "PUT", path: deployments + "d" + ofTemplates, body: deploymentBody("Complete", twoTables, "{}"),
			after: func(c *cloud) (is, all int) {
				if !c.ended(deployments + "d") {
					return 0, 4
				}
				is, _ = count(network+"/routeTables/a", network+"/routeTables/b", network+"/routeTables/c")(c)
				if c.do("GET", network+"/routeTables/other", "").status == 404 {
					is++
				}
				return is, 4
			},
		},
		{
			name: "deployment within a deployment", make: func(*cloud) {},
			method: "PUT", path: deployments + "d" + ofTemplates, body: deploymentBody("Incremental", namedByGUID, `{"secret":{"value":"x"}}`),
			after: func(c *cloud) (is, all int) {
				if !c.ended(deployments + "d") {
					return 0, 3
				}
				tables, _ := c.get(network + "/routeTables")["value"].([]any)
				groups, _ := c.get(network + "/networkSecurityGroups")["value"].([]any)
				return len(tables) + len(groups), 3
			},
		},
	}
}

// ended waits for a deployment's end and reports whether it is there.
func (c *cloud) ended(path string) bool {
	c.t.Helper()
	for range 20000 {
		a := c.do("GET", path+ofTemplates, "")
		switch st := str(a.body, "properties", "provisioningState"); {
		case a.status == 404:
			return false
		case st == "Succeeded":
			return true
		case st != "Running":
			c.t.Errorf("%s", a.raw)
			return true
		}
	}
	c.t.Fatalf("%s does not end", path)
	return false
}

// TestKillAnywhere: a server killed (SIGKILL) at any write of a request, before or
// after the write is durable, leaves the request done whole or not done at all
// once it runs again; what was answered is done.
func TestKillAnywhere(t *testing.T) {
	if os.Getenv("ARM_DIE_AT") != "" {
		dieInRequest(t)
		return
	}
	for i, k := range killedRequests() {
		t.Run(k.name, func(t *testing.T) {
			kills := 0
			for at := 1; ; at++ {
				over := true
				for _, stage := range []string{"before", "after"} {
					dir := t.TempDir()
					child := exec.Command(os.Args[0], "-test.run=^TestKillAnywhere$", "-test.v")
					child.Env = append(os.Environ(), "ARM_DIE_DIR="+dir, "ARM_DIE_IN="+strconv.Itoa(i), "ARM_DIE_AT="+strconv.Itoa(at), "ARM_DIE_STAGE="+stage)
					out, err := child.CombinedOutput()
					answered, died := strings.Contains(string(out), "answered\n"), err != nil && !strings.Contains(string(out), "FAIL")
					if err != nil && !died {
						t.Fatalf("%s write %d: %v\n%s", stage, at, err, out)
					}
					if died {
						kills++
						over = false
					}
					c := onDisk(t, dir)
					is, all := k.after(c)
					if is != 0 && is != all || answered && is != all {
						t.Errorf("killed %s write %d, answered %v: %d of %d are there", stage, at, answered, is, all)
					}
					if stage == "after" && died && is != all {
						t.Errorf("killed after write %d, which is durable: %d of %d are there", at, is, all)
					}
				}
				if over {
					break
				}
			}
			if kills < 2 {
				t.Errorf("the server was killed %d times", kills)
			}
			t.Logf("killed %d times", kills)
		})
	}
}

// dieInRequest is the child: it makes a request of a server whose store kills the
// process.
func dieInRequest(t *testing.T) {
	n, err := strconv.Atoi(os.Getenv("ARM_DIE_IN"))
	if err != nil {
		t.Fatal(err)
	}
	k := killedRequests()[n]
	dir := os.Getenv("ARM_DIE_DIR")
	inner, err := arm.OpenStore(dir)
	if err != nil {
		t.Fatal(err)
	}
	id, err := arm.OpenIdentity(filepath.Join(dir, "identity"))
	if err != nil {
		t.Fatal(err)
	}
	store := &deadly{Store: inner, after: os.Getenv("ARM_DIE_STAGE") == "after"}
	c := newCloud(t, func(cfg *arm.Config) { cfg.Store, cfg.Identity = store, id }).withGroup()
	k.make(c)
	at, err := strconv.ParseInt(os.Getenv("ARM_DIE_AT"), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	store.left.Store(at)
	c.must(k.method, k.path, k.body)
	fmt.Println("answered")
	if strings.Contains(k.path, "/deployments/") {
		c.ended(strings.TrimSuffix(k.path, ofTemplates))
	}
	store.left.Store(0)
}

// deadly is a store that kills the process at one of its updates.
type deadly struct {
	state.Store
	left  atomic.Int64
	after bool
}

func (d *deadly) Update(by state.Actor, fn func(*state.Tx) error) (uint64, error) {
	now := d.left.Load() > 0 && d.left.Add(-1) == 0
	n, err := d.Store.Update(by, func(tx *state.Tx) error {
		err := fn(tx)
		if now && !d.after {
			die()
		}
		return err
	})
	if now {
		die()
	}
	return n, err
}

// die ends the process as the kernel would: nothing is flushed, nothing closed.
func die() {
	if p, err := os.FindProcess(os.Getpid()); err == nil {
		_ = p.Kill() // there is no going on
	}
	select {}
}
