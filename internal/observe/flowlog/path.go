package flowlog

import (
	"fmt"
	"strings"
	"time"

	"github.com/ceruleannet/cerulean/model"
)

// container is the blob container of virtual network flow logs.
const container = "insights-logs-flowlogflowevent"

// path returns the path of an interface's file of one hour, as Azure's blobs
// are named:
//
//	insights-logs-flowlogflowevent/flowLogResourceID=/SUBSCRIPTION_GROUP/WATCHER_NAME/
//	y=2026/m=11/d=21/h=14/m=00/macAddress=000D3A123456/PT1H.json
//
// That group, watcher and name are in upper case is taken from examples.
func path(id model.ID, mac string, at time.Time) string {
	at = at.UTC()
	return fmt.Sprintf("%s/flowLogResourceID=/%s_%s/%s_%s/y=%04d/m=%02d/d=%02d/h=%02d/m=00/macAddress=%s/PT1H.json",
		container, plain(id.Subscription()), plain(strings.ToUpper(id.ResourceGroup())),
		plain(strings.ToUpper(id.Parent().Name())), plain(strings.ToUpper(id.Name())),
		at.Year(), at.Month(), at.Day(), at.Hour(), plain(mac))
}

// plain makes sure that a name is one element of a path.
func plain(name string) string {
	name = strings.Map(func(r rune) rune {
		if r < ' ' || strings.ContainsRune(`/\:*?"<>|`, r) {
			return '_'
		}
		return r
	}, name)
	if strings.Trim(name, ".") == "" {
		return "_"
	}
	return name
}
