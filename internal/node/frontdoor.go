package node

import (
	"context"
	"fmt"
	"time"

	"github.com/ceruleannet/cerulean/internal/traffic/frontdoor"
)

// RunFrontDoor runs the front door of a file until the context ends. Ready hears
// where its edges listen, event what changes.
func RunFrontDoor(ctx context.Context, file string, drain time.Duration, ready func([]string), event func(string)) error {
	c, err := frontdoor.ReadFile(file)
	if err != nil {
		return err
	}
	s, err := frontdoor.Start(c, frontdoor.Options{OnHealth: func(h frontdoor.Health) {
		state := "healthy"
		if !h.Healthy {
			state = "unhealthy"
		}
		event(fmt.Sprintf("edge %s: origin %s of %s is %s: %s", h.Edge, h.Origin, h.Group, state, h.Said))
	}})
	if err != nil {
		return err
	}
	defer s.Close(drain)
	var at []string
	for i, a := range s.Addresses() {
		at = append(at, fmt.Sprintf("%s (%s, %s)", a, c.Edges[i].Name, c.Edges[i].Region))
	}
	ready(at)
	<-ctx.Done()
	return nil
}

// CheckFrontDoor reads the file of a front door and reports everything wrong with
// it.
func CheckFrontDoor(file string) (edges, routes int, err error) {
	c, err := frontdoor.ReadFile(file)
	if err != nil {
		return 0, 0, err
	}
	return len(c.Edges), len(c.Routes), nil
}

// NearestEdge says which edge of a file's front door a client in a region reaches.
func NearestEdge(file, region string) (edge, in string, rtt time.Duration, err error) {
	c, err := frontdoor.ReadFile(file)
	if err != nil {
		return "", "", 0, err
	}
	e, rtt, ok := c.Nearest(region)
	if !ok {
		return "", "", 0, fmt.Errorf("no region %q", region)
	}
	return e.Name, e.Region, rtt, nil
}
