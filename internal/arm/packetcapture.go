package arm

import (
	"encoding/json"
	"strings"

	"github.com/ceruleannet/cerulean/model"
)

// Limits of a packet capture ("Packet Captures - Create" of Microsoft's REST
// reference).
const (
	maxCaptureBytes   = 4294967295 // of a packet and of a session
	maxCaptureSeconds = 18000
	maxCaptureFilters = 10 // unconfirmed
)

// captureKinds are packet captures of a network watcher. The cloud holds them and
// says what became of them; it runs no machines, so none ever sees a packet.
func captureKinds() []*kind {
	return []*kind{{
		Type: typeWatcher + "/packetCaptures", Name: networkName, State: true,
		Defaults: []setting{
			{"targetType", "AzureVM"},
			{"bytesToCapturePerPacket", json.Number("0")},
			{"totalBytesPerSession", json.Number("1073741824")},
			{"timeLimitInSeconds", json.Number("18000")},
			{"filters", []any{}},
			{"filters.*.protocol", "Any"},
		},
		Refs:  []reference{ref(model.TypeVM, "properties.target")},
		Check: checkCapture,
		Verbs: []verb{
			{name: "queryStatus", body: noBody, long: true, answer: captureStatus},
			// What does not run stands still already.
			{name: "stop", body: noBody, long: true, answer: func(*question) (any, *Fault) { return map[string]any{}, nil }},
		},
	}}
}

func checkCapture(c *change) *Fault {
	p := c.props()
	if text(p, "target") == "" {
		return invalidProperty(c.id, "properties.target", p["target"], "a packet capture needs a virtual machine")
	}
	if f := oneOf(c.id, "properties.targetType", p["targetType"], "AzureVM"); f != nil {
		return f
	}
	where := object(p, "storageLocation")
	if text(where, "storageId") == "" && text(where, "filePath") == "" && text(where, "localPath") == "" {
		return invalidProperty(c.id, "properties.storageLocation", p["storageLocation"], "a packet capture needs storageId, filePath or localPath")
	}
	for name, most := range map[string]int{
		"bytesToCapturePerPacket": maxCaptureBytes, "totalBytesPerSession": maxCaptureBytes, "timeLimitInSeconds": maxCaptureSeconds,
	} {
		if n, ok := whole(p[name]); !ok || n < 0 || n > most {
			return invalidProperty(c.id, "properties."+name, p[name], "it must be a whole number in the allowed range")
		}
	}
	filters := objects(p, "filters")
	if len(filters) > maxCaptureFilters {
		return invalidProperty(c.id, "properties.filters", len(filters), "there are too many")
	}
	for _, o := range filters {
		if f := oneOf(c.id, "properties.filters.protocol", o["protocol"], "TCP", "UDP", "Any"); f != nil {
			return f
		}
	}
	return c.checkCaptureRegion(text(p, "target"))
}

// checkCaptureRegion refuses machines of another region than the watcher's.
func (c *change) checkCaptureRegion(target string) *Fault {
	id, err := model.ParseID(target)
	if err != nil {
		return invalidReference(c.id, target)
	}
	machine, ok := c.tx.Get(id)
	watcher, there := c.tx.Get(c.id.Parent())
	if !ok || !there || !strings.EqualFold(machine.Resource.Location(), watcher.Resource.Location()) {
		return invalidReference(c.id, target)
	}
	return nil
}

// captureStatus answers "Packet Captures - Get Status".
func captureStatus(q *question) (any, *Fault) {
	return map[string]any{
		"id": q.on.ID.String(), "name": q.on.ID.Name(), "packetCaptureStatus": "Error",
		"packetCaptureError": []any{"AgentStopped"},
		"stopReason": "No agent answers in virtual machine " + text(q.on.Properties(), "target") +
			": this cloud holds the network and runs no machines. A network that 'cerulean up' runs is recorded by 'cerulean capture'.",
	}, nil
}
