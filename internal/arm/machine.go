package arm

import (
	"time"

	"github.com/ceruleannet/cerulean/model"
)

func checkVM(c *change) *Fault {
	nics := objects(object(c.props(), "networkProfile"), "networkInterfaces")
	if len(nics) == 0 {
		return invalidProperty(c.id, "properties.networkProfile.networkInterfaces", nil, "a virtual machine needs at least one network interface")
	}
	network := ""
	for _, n := range nics {
		id, err := model.ParseID(text(n, "id"))
		if err != nil {
			return invalidReference(c.id, text(n, "id"))
		}
		if users := usersOf(c.kinds, c.tx.View, id, c.id.Equal); len(users) > 0 {
			return badRequest("NicInUse", "Network Interface %s is used by existing resource %s.", id, users[0])
		}
		e, _ := c.tx.Get(id)
		for _, cfg := range objects(e.Resource.Properties(), "ipConfigurations") {
			subnet, err := model.ParseID(refID(object(cfg, "properties"), "subnet"))
			if err != nil {
				continue
			}
			if v := subnet.Parent().Key(); network == "" {
				network = v
			} else if network != v {
				return badRequest("NetworkInterfacesInDifferentVirtualNetworks", "The network interfaces of virtual machine %s are in different virtual networks.", c.id) // code unconfirmed
			}
		}
	}
	return nil
}

// fillVM says what the platform does of a machine: its ID, when it was made and,
// as long as no action changed that, that it runs. Its password and custom data are
// taken and never told.
func fillVM(c *change) *Fault {
	c.keep("vmId")
	c.fillManagedIdentity()
	p, was := c.props(), c.oldProps()
	delete(object(p, "osProfile"), "adminPassword")
	delete(object(p, "osProfile"), "customData")
	fillProfiles(p)
	for _, nic := range objects(object(p, "networkProfile"), "networkInterfaces") {
		if q := object(nic, "properties"); q != nil && q["deleteOption"] == nil {
			if delete(q, "deleteOption"); len(q) == 0 {
				delete(nic, "properties")
			}
		}
	}
	p["timeCreated"], p["instanceView"] = was["timeCreated"], was["instanceView"]
	if p["timeCreated"] == nil {
		p["timeCreated"] = c.by.At.UTC().Format(time.RFC3339Nano)
	}
	if p["instanceView"] == nil {
		return setPower("running", "VM running")(c)
	}
	return nil
}

// setPower changes the power state of a machine ("States and billing status of
// Azure Virtual Machines").
func setPower(code, display string) func(*change) *Fault {
	return func(c *change) *Fault {
		c.props()["instanceView"] = map[string]any{"statuses": []any{
			map[string]any{
				"code": "ProvisioningState/succeeded", "level": "Info", "displayStatus": "Provisioning succeeded",
				"time": c.by.At.UTC().Format(time.RFC3339Nano),
			},
			map[string]any{"code": "PowerState/" + code, "level": "Info", "displayStatus": display},
		}}
		return nil
	}
}

// machineVerbs are the actions of a virtual machine.
func machineVerbs() []verb {
	verbs := []verb{{name: "instanceView", get: true, answer: func(q *question) (any, *Fault) {
		return q.on.Properties()["instanceView"], nil
	}}}
	for _, name := range []string{"start", "restart", "redeploy", "reapply"} {
		verbs = append(verbs, changing(name, setPower("running", "VM running")))
	}
	return append(verbs,
		changing("powerOff", setPower("stopped", "VM stopped")),
		changing("deallocate", setPower("deallocated", "VM deallocated")))
}

// fillDisk says what the platform does of a managed disk.
func fillDisk(c *change) *Fault {
	c.keep("uniqueId")
	p := c.props()
	if p["timeCreated"] = c.oldProps()["timeCreated"]; p["timeCreated"] == nil {
		p["timeCreated"] = c.by.At.UTC().Format(time.RFC3339Nano)
	}
	p["diskState"] = "Unattached"
	if text(c.doc, "managedBy") != "" {
		p["diskState"] = "Attached"
	}
	return nil
}

// showVM leaves the instance view out, which is shown on request only.
func showVM(_ *reading, p map[string]any) {
	delete(p, "instanceView")
	delete(p, "userData") // told only if it is asked for by $expand
	// Capabilities are told if there are any.
	if c := object(p, "additionalCapabilities"); c["ultraSSDEnabled"] != true && c["hibernationEnabled"] != true {
		delete(p, "additionalCapabilities")
	}
}
