package arm

import (
	"net/http"
	"strings"

	"github.com/ceruleannet/cerulean/model"
)

// fillClients completes how a VPN gateway takes in its clients: by which
// protocols, and by which proof of who they are (Azure/azure-cli recordings,
// test_network_vpn_gateway_aad, test_vpn_client_package).
func fillClients(c *change) *Fault {
	p := c.props()
	v := object(p, "vpnClientConfiguration")
	if v == nil {
		return nil
	}
	for _, list := range []string{"vpnClientRootCertificates", "vpnClientRevokedCertificates"} {
		known := map[string]bool{}
		if f := c.completeParts(c.id, v, list, known); f != nil {
			return f
		}
	}
	for _, list := range []string{"radiusServers", "vngClientConnectionConfigurations", "vpnClientIpsecPolicies", "vpnClientRevokedCertificates", "vpnClientRootCertificates"} {
		setDefault(v, list, []any{})
	}
	protocols := []any{"OpenVPN", "IkeV2"}
	if strings.EqualFold(text(object(p, "sku"), "name"), "Basic") {
		protocols = []any{"SSTP"}
	}
	if given, _ := v["vpnClientProtocols"].([]any); len(given) == 0 {
		v["vpnClientProtocols"] = protocols
	}
	if given, _ := v["vpnAuthenticationTypes"].([]any); len(given) == 0 {
		proofs := []any{}
		if text(v, "aadTenant") != "" {
			proofs = append(proofs, "AAD")
		}
		if len(objects(v, "vpnClientRootCertificates")) > 0 {
			proofs = append(proofs, "Certificate")
		}
		if text(v, "radiusServerAddress") != "" || len(objects(v, "radiusServers")) > 0 {
			proofs = append(proofs, "Radius")
		}
		v["vpnAuthenticationTypes"] = proofs
	}
	return nil
}

// showClients tells how many clients a gateway has: none, as nothing here dials
// in.
func showClients(p map[string]any) {
	v := object(p, "vpnClientConfiguration")
	if v == nil {
		return
	}
	v = shallow(v)
	v["vpnClientConnectionHealth"] = map[string]any{"totalEgressBytesTransferred": 0, "totalIngressBytesTransferred": 0, "vpnClientConnectionsCount": 0}
	p["vpnClientConfiguration"] = v
}

// gatewayVerbs are the actions of a VPN gateway besides those of BGP.
func gatewayVerbs() []verb {
	return []verb{
		{name: "connections", get: true, answer: gatewayConnections},
		changing("reset", func(*change) *Fault { return nil }), // its two instances in turn, which are one here
		{name: "disconnectVirtualNetworkGatewayVpnConnections", act: disconnectTunnels},
		{name: "getVpnClientConnectionHealth", long: true, answer: func(q *question) (any, *Fault) {
			if _, f := q.clients(); f != nil {
				return nil, f
			}
			return map[string]any{"value": []any{}}, nil
		}},
		{name: "getvpnclientipsecparameters", answer: func(q *question) (any, *Fault) {
			v, f := q.clients()
			if f != nil {
				return nil, f
			}
			policies := objects(v, "vpnClientIpsecPolicies")
			if len(policies) == 0 {
				return nil, fault(http.StatusNotFound, "NotFound", "Virtual network gateway %s has no IPsec parameters for clients; set them with setvpnclientipsecparameters.", q.on.ID)
			}
			return policies[0], nil
		}},
		{name: "setvpnclientipsecparameters", act: setClientParameters},
	}
}

// clients is how the gateway of a question takes in clients.
func (q *question) clients() (map[string]any, *Fault) {
	if v := object(q.on.Properties(), "vpnClientConfiguration"); v != nil {
		return v, nil
	}
	return nil, noClients(q.on.ID)
}

func noClients(gateway model.ID) *Fault {
	return badRequest("VirtualNetworkGatewayVpnClientConfigurationNotSet", "Virtual network gateway %s takes in no clients: properties.vpnClientConfiguration is not set.", gateway) // code unconfirmed
}

// clientParameters are the properties of VpnClientIPsecParameters; all are
// required.
var clientParameters = []string{"saLifeTimeSeconds", "saDataSizeKilobytes", "ipsecEncryption", "ipsecIntegrity", "ikeEncryption", "ikeIntegrity", "dhGroup", "pfsGroup"}

// setClientParameters sets the policy of the tunnels of clients ("Virtual Network
// Gateways - Set Vpnclient Ipsec Parameters").
func setClientParameters(c *call, on *model.Resource) *Fault {
	body, f := readBody(c.w, c.r)
	if f != nil {
		return f
	}
	policy := map[string]any{}
	for _, name := range clientParameters {
		v, given := body[name]
		if !given || v == nil {
			return invalidProperty(on.ID, name, nil, "the parameters of clients need it")
		}
		policy[name] = v
	}
	f = c.amend(on.ID, func(ch *change) *Fault {
		v := object(ch.props(), "vpnClientConfiguration")
		if v == nil {
			return noClients(ch.id)
		}
		v["vpnClientIpsecPolicies"] = []any{policy}
		return nil
	})
	if f != nil {
		return f
	}
	return c.acceptEmpty(on)
}

// disconnectTunnels has a gateway set up the tunnels of some of its connections
// anew.
func disconnectTunnels(c *call, on *model.Resource) *Fault {
	body, f := readBody(c.w, c.r)
	if f != nil {
		return f
	}
	ids, _ := body["vpnConnectionIds"].([]any)
	if len(ids) == 0 {
		return invalidProperty(on.ID, "vpnConnectionIds", body["vpnConnectionIds"], "it must be a list of IDs of the gateway's connections")
	}
	v := c.s.store.View()
	for _, e := range ids {
		target, _ := e.(string)
		id, err := model.ParseID(target)
		if err != nil || !id.Is(typeConnection) {
			return invalidReference(on.ID, target)
		}
		found, ok := v.Get(id)
		if !ok {
			return invalidReference(on.ID, target)
		}
		p := found.Resource.Properties()
		if !strings.EqualFold(refID(p, "virtualNetworkGateway1"), on.ID.String()) && !strings.EqualFold(refID(p, "virtualNetworkGateway2"), on.ID.String()) {
			return invalidProperty(on.ID, "vpnConnectionIds", target, "it must be a connection of the gateway")
		}
	}
	return c.acceptEmpty(on)
}
