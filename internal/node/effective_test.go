package node

import "testing"

// TestEffective: what a network interface is subject to, in Azure's words, and
// where each line was declared.
func TestEffective(t *testing.T) {
	d, err := Open("../../examples/globojava", LockRead)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"shop-prod-eastus", "SHOP-PROD-EASTUS-nic", "10.0.16.4"} {
		rows, err := d.Routes(name)
		if err != nil {
			t.Fatal(err)
		}
		// A user's default route takes the system's away, and the reserved None
		// routes with it ("Virtual network traffic routing").
		var active, invalid int
		for _, r := range rows {
			if r.Prefixes[0] != "0.0.0.0/0" {
				continue
			}
			switch {
			case r.State == "Active" && r.Source == "User" && r.HopType == "VirtualAppliance" && r.HopAddress[0] == "10.0.0.4" && r.Place != "":
				active++
			case r.State == "Invalid" && r.Source == "Default" && r.HopType == "Internet":
				invalid++
			}
		}
		if len(rows) != 4 || active != 1 || invalid != 1 {
			t.Errorf("%s: %+v", name, rows)
		}
	}
	rules, err := d.Rules("db-prod-eastus")
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]RuleRow{}
	for _, r := range rules {
		seen[r.Direction+" "+r.Name] = r
	}
	for name, want := range map[string]string{
		"Inbound management-ports":          "deny tcp 22,3389,5985-5986",
		"Inbound postgres-from-the-network": "allow tcp 5432",
		"Inbound DenyAllInBound":            "deny any any",
		"Outbound prod-nonprod-outbound":    "deny any any",
	} {
		r := seen[name]
		if got := r.Access + " " + r.Protocol + " " + r.DestinationPorts; got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
	if _, err := d.Routes("nobody"); err == nil {
		t.Error("nobody has routes")
	}
}
