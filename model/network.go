package model

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// Network is a declared network: what should exist, what runs in it, and what
// must be true of it.
type Network struct {
	Name         string
	Subscription string
	// Resources are sorted by ID. Subnets, security rules and routes are inline
	// in their parents; every other child is a resource of its own.
	Resources    []*Resource
	Hosts        []Host
	Expectations []Expectation
	Underlay     Underlay
	Contents     []Contents
	Access       []Access
	Internet     []PublicHost
	AppGateways  []AppGateway
	FrontDoors   []FrontDoor
}

// FrontDoor is what a front door of the network has that no property of its
// resources holds.
type FrontDoor struct {
	Profile ID
	// Certificates are files in PEM form, by the name of their custom domain;
	// relative paths are beside the declared network.
	Certificates []CertificateFiles
	Pos          Pos
}

// AppGateway is what an application gateway of the network has that no property
// of its resource holds.
type AppGateway struct {
	Gateway ID
	// Certificates and Authorities are files in PEM form; relative paths are
	// beside the declared network.
	Certificates []CertificateFiles
	Authorities  []CertificateFiles
	Policies     []AppGatewayPolicy
	// Followed are pools whose members a running gateway follows in discovery.
	Followed []PoolService
	Pos      Pos
}

// PoolService is a pool of an application gateway whose members are the instances of
// a service in a region.
type PoolService struct {
	Pool, Service, Region string
	Pos                   Pos
}

// CertificateFiles are the files of a part of an application gateway.
type CertificateFiles struct {
	Name             string // of the part
	Certificate, Key string // an authority has no key
	Pos              Pos
}

// AppGatewayPolicy is what requests must pass that a rule, or a path rule of it,
// takes: beyond what Azure has.
type AppGatewayPolicy struct {
	Rule, Path string
	Doc        map[string]any
	At         map[string]Pos // by JSON pointer
	Pos        Pos
}

// Contents is what a platform service holds at first.
type Contents struct {
	Service ID                // of a key vault, a storage account or an SQL server
	Secrets map[string]string // value by name
	Blobs   map[string]string // content by "container/name"
	Logins  map[string]string // password by name
	Users   []ID              // virtual machines whose managed identities may log in
	Pos     Pos
}

// Access gives the managed identity of a host a role. It is no resource of the
// network: who the identity is becomes known when its machine is made.
type Access struct {
	Host  string // whose identity
	VM    ID
	Role  string // name of a built-in role, or the GUID of one
	Scope ID
	Pos   Pos
}

// PublicHost is somebody on the internet, outside the network.
type PublicHost struct {
	Name     string   // DNS name, lower case, without trailing dot
	Names    []string // further DNS names
	Region   string   // nearest to it; empty if nobody knows
	Addrs    []netip.Addr
	Services []Service
	Pos      Pos
}

// Host is something that runs behind a network interface. Its virtual machine
// and interface are ordinary resources of the network.
type Host struct {
	Name     string
	VM       ID
	NICs     []ID
	Services []Service
	// Service is the name in discovery of what it serves, a DNS label; empty if it
	// is not found there.
	Service string
	Run     *Run // nil if no program runs on it
	Pos     Pos
}

// Run is a program of the system that runs the network, on a host.
type Run struct {
	// Args are the program and its arguments; a single one is a command for a
	// shell.
	Args    []string
	Env     []string // "NAME=value", added to the environment
	Restart Restart
	Pos     Pos
}

// Restart says when a program that has ended starts again.
type Restart string

// The kinds of restart.
const (
	RestartAlways    Restart = "always"
	RestartOnFailure Restart = "on-failure" // when its exit code is not 0
	RestartNever     Restart = "never"
)

// ServiceKind says what a service speaks.
type ServiceKind string

// The kinds of service a declared host can offer.
const (
	ServiceTCP   ServiceKind = "tcp"   // greets with one line naming the host, then echoes
	ServiceUDP   ServiceKind = "udp"   // echoes datagrams
	ServiceHTTP  ServiceKind = "http"  // answers GET with the host's name
	ServiceHTTPS ServiceKind = "https" // the same over TLS
	// ServiceWhoAmI answers HTTP requests with the address that they come from.
	ServiceWhoAmI ServiceKind = "whoami"
	// ServiceDNS answers DNS queries over UDP and TCP by asking the platform's
	// resolver: a forwarder.
	ServiceDNS ServiceKind = "dns"
)

// Service is one listening port of a host.
type Service struct {
	Kind ServiceKind
	Port uint16 // 1..65535
	Pos  Pos
}

// LabelKind says what a label is about.
type LabelKind string

// The kinds of label a port of the compiled network carries. Names compare
// case-insensitively and are stored in lower case.
const (
	LabelHost     LabelKind = "host"     // a host's name
	LabelSubnet   LabelKind = "subnet"   // a subnet's name: the same name may occur in many VNets
	LabelVNet     LabelKind = "vnet"     // a virtual network's name
	LabelGroup    LabelKind = "group"    // a network group's name
	LabelTag      LabelKind = "tag"      // "name=value" of a virtual network's or interface's tag
	LabelRegion   LabelKind = "region"   // a region's name
	LabelFirewall LabelKind = "firewall" // an Azure Firewall's name
	LabelASG      LabelKind = "asg"      // an application security group's name
	LabelBalancer LabelKind = "balancer" // a load balancer's name
	LabelService  LabelKind = "service"  // a platform service's name: a storage account, SQL server or key vault
	LabelEndpoint LabelKind = "endpoint" // a private endpoint's name
	LabelGateway  LabelKind = "gateway"  // a VPN or ExpressRoute gateway's name
	LabelSite     LabelKind = "site"     // an on-premises site's name
	// LabelAppGateway is an application gateway's name.
	LabelAppGateway LabelKind = "app-gateway"
	LabelZone       LabelKind = "zone" // "REGION/ZONE" of what is in one availability zone
)

