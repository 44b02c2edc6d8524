package avnm

import (
	"net/netip"

	"github.com/ceruleannet/cerulean/model"
	"github.com/ceruleannet/cerulean/model/wire"
)

// VNet is what the expansion needs to know of a virtual network.
type VNet struct {
	ID       model.ID
	Region   string // normalised
	Tags     map[string]string
	Prefixes []netip.Prefix
	Subnets  []model.ID
}

// Source is the part of a declared resource that something was expanded from.
type Source struct {
	Resource *model.Resource
	Pointer  string // JSON pointer within it, or ""
}

// Effect is what the network managers do. Positions are indexes into the list
// of virtual networks given to [Expand].
type Effect struct {
	Groups    []Group
	Peerings  []Peering
	Connected []ConnectedGroup
	// Admin are the security admin rules of each virtual network, in the order
	// they are evaluated; nil where there are none. Networks with the same
	// rules share the same list.
	Admin []*AdminList
	// Routing are the routing rules of each virtual network, SubnetRouting
	// those of single subnets by lower-case ID. Equal lists are shared.
	Routing       []*RoutingList
	SubnetRouting map[string]*RoutingList
	// ReplacesPeerings marks virtual networks whose own peerings a committed
	// configuration deletes.
	ReplacesPeerings []bool
}

// Group is a network group with its members.
type Group struct {
	ID      model.ID
	Name    string
	VNets   []int      // ascending
	Subnets []model.ID // of groups whose members are subnets
}

// Peering is one half of a peering made by a hub-and-spoke configuration.
type Peering struct {
	From, To              int
	AllowForwardedTraffic bool
	AllowGatewayTransit   bool
	UseRemoteGateways     bool
	Source                Source
}

// ConnectedGroup is a set of virtual networks that reach each other directly.
type ConnectedGroup struct {
	Name    string // the configuration's name
	Members []Member
	Source  Source
}

// Member is a virtual network of a connected group with the prefixes it brings
// in. A prefix that overlaps one of another member is left out.
type Member struct {
	VNet     int
	Prefixes []netip.Prefix
}

// AdminList is an ordered list of security admin rules.
type AdminList struct{ Rules []AdminRule }

// AdminRule is one security admin rule in force.
type AdminRule struct {
	wire.AdminRule
	// Level is 0 for managers that govern a management group, 1 for managers of
	// subscriptions. Rules of a lower level come first.
	Level  int
	Source Source
}

// RoutingList is a list of routing rules.
type RoutingList struct{ Rules []RoutingRule }

// RoutingRule is one routing rule in force.
type RoutingRule struct {
	wire.RoutingRule
	DisableBGPRoutePropagation bool
	Source                     Source
}
