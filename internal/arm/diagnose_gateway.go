package arm

import (
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/ceruleannet/cerulean/internal/diagnose"
	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/model"
)

// bgpVerbs are the views of a virtual network gateway's BGP.
func bgpVerbs() []verb {
	return []verb{
		{name: "getBgpPeerStatus", long: true, network: true, answer: bgpPeerStatus},
		{name: "getLearnedRoutes", long: true, network: true, answer: learnedRoutes},
		{name: "getAdvertisedRoutes", long: true, network: true, answer: advertisedRoutes},
	}
}

// routeServerVerbs are the views of a Route Server's BGP with one appliance.
func routeServerVerbs() []verb {
	return []verb{
		{name: "learnedRoutes", long: true, network: true, answer: serverLearned},
		{name: "advertisedRoutes", long: true, network: true, answer: serverAdvertised},
	}
}

// localWeight is the weight of a gateway's own routes, as answers of the service
// have it.
const localWeight = 32768

// bgpRoute is GatewayRoute and PeerRoute of the API.
type bgpRoute struct {
	LocalAddress string `json:"localAddress"`
	Network      string `json:"network"`
	NextHop      string `json:"nextHop,omitempty"`
	SourcePeer   string `json:"sourcePeer"`
	Origin       string `json:"origin"` // Network, EBgp, Igp
	ASPath       string `json:"asPath"`
	Weight       int    `json:"weight"`
}

// bgpPeer is the other side of a gateway's connection.
type bgpPeer struct {
	connection *model.Resource
	address    string // where it speaks BGP; empty if it does not
	asn        string
	site       string // its resource
}

// speaker returns a gateway's own BGP address and autonomous system.
func (q *question) speaker(gateway string) (address, asn string, f *Fault) {
	doc, f := q.shownDocument(gateway)
	if f != nil {
		return "", "", f
	}
	address, asn = bgpOf(object(doc, "properties"))
	return address, asn, nil
}

// bgpOf reads bgpSettings: of several addresses the first.
func bgpOf(props map[string]any) (address, asn string) {
	bgp := object(props, "bgpSettings")
	address, _, _ = strings.Cut(text(bgp, "bgpPeeringAddress"), ",")
	n, _ := whole(bgp["asn"])
	return address, strconv.Itoa(n)
}

// bgpPeers returns what a gateway's connections lead to.
func (q *question) bgpPeers() ([]bgpPeer, *Fault) {
	var out []bgpPeer
	for _, e := range findExact(q.view, termRef+q.on.ID.Key()) {
		p := e.Resource.Properties()
		if !e.Resource.ID.Is(typeConnection) || !strings.EqualFold(refID(p, "virtualNetworkGateway1"), q.on.ID.String()) {
			continue
		}
		peer := bgpPeer{connection: e.Resource, site: refID(p, "localNetworkGateway2")}
		if far := refID(p, "virtualNetworkGateway2"); far != "" {
			peer.site = far
		}
		if p["enableBgp"] == true && q.document(peer.site) != nil {
			var f *Fault
			if peer.address, peer.asn, f = q.speaker(peer.site); f != nil {
				return nil, f
			}
		}
		out = append(out, peer)
	}
	return out, nil
}

// gatewayTable returns the routes of the gateway asked about.
func (q *question) gatewayTable() (fabric.PortID, []fabric.Route, *Fault) {
	at, f := q.port(q.on.ID.String())
	if f != nil {
		return at, nil, f
	}
	return at, q.img.Tables[q.img.Ports[at].Routes].Routes, nil
}

// bgpPeerStatus answers how a gateway's BGP sessions are (BgpPeerStatus of the
// API). A session is up if the compiled network has its connection.
func bgpPeerStatus(q *question) (any, *Fault) {
	peers, f := q.bgpPeers()
	if f != nil {
		return nil, f
	}
	_, routes, f := q.gatewayTable()
	if f != nil {
		return nil, f
	}
	local, _, f := q.speaker(q.on.ID.String())
	if f != nil {
		return nil, f
	}
	value := []any{}
	for _, p := range peers {
		if p.address == "" || q.query.Get("peer") != "" && q.query.Get("peer") != p.address {
			continue
		}
		n := 0
		for i := range routes {
			if strings.EqualFold(routes[i].Origin.Resource, p.connection.ID.String()) {
				n++
			}
		}
		state := "Connecting"
		if n > 0 {
			state = "Connected"
		}
		asn, _ := strconv.Atoi(p.asn)
		value = append(value, map[string]any{"localAddress": local, "neighbor": p.address, "asn": asn, "state": state, "routesReceived": n})
	}
	return map[string]any{"value": value}, nil
}

