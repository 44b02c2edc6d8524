package arm

import (
	"math/big"
	"net/netip"
	"regexp"
	"strings"

	"github.com/ceruleannet/cerulean/model"
	"github.com/ceruleannet/cerulean/model/catalog"
)

// usage is one line of the usages of a region: how many resources of a type
// there are, or only a limit of one resource for type "".
type usage struct {
	name, text   string
	resourceType string
	limit        int
}

// unlimited is how the service writes that there is no limit.
const unlimited = 1<<31 - 1

// usages are the lines of "Usages - List" whose limits are known.
func usages() []usage {
	return []usage{
		{"VirtualNetworks", "Virtual Networks", model.TypeVirtualNetwork, catalog.MaxVNets},
		{"NetworkSecurityGroups", "Network Security Groups", model.TypeNSG, catalog.MaxNSGs},
		{"NetworkInterfaces", "Network Interfaces", model.TypeNIC, catalog.MaxNICs},
		{"LoadBalancers", "Load Balancers", model.TypeLoadBalancer, catalog.MaxLoadBalancers},
		{"RouteTables", "Route Tables", model.TypeRouteTable, catalog.MaxRouteTables},
		{"NetworkWatchers", "Network Watchers", typeWatcher, 1},
		{"ApplicationSecurityGroups", "Application Security Groups.", model.TypeASG, catalog.MaxASGs},
		{"PublicIpPrefixes", "Public Ip Prefixes", typePublicPrefix, unlimited},
		{"DnsServersPerVirtualNetwork", "DNS servers per Virtual Network", "", catalog.MaxDNSServersPerVNet},
		{"SubnetsPerVirtualNetwork", "Subnets per Virtual Network", "", catalog.MaxSubnetsPerVNet},
		{"IPConfigurationsPerVirtualNetwork", "IP Configurations per Virtual Network", "", catalog.MaxPrivateIPsPerVNet},
		{"PeeringsPerVirtualNetwork", "Peerings per Virtual Network", "", catalog.MaxPeeringsPerVNet},
		{"SecurityRulesPerNetworkSecurityGroup", "Security rules per Network Security Group", "", catalog.MaxRulesPerNSG},
		{"RoutesPerRouteTable", "Routes per Route Table", "", catalog.MaxRoutesPerTable},
		{"SecondaryIPConfigurationsPerNetworkInterface", "Secondary IP Configurations per Network Interface", "", catalog.MaxIPsPerNIC},
	}
}

// regionUsages answers what a region holds of a subscription's resources, beside
// what Azure allows.
func regionUsages(q *question) (any, *Fault) {
	if f := q.inRegion(); f != nil {
		return nil, f
	}
	region := model.NormalizeLocation(q.on.ID.Name())
	value := []any{}
	for _, u := range usages() {
		n := 0
		if u.resourceType != "" {
			for _, e := range findExact(q.view, termType+strings.ToLower(u.resourceType)) {
				if strings.EqualFold(e.Resource.ID.Subscription(), q.subscription) && e.Resource.Location() == region {
					n++
				}
			}
		}
		value = append(value, map[string]any{
			"id": q.on.ID.String() + "/usages/" + u.name, "unit": "Count", "currentValue": n, "limit": u.limit,
			"name": map[string]any{"value": u.name, "localizedValue": u.text},
			// Support raises every limit but that of one watcher a region.
			"isAdjustable": u.resourceType != typeWatcher,
		})
	}
	return map[string]any{"value": value}, nil
}

// networkUsages answers how many addresses of each subnet are in use
// (VirtualNetworkUsage of the API). For a gateway's subnet the service says -1.
func networkUsages(q *question) (any, *Fault) {
	value := []any{}
	for _, s := range objects(q.on.Properties(), "subnets") {
		id := q.on.ID.Child("subnets", text(s, "name"))
		used, limit := -1.0, -1.0
		if !strings.EqualFold(id.Name(), "GatewaySubnet") {
			used, limit = 0, usable(subnetPrefixes(object(s, "properties")))
			for range q.view.Terms(termIP + id.Key() + "/") {
				used++
			}
		}
		value = append(value, map[string]any{
			"id": id.String(), "unit": "Count", "currentValue": used, "limit": limit,
			"name": map[string]any{"value": "SubnetSpace", "localizedValue": "Subnet size and usage"},
		})
	}
	return map[string]any{"value": value}, nil
}

// usable is how many IPv4 addresses prefixes give out.
func usable(prefixes []netip.Prefix) float64 {
	total := 0.0
	for _, p := range prefixes {
		if p.Addr().Is4() {
			n, _ := new(big.Float).SetInt(new(big.Int).Lsh(big.NewInt(1), uint(32-p.Bits()))).Float64()
			total += n - catalog.ReservedIPsPerSubnet
		}
	}
	return total
}

// labelForm is what a public address's DNS label looks like
// (PublicIPAddressDnsSettings of the API).
var labelForm = regexp.MustCompile(`^[a-z][a-z0-9-]{1,61}[a-z0-9]$`)

// dnsNameAvailability answers whether a public address of a region can take a
// DNS label (DnsNameAvailabilityResult of the API).
func dnsNameAvailability(q *question) (any, *Fault) {
	if f := q.inRegion(); f != nil {
		return nil, f
	}
	label := q.query.Get("domainNameLabel")
	if !labelForm.MatchString(label) {
		return nil, badRequest("InvalidDomainNameLabel", "The domain name label %s is invalid. It must conform to the following regular expression: %s.", show(label), labelForm)
	}
	region := model.NormalizeLocation(q.on.ID.Name())
	for _, e := range findExact(q.view, termType+strings.ToLower(model.TypePublicIP)) {
		if e.Resource.Location() == region && strings.EqualFold(text(object(e.Resource.Properties(), "dnsSettings"), "domainNameLabel"), label) {
			return map[string]any{"available": false}, nil
		}
	}
	return map[string]any{"available": true}, nil
}
