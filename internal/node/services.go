package node

import (
	"fmt"
	"time"

	"github.com/ceruleannet/cerulean/internal/arm"
	"github.com/ceruleannet/cerulean/internal/live"
	"github.com/ceruleannet/cerulean/internal/paas"
	"github.com/ceruleannet/cerulean/model"
)

// services are the platform's services of a network whose resources a cloud
// holds: its data planes, filled with what was declared, and the roles of its
// hosts.
func services(cloud *arm.Server, n *model.Network) (live.Services, error) {
	for i := range n.Access {
		a := &n.Access[i]
		if err := cloud.Grant(a.VM, a.Role, a.Scope); err != nil {
			return nil, fmt.Errorf("%s: role of host %s: %w", a.Pos, a.Host, err)
		}
	}
	planes := paas.New(cloud.DataPlane(), time.Now, paas.Limits{})
	if err := planes.Fill(n.Contents); err != nil {
		return nil, err
	}
	return planes, nil
}

// services are those of the system's cloud, nil if another process serves that.
func (s *System) services() (live.Services, error) {
	if s.Cloud.server == nil {
		return nil, nil
	}
	return services(s.Cloud.server, s.Design.Network())
}
