package node

import (
	"crypto/tls"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/internal/traffic/appgateway"
	"github.com/ceruleannet/cerulean/model"
)

// source returns an application gateway's document with what it refers to.
func (g *appGateways) source(r *model.Resource, resources []*model.Resource) appgateway.Source {
	s := g.system
	extra := extraOf(s.Design.Network(), r.ID)
	img := s.Net.Image()
	src := appgateway.Source{
		Gateway: r, Roots: s.Net.RootCAs(), Own: s.Net.RootCAs(), Policies: extra.Policies,
		Resource: func(id string) (*model.Resource, bool) {
			i := slices.IndexFunc(resources, func(x *model.Resource) bool { return strings.EqualFold(x.ID.String(), id) })
			if i < 0 {
				return nil, false
			}
			return resources[i], true
		},
		Frontend:   func(name string) (netip.Addr, bool) { return frontendAddr(img, r, name) },
		Interfaces: func(pool string) []netip.Addr { return interfacesOf(img, resources, pool) },
		SelfSigned: func(hosts []string) (tls.Certificate, error) {
			return s.Net.Certificate(r.ID.Name(), append([]string{r.ID.Name()}, hosts...), frontendsOf(img, r))
		},
		Named: func(name string) (tls.Certificate, bool, error) {
			for _, c := range extra.Certificates {
				if c.Name == name {
					pair, err := tls.LoadX509KeyPair(s.beside(c.Certificate), s.beside(c.Key))
					return pair, true, err
				}
			}
			return tls.Certificate{}, false, nil
		},
		Authority: func(name string) ([]byte, bool, error) {
			for _, c := range extra.Authorities {
				if c.Name == name {
					b, err := os.ReadFile(s.beside(c.Certificate))
					return b, true, err
				}
			}
			return nil, false, nil
		},
	}
	src.Trusted = !extra.Gateway.IsZero()
	if g.secrets != nil {
		src.Secret = func(id string) ([]byte, error) { return g.secret(r, resources, id) }
	}
	return src
}

// extraOf returns what a gateway has that no property of its resource holds.
func extraOf(n *model.Network, id model.ID) model.AppGateway {
	for _, x := range n.AppGateways {
		if x.Gateway.Equal(id) {
			return x
		}
	}
	return model.AppGateway{}
}

// beside returns a path that is beside the declared network.
func (s *System) beside(path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	dir := s.path
	if info, err := os.Stat(dir); err == nil && !info.IsDir() {
		dir = filepath.Dir(dir)
	}
	return filepath.Join(dir, path)
}

// secret reads a secret for a gateway: one of its identities must be allowed to. That
// a gateway without any may read was decided before.
func (g *appGateways) secret(of *model.Resource, resources []*model.Resource, id string) ([]byte, error) {
	vault, name, _, err := secretAt(resources, id)
	if err != nil {
		return nil, err
	}
	if err := g.readable(of, vault, name); err != nil {
		return nil, err
	}
	return g.heldAt(resources, id)
}

// heldAt reads a secret by its address, as the platform does.
func (g *appGateways) heldAt(resources []*model.Resource, id string) ([]byte, error) {
	vault, name, version, err := secretAt(resources, id)
	if err != nil {
		return nil, err
	}
	value, ok := g.secrets.Held(vault, name, version)
	if !ok {
		return nil, fmt.Errorf("key vault %s has no such secret", vault.Name())
	}
	return []byte(value), nil
}

// secretAt reads the address of a secret: https://VAULT.vault.azure.net/secrets/NAME
// and a version.
func secretAt(resources []*model.Resource, id string) (vault model.ID, name, version string, err error) {
	u, err := url.Parse(id)
	if err != nil {
		return vault, "", "", err
	}
	parts := strings.Split(strings.Trim(u.Path, "/"), "/")
	if len(parts) < 2 || !strings.EqualFold(parts[0], "secrets") {
		return vault, "", "", fmt.Errorf("it is no address of a secret: write https://VAULT.vault.azure.net/secrets/NAME")
	}
	if len(parts) > 2 {
		version = parts[2]
	}
	host, _, _ := strings.Cut(u.Host, ".")
	for _, r := range resources {
		if r.ID.Is(model.TypeKeyVault) && strings.EqualFold(r.ID.Name(), host) {
			return r.ID, parts[1], version, nil
		}
	}
	return vault, "", "", fmt.Errorf("there is no key vault %s", host)
}

