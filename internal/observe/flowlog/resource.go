package flowlog

import (
	"fmt"
	"strings"

	"github.com/google/uuid"

	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/model"
)

// Type is the resource type of flow logs.
const Type = "Microsoft.Network/networkWatchers/flowLogs"

// Resource is a flow log: which flows are written, and in whose name.
type Resource struct {
	ID       model.ID
	GUID     string
	Target   string // resource ID of a virtual network, subnet or network interface
	Storage  string // name of the storage account; "" for none
	Criteria Criteria
	States   []State // empty means all
}

// view is the part of the document that matters (FlowLogPropertiesFormat).
type view struct {
	Properties struct {
		Target       string `json:"targetResourceId"`
		Storage      string `json:"storageId"`
		Enabled      *bool  `json:"enabled"`
		Criteria     string `json:"enabledFilteringCriteria"`
		RecordTypes  string `json:"recordTypes"`
		ResourceGUID string `json:"resourceGuid"`
	} `json:"properties"`
}

// ReadResources reads the flow logs among resources that are enabled. A flow
// log that cannot be honoured is a problem with its place.
func ReadResources(resources []*model.Resource) ([]Resource, error) {
	var out []Resource
	var problems model.Problems
	for _, r := range resources {
		if !r.ID.Is(Type) {
			continue
		}
		var v view
		if err := r.Decode(&v); err != nil {
			problems = append(problems, model.Problem{Pos: r.Pos, Resource: r.ID.String(), What: err.Error()})
			continue
		}
		p := v.Properties
		if p.Enabled != nil && !*p.Enabled {
			continue
		}
		x := Resource{ID: r.ID, GUID: GUID(r), Target: p.Target, Storage: strings.ToLower(p.Storage[strings.LastIndexByte(p.Storage, '/')+1:])}
		bad := func(property string, err error) {
			problems = append(problems, model.Problem{Pos: r.PosOf("/properties/" + property), Resource: r.ID.String(), What: fmt.Sprintf("flow log %s: %v", r.ID.Name(), err)})
		}
		target, err := model.ParseID(p.Target)
		if err != nil {
			bad("targetResourceId", err)
		} else if !target.Is(model.TypeVirtualNetwork) && !target.Is(model.TypeSubnet) && !target.Is(model.TypeNIC) {
			bad("targetResourceId", fmt.Errorf("the target %s is no virtual network, subnet or network interface; flow logs of network security groups are retired", p.Target))
		}
		if x.Criteria, err = ParseCriteria(p.Criteria); err != nil {
			bad("enabledFilteringCriteria", err)
		}
		if x.States, err = parseStates(p.RecordTypes); err != nil {
			bad("recordTypes", err)
		}
		out = append(out, x)
	}
	return out, problems.Err()
}

// parseStates reads recordTypes: "B,E", for example.
func parseStates(text string) ([]State, error) {
	var out []State
	for word := range strings.SplitSeq(text, ",") {
		switch word = strings.ToUpper(strings.TrimSpace(word)); {
		case word == "":
		case len(word) == 1 && strings.Contains("BCED", word):
			out = append(out, State(word[0]))
		default:
			return nil, fmt.Errorf("%q is no type of record: there are B, C, E and D", word)
		}
	}
	return out, nil
}

// GUID returns the GUID of a resource: what the cloud gave it, else one made of
// its ID, which stays the same from run to run.
func GUID(r *model.Resource) string {
	if s, ok := r.Properties()["resourceGuid"].(string); ok && s != "" {
		return s
	}
	return guidOf(r.ID.String())
}

func guidOf(id string) string {
	return uuid.NewSHA1(uuid.NameSpaceURL, []byte(strings.ToLower(id))).String()
}

// Defaults returns a flow log for each virtual network of an image, named as the
// Azure portal names them: what is written where nothing is declared.
func Defaults(img *fabric.Image) ([]Resource, error) {
	var out []Resource
	for i := range img.Spaces {
		s := &img.Spaces[i]
		vnet, err := model.ParseID(s.Origin.Resource)
		if err != nil || !vnet.Is(model.TypeVirtualNetwork) {
			continue // the space of a site or a service
		}
		region := "global"
		if s.Region >= 0 && int(s.Region) < len(img.Regions) {
			region = img.Regions[s.Region]
		}
		id, err := model.ParseID(fmt.Sprintf("/subscriptions/%s/resourceGroups/NetworkWatcherRG/providers/Microsoft.Network/networkWatchers/NetworkWatcher_%s/flowLogs/%s-%s-flowlog",
			vnet.Subscription(), region, vnet.Name(), vnet.ResourceGroup()))
		if err != nil {
			return nil, err
		}
		out = append(out, Resource{ID: id, GUID: guidOf(id.String()), Target: s.Origin.Resource})
	}
	return out, nil
}

// covers reports whether the flow log's target is a port's network interface,
// its subnet or its virtual network.
func (r *Resource) covers(img *fabric.Image, at fabric.PortID) bool {
	p := &img.Ports[at]
	same := func(o fabric.Origin) bool { return strings.EqualFold(o.Resource, r.Target) }
	return same(p.Origin) || p.Segment >= 0 && same(img.Segments[p.Segment].Origin) || p.Space >= 0 && same(img.Spaces[p.Space].Origin)
}

func (r *Resource) wants(s State) bool {
	if len(r.States) == 0 {
		return true
	}
	for _, x := range r.States {
		if x == s {
			return true
		}
	}
	return false
}
