package arm

import "strings"

// fillNetworkOptions completes what a virtual network says of itself besides its
// addresses. Encryption that is on needs to say what becomes of packets that are
// not encrypted ("What is Azure Virtual Network encryption?").
func (c *change) fillNetworkOptions() *Fault {
	p := c.props()
	if dns := object(p, "dhcpOptions"); dns != nil {
		setDefault(dns, "dnsServers", []any{})
	}
	if p["enableVmProtection"] == false {
		delete(p, "enableVmProtection") // retired; the service drops it
	}
	e := object(p, "encryption")
	switch {
	case e == nil:
		return nil
	case e["enabled"] == true && text(e, "enforcement") == "":
		return badRequest("MustSpecifyBothEncryptionIntentAndEnforcementPolicy", "Cannot encrypt VirtualNetwork %s unless both encryption intent (Enabled true or false) and enforcement policy (AllowUnencrypted or DropUnencrypted) are specified.", c.id)
	}
	setDefault(e, "enforcement", "AllowUnencrypted")
	return oneOf(c.id, "properties.encryption.enforcement", e["enforcement"], "AllowUnencrypted", "DropUnencrypted")
}

// Actions that a service may do in a subnet that is delegated to it.
const (
	actSubnet  = "Microsoft.Network/virtualNetworks/subnets/action"
	actJoin    = "Microsoft.Network/virtualNetworks/subnets/join/action"
	actPrepare = "Microsoft.Network/virtualNetworks/subnets/prepareNetworkPolicies/action"
	actUndo    = "Microsoft.Network/virtualNetworks/subnets/unprepareNetworkPolicies/action"
	actNICs    = "Microsoft.Network/networkinterfaces/*"
)

// delegated are the actions of services, by name in lower case, other than
// joining alone ("Available Delegations - List").
var delegated = map[string][]any{
	"microsoft.web/serverfarms":                       {actSubnet},
	"microsoft.web/hostingenvironments":               {actSubnet},
	"microsoft.containerinstance/containergroups":     {actSubnet},
	"microsoft.servicefabricmesh/networks":            {actSubnet},
	"microsoft.logic/integrationserviceenvironments":  {actSubnet},
	"microsoft.batch/batchaccounts":                   {actSubnet},
	"microsoft.sql/managedinstances":                  {actJoin, actPrepare, actUndo},
	"microsoft.databricks/workspaces":                 {actJoin, actPrepare, actUndo},
	"microsoft.kusto/clusters":                        {actJoin, actPrepare, actUndo},
	"microsoft.apimanagement/service":                 {actJoin, actPrepare},
	"microsoft.storagepool/diskpools":                 {"Microsoft.Network/virtualNetworks/read"},
	"microsoft.avs/privateclouds":                     {actNICs},
	"microsoft.netapp/volumes":                        {actNICs, actJoin},
	"microsoft.hardwaresecuritymodules/dedicatedhsms": {actNICs, actJoin},
	"microsoft.baremetal/azurevmware":                 {actNICs, actJoin},
	"microsoft.baremetal/azurehostedservice":          {actNICs, actJoin},
	"microsoft.apollo/npu":                            {actNICs, actJoin},
	"microsoft.singularity/accounts/jobs":             {actNICs, actJoin},
	"microsoft.singularity/accounts/models":           {actNICs, actJoin},
	"microsoft.singularity/accounts/networks":         {actNICs, actJoin},
	"microsoft.singularity/accounts/npu":              {actNICs, actJoin},
	"microsoft.aisupercomputer/accounts/jobs":         {actNICs, actJoin},
	"microsoft.aisupercomputer/accounts/models":       {actNICs, actJoin},
	"microsoft.aisupercomputer/accounts/npu":          {actNICs, actJoin},
	"microsoft.baremetal/crayservers":                 {actNICs, actJoin},
	"microsoft.orbital/orbitalgateways": {
		"Microsoft.Network/publicIPAddresses/join/action", actJoin, "Microsoft.Network/virtualNetworks/read", "Microsoft.Network/publicIPAddresses/read",
	},
}

// delegationActions are what a service may do in subnets delegated to it.
func delegationActions(service string) []any {
	if list := delegated[strings.ToLower(service)]; list != nil {
		return append([]any{}, list...)
	}
	return []any{actJoin}
}
