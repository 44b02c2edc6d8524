package arm_test

import (
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/network/armnetwork/v9"
)

// TestSDKBalancer: load balancers with their parts, what private links need,
// and NICs behind them.
func TestSDKBalancer(t *testing.T) {
	f := clients(newSDK(t, newCloud(t).withGroup()), armnetwork.NewClientFactory)
	live(t, append([]life{
		lifeOf(f, "v", `{"location":"westeurope","properties":{"addressSpace":{"addressPrefixes":["10.0.0.0/16"]},"subnets":[
			{"name":"app","properties":{"addressPrefix":"10.0.1.0/24","privateLinkServiceNetworkPolicies":"Disabled"}}]}}`),
		lifeOfPublicIP(f, "p", nil), lifeOfPublicIP(f, "out", nil),
	}, livesOfBalancer(f)...))
}

// lifeOf is the life of a virtual network with a body.
func lifeOf(f *armnetwork.ClientFactory, name, body string) life {
	c := f.NewVirtualNetworksClient()
	return life{
		id: network + "/virtualNetworks/" + name, create: begin(c.BeginCreateOrUpdate, groupName, name, doc[armnetwork.VirtualNetwork](body)),
		get: call(c.Get, groupName, name), remove: drop(c.BeginDelete, groupName, name),
	}
}

func livesOfBalancer(f *armnetwork.ClientFactory) []life {
	const lb = "@/loadBalancers/lb"
	c, pools, rules := f.NewLoadBalancersClient(), f.NewLoadBalancerBackendAddressPoolsClient(), f.NewInboundNatRulesClient()
	fronts, probes := f.NewLoadBalancerFrontendIPConfigurationsClient(), f.NewLoadBalancerProbesClient()
	balancing, outbound := f.NewLoadBalancerLoadBalancingRulesClient(), f.NewLoadBalancerOutboundRulesClient()
	nics, services := f.NewInterfacesClient(), f.NewPrivateLinkServicesClient()
	whole := doc[armnetwork.LoadBalancer](`{"location":"westeurope","sku":{"name":"Standard"},"properties":{
		"frontendIPConfigurations":[{"name":"in","properties":{"subnet":{"id":"@/virtualNetworks/v/subnets/app"}}},{"name":"out","properties":{"publicIPAddress":{"id":"@/publicIPAddresses/out"}}}],
		"backendAddressPools":[{"name":"pool"}],
		"probes":[{"name":"tcp","properties":{"protocol":"Tcp","port":80}}],
		"loadBalancingRules":[{"name":"http","properties":{"protocol":"Tcp","frontendPort":80,"backendPort":80,"disableOutboundSnat":true,
			"frontendIPConfiguration":{"id":"` + lb + `/frontendIPConfigurations/in"},"backendAddressPool":{"id":"` + lb + `/backendAddressPools/pool"},"probe":{"id":"` + lb + `/probes/tcp"}}}],
		"outboundRules":[{"name":"snat","properties":{"protocol":"All","allocatedOutboundPorts":1024,
			"frontendIPConfigurations":[{"id":"` + lb + `/frontendIPConfigurations/out"}],"backendAddressPool":{"id":"` + lb + `/backendAddressPools/pool"}}}]}}`)
	written := begin(c.BeginCreateOrUpdate, groupName, "lb", whole)
	// Rules and pools written on their own are part of the whole: to write the
	// whole without them deletes them.
	once := func() func() (any, error) {
		done := false
		return func() (any, error) {
			if done {
				return c.Get(ctx, groupName, "lb", nil)
			}
			done = true
			return written()
		}
	}()
	part := func(list, name string, get func() (any, error), lister func() ([]string, error), check func(*testing.T, any)) life {
		return life{
			id: network + "/loadBalancers/lb/" + list + "/" + name, create: get, get: get, lists: idLists{lister}, check: check, stays: true,
		}
	}
	return []life{
		{
			id: expand(lb), create: once, get: call(c.Get, groupName, "lb"), tag: set(c.UpdateTags, groupName, "lb", tagsObject),
			lists: idLists{inGroup(c.NewListPager), everywhere(c.NewListAllPager)}, remove: drop(c.BeginDelete, groupName, "lb"),
			check: that(checkBalancer),
		},
		part("frontendIPConfigurations", "in", callChild(fronts.Get, groupName, "lb", "in"), below(fronts.NewListPager, "lb"),
			that(func(t *testing.T, r armnetwork.LoadBalancerFrontendIPConfigurationsClientGetResponse) {
				p := r.Properties
				is(t, "address", p.PrivateIPAddress, "10.0.1.4")
				is(t, "method", p.PrivateIPAllocationMethod, armnetwork.IPAllocationMethodDynamic)
				is(t, "version", p.PrivateIPAddressVersion, armnetwork.IPVersionIPv4)
				is(t, "rule", p.LoadBalancingRules[0].ID, expand(lb+"/loadBalancingRules/http"))
			})),
		part("probes", "tcp", callChild(probes.Get, groupName, "lb", "tcp"), below(probes.NewListPager, "lb"),
			that(func(t *testing.T, r armnetwork.LoadBalancerProbesClientGetResponse) {
				is(t, "interval", r.Properties.IntervalInSeconds, 15)
				is(t, "rule", r.Properties.LoadBalancingRules[0].ID, expand(lb+"/loadBalancingRules/http"))
			})),
		part("loadBalancingRules", "http", callChild(balancing.Get, groupName, "lb", "http"), below(balancing.NewListPager, "lb"),
			that(func(t *testing.T, r armnetwork.LoadBalancerLoadBalancingRulesClientGetResponse) {
				p := r.Properties
				is(t, "idle", p.IdleTimeoutInMinutes, 4)
				is(t, "distribution", p.LoadDistribution, armnetwork.LoadDistributionDefault)
				is(t, "floating", p.EnableFloatingIP, false)
				is(t, "reset", p.EnableTCPReset, false)
				is(t, "pools", p.BackendAddressPools[0].ID, expand(lb+"/backendAddressPools/pool"))
			})),
		part("outboundRules", "snat", callChild(outbound.Get, groupName, "lb", "snat"), below(outbound.NewListPager, "lb"),
			that(func(t *testing.T, r armnetwork.LoadBalancerOutboundRulesClientGetResponse) {
				is(t, "idle", r.Properties.IdleTimeoutInMinutes, 4)
			})),
		{
			id:     expand(lb + "/backendAddressPools/second"),
			create: beginChild(pools.BeginCreateOrUpdate, groupName, "lb", "second", armnetwork.BackendAddressPool{}),
			get:    callChild(pools.Get, groupName, "lb", "second"), lists: idLists{below(pools.NewListPager, "lb")},
			remove: dropChild(pools.BeginDelete, groupName, "lb", "second"),
			check: that(func(t *testing.T, r armnetwork.LoadBalancerBackendAddressPoolsClientGetResponse) {
				is(t, "NIC", r.Properties.BackendIPConfigurations[0].ID, network+"/networkInterfaces/back/ipConfigurations/ip")
			}),
		},
		{
			id: expand(lb + "/inboundNatRules/ssh"),
			create: beginChild(rules.BeginCreateOrUpdate, groupName, "lb", "ssh", doc[armnetwork.InboundNatRule](
				`{"properties":{"protocol":"Tcp","frontendPort":2222,"backendPort":22,"frontendIPConfiguration":{"id":"`+lb+`/frontendIPConfigurations/in"}}}`)),
			get: callChild(rules.Get, groupName, "lb", "ssh"), lists: idLists{below(rules.NewListPager, "lb")},
			remove: dropChild(rules.BeginDelete, groupName, "lb", "ssh"),
			check: that(func(t *testing.T, r armnetwork.InboundNatRulesClientGetResponse) {
				is(t, "NIC", r.Properties.BackendIPConfiguration.ID, network+"/networkInterfaces/back/ipConfigurations/ip")
				is(t, "idle", r.Properties.IdleTimeoutInMinutes, 4)
			}),
		},
		{
			id: network + "/networkInterfaces/back",
			create: begin(nics.BeginCreateOrUpdate, groupName, "back", doc[armnetwork.Interface](`{"location":"westeurope","properties":{"ipConfigurations":[{"name":"ip","properties":{
				"subnet":{"id":"@/virtualNetworks/v/subnets/app"},"loadBalancerBackendAddressPools":[{"id":"`+lb+`/backendAddressPools/second"}],
				"loadBalancerInboundNatRules":[{"id":"`+lb+`/inboundNatRules/ssh"}]}}]}}`)),
			get: call(nics.Get, groupName, "back"), remove: drop(nics.BeginDelete, groupName, "back"),
		},
		{
			id: network + "/privateLinkServices/pls",
			create: begin(services.BeginCreateOrUpdate, groupName, "pls", doc[armnetwork.PrivateLinkService](`{"location":"westeurope","properties":{
				"loadBalancerFrontendIpConfigurations":[{"id":"`+lb+`/frontendIPConfigurations/in"}],
				"ipConfigurations":[{"name":"c","properties":{"subnet":{"id":"@/virtualNetworks/v/subnets/app"}}}]}}`)),
			get: call(services.Get, groupName, "pls"), lists: idLists{inGroup(services.NewListPager), everywhere(services.NewListBySubscriptionPager)},
			remove: drop(services.BeginDelete, groupName, "pls"),
		},
	}
}