// Label names a property of ports that selectors match on.
type Label struct {
	Kind LabelKind
	Name string
}

// Selector names one side of an expectation.
type Selector struct {
	Text     string // as written
	Internet bool   // the internet: every public address outside the network
	Any      bool   // every port inside the network
	OnPrem   bool   // every on-premises site
	// All are labels a port must carry, each of them (a conjunction). Within
	// one element the alternatives are a disjunction: a bare name that is both
	// a group and a subnet never occurs, intent refuses it.
	All []Label
	// Prefixes narrow the addresses; empty means all addresses of the ports.
	Prefixes []netip.Prefix
	Pos      Pos
}

// Verb is what an expectation claims.
type Verb string

// The verbs.
const (
	Deny      Verb = "deny"      // no packet of the traffic is delivered
	Allow     Verb = "allow"     // every connection of the traffic works: delivered, and the replies too
	Symmetric Verb = "symmetric" // traffic and replies pass the same stateful devices
	Resolves  Verb = "resolves"  // names resolve to private addresses, or to given ones
	NoMore    Verb = "no-more"   // nothing is delivered that the baseline does not deliver
)

// Quantifier says of how many pairs an expectation speaks.
type Quantifier string

// The quantifiers.
const (
	All  Quantifier = ""    // of every pair of ports and every packet
	Some Quantifier = "any" // of at least one pair of ports, with every packet of the traffic's ports
)

// Relation narrows the pairs an expectation speaks of.
type Relation string

// The relations between the two sides of a pair.
const (
	AnyPair     Relation = ""
	OtherRegion Relation = "other-region" // in different regions
	SameRegion  Relation = "same-region"
	OtherVNet   Relation = "other-vnet" // in different virtual networks
)

// PortRange is an inclusive range of transport ports.
type PortRange struct{ Lo, Hi uint16 }

// Traffic is one protocol with destination ports. Protocol is an IANA number:
// 1 ICMP, 6 TCP, 17 UDP, 58 ICMPv6; no ports means all.
type Traffic struct {
	Protocol uint8
	Ports    []PortRange
}

// WaypointKind says how a waypoint is named.
type WaypointKind string

// The kinds of waypoint.
const (
	SourceFirewall      WaypointKind = "source-firewall"      // the firewall in the source's region
	DestinationFirewall WaypointKind = "destination-firewall" // the firewall in the destination's region
	NamedFirewall       WaypointKind = "firewall"             // the firewall of that name
	NamedHost           WaypointKind = "host"                 // the host of that name, an appliance
	NamedGateway        WaypointKind = "gateway"              // the gateway of that name
	NamedBalancer       WaypointKind = "balancer"             // the load balancer of that name
)

// Waypoint is a device that traffic must pass.
type Waypoint struct {
	Kind WaypointKind
	Name string // lower case, for the named kinds
}

// Request is a request over HTTP that a claim speaks of beside its packets.
type Request struct {
	URL      string   // absolute, of http or https
	Statuses []string // that its answer may have, "200-299" or "403"; none means below 500
	// FrontDoor is the profile that takes it, where that is a front door; it is then
	// no application gateway that the expectation's To names, but the edges' address.
	FrontDoor string
}

// Fits reports whether a status is one that the claim means.
func (r *Request) Fits(status int) bool {
	if len(r.Statuses) == 0 {
		return status > 0 && status < 500
	}
	for _, s := range r.Statuses {
		low, high, ranged := strings.Cut(s, "-")
		a, err := strconv.Atoi(low)
		b := a
		if ranged {
			b, _ = strconv.Atoi(high)
		}
		if err == nil && status >= a && status <= b {
			return true
		}
	}
	return false
}

// MayAnswer reports whether an address is one that a name of the expectation may
// have.
func (e *Expectation) MayAnswer(a netip.Addr) bool {
	if len(e.Answers) > 0 {
		return slices.Contains(e.Answers, a)
	}
	return a.IsPrivate()
}

// Expectation is a declared claim about the network.
type Expectation struct {
	Name     string // what people call it; the sentence itself if none was given
	Text     string // the sentence as written
	Verb     Verb
	From, To Selector
	Both     bool       // the claim holds in both directions
	Quantity Quantifier // allow only
	Relation Relation
	Traffic  []Traffic  // empty: every protocol and port
	Through  []Waypoint // allow only: each must be passed, both ways
	// NotThrough are devices that nothing of the traffic may pass, neither way:
	// of allow what works must not, of deny only what passes one is denied.
	NotThrough []Waypoint
	Names      []string // resolves only: DNS names without trailing dot
	// Answers are the addresses that these may have; none means every private one.
	Answers []netip.Addr
	// Request is sent besides: To is then the gateway that takes it.
	Request *Request
	// Baseline is the declared network to compare with, a path relative to the
	// file the expectation is in. No-more only.
	Baseline string
	Pos      Pos
}
