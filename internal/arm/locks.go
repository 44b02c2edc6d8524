package arm

import (
	"net/http"
	"slices"
	"strings"

	"github.com/ceruleannet/cerulean/model"
)

// typeLock is the type of management locks ("Lock your resources to protect your
// infrastructure").
const typeLock = "Microsoft.Authorization/locks"

// Levels of locks.
const (
	lockDelete   = "CanNotDelete"
	lockReadOnly = "ReadOnly"
)

// lockKinds are locks, of subscriptions, resource groups and resources.
func lockKinds() []*kind {
	return []*kind{{
		Type: typeLock, Place: inSubscription | inGroup | onResource, Name: policyName, Sync: true, SyncDelete: true, SystemData: true, NoEtag: true,
		SinceHead: []since{{"systemData", "2020-05-01"}}, // 2016-09-01 was recorded without
		Check: func(c *change) *Fault {
			return oneOf(c.id, "properties.level", c.props()["level"], lockDelete, lockReadOnly)
		},
	}}
}

// checkLocks refuses a request that changes something locked. A lock holds for
// what it is on and everything below; nothing is deleted above a lock either. A
// read-only lock refuses actions, too. Locks themselves are not locked.
func (c *call) checkLocks(id model.ID) *Fault {
	deletion := c.r.Method == http.MethodDelete
	if c.r.Method == http.MethodGet || c.r.Method == http.MethodHead || id.Is(typeLock) {
		return nil
	}
	at := id.Key() + "/"
	var scopes []string
	for _, e := range findExact(c.s.store.View(), termType+strings.ToLower(typeLock)) {
		level := text(e.Resource.Properties(), "level")
		scope := e.Resource.ID.Parent()
		below := strings.HasPrefix(at, scope.Key()+"/")
		above := deletion && strings.HasPrefix(scope.Key()+"/", at)
		if (below || above) && (deletion || strings.EqualFold(level, lockReadOnly)) {
			scopes = append(scopes, "'"+scope.String()+"'")
		}
	}
	if len(scopes) == 0 {
		return nil
	}
	operation := "write"
	if deletion {
		operation = "delete"
	}
	slices.Sort(scopes)
	return fault(http.StatusConflict, "ScopeLocked",
		"The scope '%s' cannot perform %s operation because following scope(s) are locked: %s. Please remove the lock and try again.",
		id, operation, strings.Join(slices.Compact(scopes), ","))
}