// readable says why none of a gateway's identities may read a secret.
func (g *appGateways) readable(of *model.Resource, vault model.ID, name string) error {
	objects := identitiesOf(of)
	if identity, ok := of.Doc["identity"].(map[string]any); ok && len(objects) == 0 {
		return fmt.Errorf("none of the gateway's identities of type %v is known", identity["type"])
	}
	var errs []error
	for _, object := range objects {
		err := g.secrets.Readable(vault, name, object)
		if err == nil {
			return nil
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// identitiesOf returns the object IDs of a resource's managed identities, in their
// order.
func identitiesOf(r *model.Resource) []string {
	identity, _ := r.Doc["identity"].(map[string]any)
	var out []string
	if own, _ := identity["principalId"].(string); own != "" {
		out = append(out, own)
	}
	users, _ := identity["userAssignedIdentities"].(map[string]any)
	for _, id := range slices.Sorted(maps.Keys(users)) {
		user, _ := users[id].(map[string]any)
		if object, _ := user["principalId"].(string); object != "" {
			out = append(out, object)
		}
	}
	return out
}

// frontPort returns the port of a gateway's frontends.
func frontPort(img *fabric.Image, r *model.Resource) (fabric.PortID, bool) {
	for i := range img.Ports {
		p := &img.Ports[i]
		if p.Kind == fabric.PortBalancer && strings.EqualFold(p.Origin.Resource, r.ID.String()) {
			return fabric.PortID(i), true
		}
	}
	return fabric.None, false
}

// frontendAddr returns the address of a gateway's frontend by its name.
func frontendAddr(img *fabric.Image, r *model.Resource, name string) (netip.Addr, bool) {
	at, ok := frontPort(img, r)
	if !ok {
		return netip.Addr{}, false
	}
	list, _ := r.Properties()["frontendIPConfigurations"].([]any)
	for _, e := range list {
		f, _ := e.(map[string]any)
		if n, _ := f["name"].(string); !strings.EqualFold(n, name) {
			continue
		}
		p, _ := f["properties"].(map[string]any)
		if public, _ := p["publicIPAddress"].(map[string]any); public != nil {
			id, _ := public["id"].(string)
			for _, x := range img.Publics {
				if x.Port == at && strings.EqualFold(x.Origin.Name, id[strings.LastIndexByte(id, '/')+1:]) {
					return x.Addr, true
				}
			}
			return netip.Addr{}, false
		}
		if text, _ := p["privateIPAddress"].(string); text != "" {
			a, err := netip.ParseAddr(text)
			return a, err == nil
		}
		if own := img.Sets[img.Ports[at].Addrs]; len(own) > 0 {
			return own[0].Lo.Addr(), true // chosen by the compiler
		}
	}
	return netip.Addr{}, false
}

// frontendsOf returns all addresses of a gateway's frontends.
func frontendsOf(img *fabric.Image, r *model.Resource) []netip.Addr {
	at, ok := frontPort(img, r)
	if !ok {
		return nil
	}
	var out []netip.Addr
	for _, own := range img.Sets[img.Ports[at].Addrs] {
		for v := own.Lo; ; v = v.Next() {
			if out = append(out, v.Addr()); v == own.Hi {
				break
			}
		}
	}
	for _, x := range img.Publics {
		if x.Port == at {
			out = append(out, x.Addr)
		}
	}
	return out
}

// poolsOfNIC returns, by IP configuration, the IDs of the gateway pools that an
// interface names, in lower case.
func poolsOfNIC(r *model.Resource) map[int][]string {
	out := map[int][]string{}
	configs, _ := r.Properties()["ipConfigurations"].([]any)
	for i, e := range configs {
		c, _ := e.(map[string]any)
		p, _ := c["properties"].(map[string]any)
		refs, _ := p["applicationGatewayBackendAddressPools"].([]any)
		for _, x := range refs {
			ref, _ := x.(map[string]any)
			if id, _ := ref["id"].(string); id != "" {
				out[i] = append(out[i], strings.ToLower(id))
			}
		}
	}
	return out
}

// interfacesOf returns the addresses of the interfaces that name a pool.
func interfacesOf(img *fabric.Image, resources []*model.Resource, pool string) []netip.Addr {
	var out []netip.Addr
	for _, r := range resources {
		if !r.ID.Is(model.TypeNIC) {
			continue
		}
		configs, _ := r.Properties()["ipConfigurations"].([]any)
		for i, pools := range poolsOfNIC(r) {
			if !slices.Contains(pools, pool) {
				continue
			}
			c, _ := configs[i].(map[string]any)
			p, _ := c["properties"].(map[string]any)
			if text, _ := p["privateIPAddress"].(string); text != "" {
				if a, err := netip.ParseAddr(text); err == nil {
					out = append(out, a)
				}
				continue
			}
			for j := range img.Ports {
				if strings.EqualFold(img.Ports[j].Origin.Resource, r.ID.String()) {
					if a, ok := firstAddr(img, fabric.PortID(j)); ok {
						out = append(out, a)
					}
				}
			}
		}
	}
	return out
}
