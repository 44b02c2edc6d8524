package audit

import (
	"testing"

	"github.com/ceruleannet/cerulean/model"
)

func TestUnattached(t *testing.T) {
	used, idle := testGroup.Resource(model.TypeNSG, "used"), testGroup.Resource(model.TypeRouteTable, "idle")
	fs := Unattached([]*model.Resource{
		resource(t, used, `{"id":"`+used.String()+`"}`),
		resource(t, idle, `{"id":"`+idle.String()+`"}`),
		resource(t, testGroup.Resource(model.TypeVirtualNetwork, "v"), `{"properties":{"subnets":[{"properties":{"networkSecurityGroup":{"id":"`+used.String()+`"}}}]}}`),
	})
	if len(fs) != 1 || fs[0].Resource != idle.String() || fs[0].Rule != RuleUnattached {
		t.Errorf("got %+v, want only %s", fs, idle)
	}
}