// checkBalancer: a balancer shows its parts with their defaults and back
// references, whichever way they were written.
func checkBalancer(t *testing.T, r armnetwork.LoadBalancersClientGetResponse) {
	p := r.Properties
	is(t, "tier", r.SKU.Tier, armnetwork.LoadBalancerSKUTierRegional)
	if len(p.BackendAddressPools) != 2 || len(p.InboundNatRules) != 1 || p.InboundNatPools == nil {
		t.Fatalf("%d pools, %d NAT rules, NAT pools %v", len(p.BackendAddressPools), len(p.InboundNatRules), p.InboundNatPools)
	}
	is(t, "NAT rule of the frontend", p.FrontendIPConfigurations[0].Properties.InboundNatRules[0].ID, network+"/loadBalancers/lb/inboundNatRules/ssh")
	is(t, "outbound rule of the frontend", p.FrontendIPConfigurations[1].Properties.OutboundRules[0].ID, network+"/loadBalancers/lb/outboundRules/snat")
	pool := p.BackendAddressPools[0].Properties
	is(t, "rule of the pool", pool.LoadBalancingRules[0].ID, network+"/loadBalancers/lb/loadBalancingRules/http")
	is(t, "outbound rule of the pool", pool.OutboundRules[0].ID, network+"/loadBalancers/lb/outboundRules/snat")
	for _, o := range p.LoadBalancingRules {
		is(t, "etag of a part", o.Etag, *p.FrontendIPConfigurations[0].Etag)
	}
}