// learnedRoutes answers what a gateway knows: its own network, and what its
// connections lead to (GatewayRoute of the API).
func learnedRoutes(q *question) (any, *Fault) {
	peers, f := q.bgpPeers()
	if f != nil {
		return nil, f
	}
	_, routes, f := q.gatewayTable()
	if f != nil {
		return nil, f
	}
	local, _, f := q.speaker(q.on.ID.String())
	if f != nil {
		return nil, f
	}
	value := []bgpRoute{}
	for i := range routes {
		r := &routes[i]
		own := bgpRoute{LocalAddress: local, Network: r.Prefix.String(), SourcePeer: local, Origin: "Network", Weight: localWeight}
		switch {
		case r.Kind == "VnetLocal" && r.Source == "Default":
			value = append(value, own)
		case r.Source == "VirtualNetworkGateway" && !r.Inactive:
			k := slices.IndexFunc(peers, func(p bgpPeer) bool { return strings.EqualFold(p.connection.ID.String(), r.Origin.Resource) })
			if k >= 0 && peers[k].address != "" {
				own.SourcePeer, own.NextHop, own.Origin, own.ASPath = peers[k].address, peers[k].address, "EBgp", peers[k].asn
			}
			value = append(value, own)
		}
	}
	return map[string]any{"value": value}, nil
}

// advertisedRoutes answers what a gateway announces to a peer: what the peer's
// routes that lead to it say.
func advertisedRoutes(q *question) (any, *Fault) {
	address := q.query.Get("peer")
	if _, err := netip.ParseAddr(address); err != nil {
		return nil, badRequest("InvalidQueryParameter", "The value %s of the query parameter 'peer' is not an IP address.", show(address))
	}
	peers, f := q.bgpPeers()
	if f != nil {
		return nil, f
	}
	at, _, f := q.gatewayTable()
	if f != nil {
		return nil, f
	}
	local, asn, f := q.speaker(q.on.ID.String())
	if f != nil {
		return nil, f
	}
	value := []bgpRoute{}
	for _, p := range peers {
		far, ok := diagnose.PortOf(q.img, p.site)
		if p.address != address || !ok {
			continue
		}
		for _, r := range q.img.Tables[q.img.Ports[far].Routes].Routes {
			if r.Hop.Kind == fabric.HopPort && leadsOver(q.img, r.Hop.Port, at) {
				value = append(value, bgpRoute{LocalAddress: local, Network: r.Prefix.String(), NextHop: local, Origin: "Igp", ASPath: asn})
			}
		}
	}
	return map[string]any{"value": value}, nil
}

// leadsOver reports whether a hop is a port, or one of several of equal cost.
func leadsOver(img *fabric.Image, hop, port fabric.PortID) bool {
	if hop == port {
		return true
	}
	in := img.Ports[hop].Inward
	return img.Ports[hop].Kind == fabric.PortBalancer && in != nil && slices.ContainsFunc(in.Redirects, func(r fabric.Redirect) bool {
		return r.Apart && slices.ContainsFunc(r.Targets, func(t fabric.Target) bool { return t.Port == port })
	})
}

// routeServer is the place of the Route Server that a BGP connection is of.
type routeServer struct {
	network model.ID
	space   fabric.SpaceID
	peer    fabric.PortID // the appliance
	address string
	asn     string
	own     []string // its instances' addresses
	ownASN  string
}

