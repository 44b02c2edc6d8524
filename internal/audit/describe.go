package audit

import "github.com/ceruleannet/cerulean/model/catalog"

// Describe says in a sentence what a rule finds; the rule itself if it has no
// description.
func Describe(rule string) string {
	for _, l := range catalog.Limits() {
		if l.Name == rule {
			return "The network approaches or breaks the limit of " + l.Unit + " in one " + l.Scope + "."
		}
	}
	for _, a := range asymmetries() {
		if a.rule == rule {
			return "Asymmetric path: " + a.what + "."
		}
	}
	switch rule {
	case RuleUnreadable:
		return "A document could not be counted."
	case RuleUncounted:
		return "What is used of a limit is not known."
	case RuleOutboundPorts:
		return "Outbound rules promise more ports than their addresses have."
	case RuleDefaultPorts:
		return "A load balancer's members have outbound ports by the size of their pool, which is near the next step."
	case RuleNATPorts:
		return "A NAT gateway has hardly more ports than hosts."
	case RuleFirewallPorts:
		return "A firewall has hardly more ports than hosts."
	case RuleSubnetSize:
		return "A subnet of the platform's is smaller than its service asks for."
	case RuleUnattached:
		return "A security group, application security group or route table has no effect."
	case RuleOwnSubnet:
		return "A route's next hop is in a subnet that uses the route's table."
	case RuleNoNextHop:
		return "Nothing has a route's next-hop address."
	case RuleNotForwarding:
		return "A route's next hop does not forward."
	case RuleUnusedRoute:
		return "A user route is never used."
	case RuleGatewayManager:
		return "A security group keeps the platform from an application gateway."
	case RuleGatewayDefaultRoute:
		return "A default route takes what a public application gateway sends elsewhere."
	case RuleGatewaySubnet:
		return "A subnet has fewer addresses than its application gateway may have instances."
	case RuleSubnetFull:
		return "A subnet has few addresses left."
	case RuleLoop:
		return "Packets go round on a route."
	case RuleBlackHole:
		return "Packets for an address that exists are dropped by a route, or have none."
	case RuleLostSearch:
		return "The search for loops and black holes was given up."
	case RuleAsymmetrySearch:
		return "Asymmetric paths were not looked for between all ends."
	}
	return rule
}
