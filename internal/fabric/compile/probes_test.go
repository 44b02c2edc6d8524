package compile

import (
	"testing"
	"time"

	"github.com/ceruleannet/cerulean/internal/fabric"
)

// Probes of load balancers are in the image: kind, path, interval and threshold
// with the defaults of the REST reference (15 s, 1), never below 5 s.
func TestProbesOfTargets(t *testing.T) {
	for _, c := range []struct {
		name, probe string
		want        fabric.Probe
	}{
		{"tcp, defaults", `{"protocol":"Tcp","port":80}`, fabric.Probe{Kind: fabric.ProbeTCP, Port: 80, Interval: 15 * time.Second, Threshold: 1}},
		{"http", `{"protocol":"Http","port":8080,"requestPath":"/health","intervalInSeconds":5,"probeThreshold":3}`, fabric.Probe{Kind: fabric.ProbeHTTP, Port: 8080, Path: "/health", Interval: 5 * time.Second, Threshold: 3}},
		{"https, number of probes", `{"protocol":"Https","port":443,"requestPath":"/","numberOfProbes":2}`, fabric.Probe{Kind: fabric.ProbeHTTPS, Port: 443, Path: "/", Interval: 15 * time.Second, Threshold: 2}},
		{"interval below 5 s", `{"protocol":"Tcp","port":80,"intervalInSeconds":1}`, fabric.Probe{Kind: fabric.ProbeTCP, Port: 80, Interval: 5 * time.Second, Threshold: 1}},
		{"all up", `{"protocol":"Tcp","port":80,"noHealthyBackendsBehavior":"AllProbedUp"}`, fabric.Probe{Kind: fabric.ProbeTCP, Port: 80, Interval: 15 * time.Second, Threshold: 1, AllUp: true}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := probedTarget(t, c.probe, "").Probe
			if got == nil {
				t.Fatal("the target has no probe")
			}
			c.want.Name, c.want.Origin = got.Name, got.Origin
			if *got != c.want {
				t.Errorf("%+v, want %+v", *got, c.want)
			}
		})
	}
}

// Nobody probes a member whose administrative state is Up or Down ("Azure Load
// Balancer administrative state").
func TestAdminStateIsNotProbed(t *testing.T) {
	for state, want := range map[string]bool{"": true, "None": true, "Up": false, "Down": false} {
		target := probedTarget(t, `{"protocol":"Tcp","port":80}`, state)
		if got := target.Probe != nil; got != want {
			t.Errorf("administrative state %q: probed %v", state, got)
		}
	}
}

// probedTarget compiles a load balancer with one member and a probe of these
// properties, and returns the member as a target.
func probedTarget(t *testing.T, properties, admin string) fabric.Target {
	t.Helper()
	n := &network{t: t}
	n.vnet("v", "10.0.0.0/16", "s 10.0.0.0/24")
	n.nic("w1", "v/s", "10.0.0.4")
	n.add("lb/lb", `{"location":"westeurope","sku":{"name":"Standard"},"properties":{
		"frontendIPConfigurations":[{"name":"f","properties":{"privateIPAddress":"10.0.0.10","subnet":{"id":"~vnet/v/subnets/s"}}}],
		"backendAddressPools":[{"name":"p","properties":{"loadBalancerBackendAddresses":[
			{"name":"w1","properties":{"adminState":"`+admin+`","networkInterfaceIPConfiguration":{"id":"~nic/w1/ipConfigurations/ip"}}}]}}],
		"probes":[{"name":"alive","properties":`+properties+`}],
		"loadBalancingRules":[{"name":"r","properties":{"protocol":"Tcp","frontendPort":80,"backendPort":80,
			"frontendIPConfiguration":{"id":"~lb/lb/frontendIPConfigurations/f"},
			"backendAddressPool":{"id":"~lb/lb/backendAddressPools/p"},
			"probe":{"id":"~lb/lb/probes/alive"}}}]}}`)
	img := n.compile()
	return img.Ports[portOf(t, img, "lb")].Inward.Redirects[0].Targets[0]
}
