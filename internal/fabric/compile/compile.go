package compile

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"

	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/internal/fabric/avnm"
	"github.com/ceruleannet/cerulean/internal/traffic/trafficmanager"
	"github.com/ceruleannet/cerulean/model"
	"github.com/ceruleannet/cerulean/model/wire"
)

// Options are the choices of a compilation.
type Options struct {
	// Epoch is the image's epoch; a reader that sees a new one forgets what it
	// learned from the last.
	Epoch uint64
	// Internet are hosts outside, whose names everybody can resolve. They are no
	// resources of anybody's cloud.
	Internet []model.PublicHost
}

// Compile builds the image of a network. The resources are not changed and
// may be in any order; the image depends on their content only.
//
// The error is a [model.Problems]: everything that is wrong with the
// resources, each with its place. What is right but not modelled is no error:
// it is a note of the image, and what depends on it is unknown.
func Compile(resources []*model.Resource, opts Options) (*fabric.Image, error) {
	c, err := run(resources, opts, nil)
	if err != nil {
		return nil, err
	}
	return c.img, nil
}

// run is Compile with what an earlier compilation remembers, or nil.
func run(resources []*model.Resource, opts Options, m *memory) (*compiler, error) {
	c := &compiler{
		opts:   opts,
		img:    &fabric.Image{Epoch: opts.Epoch, Edge: fabric.None},
		sets:   m.shared(),
		memory: m,

		endpointsOf:    map[*vnet][]*endpoint{},
		platforms:      map[string]*subnet{},
		storageRegions: map[string]bool{},
		publicMarks:    map[string]*publicMark{},
		portless:       map[*ruleSet]*ruleSet{},
		multipath:      map[string]*port{},
		unknowns:       map[unknownKey]fabric.PortID{},

		probedGroups: map[*nsg]bool{},

		servicePrefixes: map[string][]netip.Prefix{},
	}
	c.decode(resources)
	c.doors = FrontDoors(resources, c.opts)
	c.networks()
	c.groups()
	c.connectivity()
	c.addresses()
	c.publicAddresses()
	c.routes()
	c.filters()
	c.outbound()
	c.balance()
	c.appBalance()
	c.serviceFirewalls()
	c.names()
	c.firewalls()
	c.labels()
	c.finish()
	if err := c.sortedProblems().Err(); err != nil {
		return nil, err
	}
	if err := c.img.Check(); err != nil {
		// Not the network's fault: a pass broke an invariant of the image.
		return nil, fmt.Errorf("compile: %w", err)
	}
	return c, nil
}

