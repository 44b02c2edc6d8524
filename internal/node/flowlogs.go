package node

import (
	"errors"
	"strings"

	"github.com/ceruleannet/cerulean/internal/observe/flowlog"
	"github.com/ceruleannet/cerulean/model"
)

// recordFlows writes flow logs below a folder: those that the network declares,
// or, if it declares none, one for each virtual network. Flows are told by the
// system's feed from now on; the recorder runs once the network does.
func (s *System) recordFlows(dir string) error {
	snapshot := s.Cloud.Snapshot()
	// The declared resources have places, the cloud's have GUIDs and MAC
	// addresses.
	resources, err := flowlog.ReadResources(s.Design.Network().Resources)
	if err != nil {
		return err
	}
	names := flowlog.Names{MAC: map[string]string{}, GUID: map[string]string{}}
	for _, r := range snapshot {
		key := strings.ToLower(r.ID.String())
		names.GUID[key] = flowlog.GUID(r)
		if mac, _ := r.Properties()["macAddress"].(string); r.ID.Is(model.TypeNIC) && mac != "" {
			names.MAC[key] = mac
		}
	}
	for i := range resources {
		if guid := names.GUID[strings.ToLower(resources[i].ID.String())]; guid != "" {
			resources[i].GUID = guid
		}
	}
	if len(resources) == 0 {
		if resources, err = flowlog.Defaults(s.Design.Image); err != nil {
			return err
		}
	}
	if len(resources) == 0 {
		return errors.New("flow logs: the network has no virtual network to log")
	}
	store, err := flowlog.NewStore(dir)
	if err != nil {
		return err
	}
	s.recorder = flowlog.NewRecorder(flowlog.New(resources, names), store)
	s.feed.Add(s.recorder)
	return nil
}