func (q *question) routeServer() (*routeServer, *Fault) {
	hub := q.on.ID.Parent()
	doc, f := q.shownDocument(hub.String())
	if f != nil {
		return nil, f
	}
	p := q.on.Properties()
	n, _ := whole(p["peerAsn"])
	s := &routeServer{address: text(p, "peerIp"), asn: strconv.Itoa(n), ownASN: azureASN, space: fabric.None}
	s.own = textsOf(object(doc, "properties"), "virtualRouterIps")
	for e := range q.view.List(hub.Key()+"/ipconfigurations/", "") {
		if subnet, err := model.ParseID(refID(e.Resource.Properties(), "subnet")); err == nil {
			s.network = subnet.Parent()
		}
	}
	for i := range q.img.Spaces {
		if strings.EqualFold(q.img.Spaces[i].Origin.Resource, s.network.String()) {
			s.space = fabric.SpaceID(i)
		}
	}
	a, err := netip.ParseAddr(s.address)
	if s.space == fabric.None || err != nil {
		return nil, fault(http.StatusConflict, "NetworkNotCompiled", "The Route Server %s has no virtual network, or its peer %s no address.", hub, q.on.ID)
	}
	at, ok := q.img.Spaces[s.space].PortOf(a)
	if !ok {
		at = fabric.None
		for i := range q.img.Spaces { // a peer may be in a peered network
			if port, ok := q.img.Spaces[i].PortOf(a); ok && q.img.Ports[port].Kind == fabric.PortHost {
				at = port
			}
		}
	}
	s.peer = at
	return s, nil
}

// textsOf returns the strings of a list; elements of other types are left out.
func textsOf(m map[string]any, name string) []string {
	list, _ := m[name].([]any)
	var out []string
	for _, e := range list {
		if s, ok := e.(string); ok {
			out = append(out, s)
		}
	}
	return out
}

// roles answers the same routes for each instance of a Route Server
// ("VirtualHubBgpConnections - List Learned Routes").
func (s *routeServer) roles(prefixes []netip.Prefix, route func(local string, p netip.Prefix) bgpRoute) map[string]any {
	out := map[string]any{}
	for i := range 2 {
		local := ""
		if i < len(s.own) {
			local = s.own[i]
		}
		list := []bgpRoute{}
		for _, p := range prefixes {
			list = append(list, route(local, p))
		}
		out["RouteServiceRole_IN_"+strconv.Itoa(i)] = list
	}
	return out
}

// serverLearned answers what an appliance announces to a Route Server: the
// routes of the network that lead to it.
func serverLearned(q *question) (any, *Fault) {
	s, f := q.routeServer()
	if f != nil {
		return nil, f
	}
	var prefixes []netip.Prefix
	seen := map[fabric.TableID]bool{}
	for i := range q.img.Ports {
		p := &q.img.Ports[i]
		if p.Space != s.space || seen[p.Routes] || s.peer == fabric.None || fabric.PortID(i) == s.peer {
			continue
		}
		seen[p.Routes] = true
		for _, r := range q.img.Tables[p.Routes].Routes {
			if r.Source == "VirtualNetworkGateway" && r.Hop.Kind == fabric.HopPort && leadsOver(q.img, r.Hop.Port, s.peer) && !slices.Contains(prefixes, r.Prefix) {
				prefixes = append(prefixes, r.Prefix)
			}
		}
	}
	return s.roles(prefixes, func(local string, p netip.Prefix) bgpRoute {
		return bgpRoute{LocalAddress: local, Network: p.String(), NextHop: s.address, SourcePeer: s.address, Origin: "EBgp", ASPath: s.asn, Weight: localWeight}
	}), nil
}

// serverAdvertised answers what a Route Server announces to an appliance: its
// network and the peers that use its gateways.
func serverAdvertised(q *question) (any, *Fault) {
	s, f := q.routeServer()
	if f != nil {
		return nil, f
	}
	var prefixes []netip.Prefix
	if r := q.document(s.network.String()); r != nil {
		prefixes = spaceOf(r.Doc)
	}
	for _, e := range findExact(q.view, termRef+s.network.Key()) {
		for _, peering := range objects(e.Resource.Properties(), "virtualNetworkPeerings") {
			p := object(peering, "properties")
			if strings.EqualFold(refID(p, "remoteVirtualNetwork"), s.network.String()) && p["useRemoteGateways"] == true {
				prefixes = append(prefixes, spaceOf(e.Resource.Doc)...)
			}
		}
	}
	return s.roles(prefixes, func(local string, p netip.Prefix) bgpRoute {
		return bgpRoute{LocalAddress: local, Network: p.String(), NextHop: local, Origin: "Igp", ASPath: s.ownASN}
	}), nil
}