// compiler is one run of Compile. The fields are grouped by the pass that
// fills them; later passes only read them.
type compiler struct {
	opts     Options
	img      *fabric.Image
	sets     *sets
	memory   *memory
	problems model.Problems
	notes    map[fabric.Note]bool

	// decode
	docs documents

	// networks
	vnets     []*vnet // by position; also the SpaceID
	vnetByKey map[string]*vnet
	subnets   []*subnet // by position; also the SegmentID
	subnetBy  map[string]*subnet

	// groups
	effect    *avnm.Effect
	groupSets map[string]fabric.SetID // addresses of a network group's members

	// connectivity
	claims   claims
	gateways []*gateway
	sites    []*site
	servers  []*routeServer

	// addresses
	ports    []*port // by PortID
	nics     map[string]*port
	walls    []*wall
	asgAddrs map[string][]fabric.Range
	configs  map[string]configAddr // IP configurations of interfaces by lower-case ID

	multipath map[string]*port // next hops of equal cost by their names

	// load balancers
	balancers    []*balancer
	frontends    map[string]*frontend // by lower-case ID
	pools        map[string]*pool     // by lower-case ID
	natConfigs   map[string]member    // by lower-case ID of the inbound NAT rule
	probedGroups map[*nsg]bool        // that decide about probes
	unknowns     map[unknownKey]fabric.PortID

	// application gateways
	appGateways []*appGateway // in order of ID

	// private endpoints and platform services
	endpoints       map[string]*endpoint // by lower-case ID
	endpointNICs    map[string]*endpoint // by lower-case ID of the interface
	endpointsOf     map[*vnet][]*endpoint
	portless        map[*ruleSet]*ruleSet
	services        []*service         // in order of ID
	platforms       map[string]*subnet // by region
	storageRegions  map[string]bool    // with storage accounts
	platformSpace   fabric.SpaceID
	platformSegment fabric.SegmentID
	servicePrefixes map[string][]netip.Prefix // of service endpoints

	// publicAddresses
	publicAddrs map[string]publicAddr   // by lower-case ID
	publicMarks map[string]*publicMark  // by lower-case ID
	standIns    map[string]netip.Prefix // of public IP prefixes without addresses, by lower-case ID

	// names
	publicZones []fabric.Zone            // in order of ID
	managers    []trafficmanager.Profile // in order of ID
	doors       []FrontDoor              // in order of ID

	// routes
	tables      map[tableKey]fabric.TableID
	users       map[userKey]*userRoutes
	hops        map[hopKey]fabric.Hop
	childRoutes map[string][]*item[wire.Route] // by lower-case ID of the table

	// filters
	nsgs      map[string]*nsg
	adminSets map[*avnm.AdminList]*ruleSet
	filterIDs map[filterKey]fabric.FilterID
}

// port is what the passes know of a port beside what the image says.
type port struct {
	id     fabric.PortID
	subnet *subnet
	addrs  []portAddr // in order of configuration; empty for vacant ports
	nic    *item[wire.NIC]
	nsg    *nsg
	asgs   []string // lower-case IDs
	vm     *item[wire.VM]
	wall   *wall
	opaque *opaque

	// What else the port may be.
	balancer   *balancer
	endpoint   *endpoint
	link       *item[wire.PrivateLinkService]
	service    *service
	gateway    *gateway
	appGateway *appGateway
	site       *site
	paths      bool // next hops of equal cost
	undecided  bool // stands for a target that is not known

	pools []*pool // it is a member of
	// balanced means that a load balancer's pool takes its default outbound
	// access away.
	balanced bool
	// chained means that a load balancer which is not modelled is on its way
	// to the internet.
	chained bool
}

func (c *compiler) problem(r *model.Resource, pointer, what, fix string) {
	c.problems = append(c.problems, model.Problem{Pos: r.PosOf(pointer), Resource: r.ID.String(), What: what, Fix: fix})
}

// note records that something is not modelled, once.
func (c *compiler) note(r *model.Resource, pointer, name, what string) {
	c.noteAt(origin(r, pointer, name), what)
}

func (c *compiler) noteAt(at fabric.Origin, what string) {
	n := fabric.Note{Origin: at, What: what}
	if c.notes == nil {
		c.notes = map[fabric.Note]bool{}
	}
	if !c.notes[n] {
		c.notes[n] = true
		c.img.Notes = append(c.img.Notes, n)
	}
}

func origin(r *model.Resource, pointer, name string) fabric.Origin {
	return fabric.Origin{Resource: r.ID.String(), Name: name, Place: r.PosOf(pointer).String()}
}

// sortedProblems returns the problems in a fixed order without repetitions.
func (c *compiler) sortedProblems() model.Problems {
	slices.SortFunc(c.problems, func(a, b model.Problem) int {
		return cmp.Or(
			cmp.Compare(a.Pos.File, b.Pos.File), cmp.Compare(a.Pos.Line, b.Pos.Line), cmp.Compare(a.Pos.Column, b.Pos.Column),
			cmp.Compare(a.Resource, b.Resource), cmp.Compare(a.What, b.What), cmp.Compare(a.Fix, b.Fix))
	})
	return slices.Compact(c.problems)
}
