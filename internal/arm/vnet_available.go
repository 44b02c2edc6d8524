package arm

import (
	"net/netip"

	"github.com/ceruleannet/cerulean/internal/state"
	"github.com/ceruleannet/cerulean/model"
)

// offeredAddresses is how many free addresses are offered in place of one that
// is not ("Virtual Networks - Check IP Address Availability").
const offeredAddresses = 5

// checkAddress says whether an address of a virtual network can be given to an
// interface, and offers others of its subnet if it cannot.
func checkAddress(q *question) (any, *Fault) {
	given := q.query.Get("ipAddress")
	a, err := netip.ParseAddr(given)
	if err != nil || a.Zone() != "" {
		return nil, badRequest("InvalidIPAddressFormat", "IP address %s of resource %s is not formatted correctly.", show(given), q.on.ID)
	}
	for _, subnet := range objects(q.on.Properties(), "subnets") {
		id := q.on.ID.Child("subnets", text(subnet, "name"))
		for _, p := range subnetPrefixes(object(subnet, "properties")) {
			if !p.Contains(a) {
				continue
			}
			if assignable(q.view, id, p, a) {
				return map[string]any{"available": true, "isPlatformReserved": false}, nil
			}
			offered := []any{}
			for free := p.Masked().Addr(); p.Contains(free) && len(offered) < offeredAddresses; free = free.Next() {
				if assignable(q.view, id, p, free) {
					offered = append(offered, free.String())
				}
			}
			return map[string]any{"available": false, "availableIPAddresses": offered, "isPlatformReserved": reserved(p, a)}, nil
		}
	}
	return map[string]any{"available": false, "availableIPAddresses": []any{}, "isPlatformReserved": false}, nil
}

// assignable reports whether an address of a subnet's prefix is neither reserved
// nor somebody's.
func assignable(v *state.View, subnet model.ID, p netip.Prefix, a netip.Addr) bool {
	return !reserved(p, a) && len(findExact(v, termIP+subnet.Key()+"/"+addressKey(a))) == 0
}
