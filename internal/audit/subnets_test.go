package audit

import (
	"fmt"
	"testing"
)

// A /28 has eleven addresses of its own ("Azure Virtual Network FAQ": five are
// kept).
func TestSubnets(t *testing.T) {
	for _, tt := range []struct {
		hosts int
		want  bool
	}{{8, false}, {9, true}, {11, true}} {
		n := &net{t: t}
		n.vnet("v", "10.0.0.0/24", "s 10.0.0.0/28", "t 10.0.0.16/28")
		for i := range tt.hosts {
			n.nic(fmt.Sprintf("h%d", i), "v/s", fmt.Sprintf("10.0.0.%d", 4+i))
		}
		fs := Subnets(n.resources, n.compile())
		if (len(fs) == 1) != tt.want || len(fs) > 1 || tt.want && (fs[0].Used != tt.hosts || fs[0].Limit != 11 || fs[0].Pos.Line == 0) {
			t.Errorf("%d hosts: %v", tt.hosts, lines(fs))
		}
	}
}
