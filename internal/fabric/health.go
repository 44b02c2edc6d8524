package fabric

import (
	"net/netip"
	"slices"
)

// Asked is a member of a pool as one probe asks it. Targets with the same
// answer have equal values.
type Asked struct {
	Probe Origin     // where the probe was declared
	Port  PortID     // whom it asks,
	Addr  netip.Addr // and at which address
}

// Asked returns how the target's probe asks it; false if nobody does.
func (t *Target) Asked() (Asked, bool) {
	if t.Probe == nil {
		return Asked{}, false
	}
	return Asked{t.Probe.Origin, t.Port, t.Own}, true
}

// Health is what probes found: why a probe of a member fails, or "" if it
// succeeds. Members that it does not name are as the image has them.
type Health map[Asked]string

// WithHealth returns the image with the state of targets as measured: a shallow
// copy that shares everything but the ports that redirect to members whose
// state differs, or the image itself if nothing does. A member that is known to
// fail keeps the reason it fails for. It is the same network,
// so the epoch stays; every interpreter reads new flows from it as from any
// image. The engine keeps what it compiled of the parts that are shared.
func (img *Image) WithHealth(h Health) *Image {
	var ports []Port
	for i := range img.Ports {
		in := img.Ports[i].Inward
		if in == nil {
			continue
		}
		measured := in.measured(img, h)
		if measured == in {
			continue
		}
		if ports == nil {
			ports = slices.Clone(img.Ports)
		}
		ports[i].Inward = measured
	}
	if ports == nil {
		return img
	}
	out := *img
	out.Ports = ports
	return &out
}

// measured returns a port's redirects with their targets as measured; the same
// ones if nothing differs.
func (in *Inward) measured(img *Image, h Health) *Inward {
	out := in
	for j := range in.Redirects {
		targets := in.Redirects[j].Targets
		for k := range targets {
			asked, ok := targets[k].Asked()
			if !ok {
				continue
			}
			why, ok := h[asked]
			// Why it fails is known better where a filter is known to drop the probe.
			if !ok || why == targets[k].Fails || why != "" && targets[k].Fails != "" {
				continue
			}
			if out == in {
				out = &Inward{Addrs: in.Addrs, Redirects: slices.Clone(in.Redirects)}
			}
			r := &out.Redirects[j]
			if &r.Targets[0] == &targets[0] {
				r.Targets = slices.Clone(targets)
			}
			r.Targets[k].Fails = why
		}
		if r := &out.Redirects[j]; len(targets) > 0 && &r.Targets[0] != &targets[0] {
			r.Settle(img)
		}
	}
	return out
}

// Settle sets which probed targets of a redirect are down: those whose probe
// fails, unless nobody is up and the probe asks to go on with them then.
// Builders call it when a redirect is complete.
func (r *Redirect) Settle(img *Image) {
	up := make([]bool, len(r.Targets))
	for i := range r.Targets {
		t := &r.Targets[i]
		if t.Probe != nil {
			t.Down = t.Fails
		}
		up[i] = t.Down == ""
	}
	for i := range r.Targets {
		if t := &r.Targets[i]; !up[i] && t.Probe != nil && t.Probe.AllUp && !r.upBeside(img, up, t) {
			t.Down = ""
		}
	}
}

// upBeside reports whether a target of the same balancer as t is up: of a
// global one's targets, those of t's region.
func (r *Redirect) upBeside(img *Image, up []bool, t *Target) bool {
	for i := range r.Targets {
		if up[i] && (!r.Nearest || img.regionOf(&r.Targets[i]) == img.regionOf(t)) {
			return true
		}
	}
	return false
}

// regionOf returns the region of a target's port, or None.
func (img *Image) regionOf(t *Target) RegionID {
	if t.Port == None {
		return None
	}
	return img.Ports[t.Port].Region
}
