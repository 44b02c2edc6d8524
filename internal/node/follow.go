package node

import (
	"time"

	"github.com/ceruleannet/cerulean/internal/fabric/compile"
	"github.com/ceruleannet/cerulean/model"
)

// followRest is how long a network waits after a change of its cloud: changes
// come together.
const followRest = 50 * time.Millisecond

// follow keeps the running network what its cloud holds: what Terraform, az or
// another client changes there comes into force, images first and then what
// application gateways do. It ends with the system.
func (s *System) follow() {
	if s.Cloud.server == nil {
		return // another process serves it
	}
	changed := s.Cloud.server.Superseded()
	s.following.Go(func() {
		rest := time.NewTimer(0)
		defer rest.Stop()
		<-rest.C
		for {
			select {
			case <-s.running.Done():
				return
			case <-changed:
			}
			rest.Reset(followRest)
			select {
			case <-s.running.Done():
				return
			case <-rest.C:
			}
			changed = s.Cloud.server.Superseded()
			s.followed(placed(s.Cloud.Snapshot(), s.Design.Network().Resources))
		}
	})
}

// followed puts resources of the cloud into force. Those that cannot be compiled
// change nothing: the cloud's clients hear of what is wrong from it.
func (s *System) followed(resources []*model.Resource) {
	if s.databases != nil {
		s.databases.Follow(resources)
	}
	img, err := compile.Compile(resources, compile.Options{Internet: s.Design.Network().Internet})
	if err != nil {
		return
	}
	if img.Digest() != s.Net.Declared().Digest() {
		img.Epoch = s.Net.Declared().Epoch + 1
		s.Net.Swap(img)
	}
	s.followManagers(resources)
	_ = s.gateways.follow(resources) // each says itself what is wrong
	_ = s.doors.follow(resources)
}

// placed returns resources with the places of the declared ones of their IDs.
func placed(resources, declared []*model.Resource) []*model.Resource {
	at := make(map[string]*model.Resource, len(declared))
	for _, r := range declared {
		at[r.ID.Key()] = r
	}
	out := make([]*model.Resource, len(resources))
	for i, r := range resources {
		out[i] = r
		if d := at[r.ID.Key()]; d != nil {
			c := *r
			c.Pos, c.At = d.Pos, d.At
			out[i] = &c
		}
	}
	return out
}
