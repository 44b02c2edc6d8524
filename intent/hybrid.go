package intent

// Resource types of what connects a network with others.
const (
	typeGateway    = "Microsoft.Network/virtualNetworkGateways"
	typeSite       = "Microsoft.Network/localNetworkGateways"
	typeCircuit    = "Microsoft.Network/expressRouteCircuits"
	typeConnection = "Microsoft.Network/connections"
)

// carrierPrefix begins the tags that carry what a Resource Manager document has
// no property for. They are no tags of the network's own.
const carrierPrefix = "cerulean-"
