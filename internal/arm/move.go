package arm

import (
	"net/http"
	"strings"

	"github.com/ceruleannet/cerulean/internal/state"
	"github.com/ceruleannet/cerulean/model"
	"github.com/ceruleannet/cerulean/model/wire"
)

// Error codes of moves ("Troubleshoot moving Azure resources").
const (
	codeMoveFailed   = "ResourceMoveFailed"
	codeMoveProvider = "ResourceMoveProviderValidationFailed"
	codeMoveNowhere  = "MissingTargetResourceGroup" // unconfirmed
	codeMoveNothing  = "MissingMoveResources"       // unconfirmed
	codeMovePeered   = "CannotMovePeeredNetwork"    // unconfirmed
	codeMoveType     = "MoveNotSupported"           // unconfirmed
)

// maxMove is how many resources one request moves ("Move Azure resources to a new
// resource group or subscription").
const maxMove = 800

// move is one request to move resources.
type move struct {
	from, to model.ID // resource groups
	ids      []model.ID
	renamed  map[string]string // keys of what is moved: its new ID
}

// moveResources answers "Resources - Move Resources" and, if only is set,
// "Resources - Validate Move Resources".
func (c *call) moveResources(group string, only bool) *Fault {
	if c.r.Method != http.MethodPost {
		return methodNotAllowed(c.r.Method, http.MethodPost)
	}
	body, f := readBody(c.w, c.r)
	if f != nil {
		return f
	}
	m, f := c.readMove(group, body)
	if f != nil {
		return f
	}
	operation := "moveResources/action"
	if only {
		operation = "validateMoveResources/action"
	}
	if f := c.permitAction(typeGroupAction+"/"+operation, m.from); f != nil {
		return f
	}
	if f := c.permitAction(typeGroupAction+"/write", m.to); f != nil {
		return f
	}
	for _, id := range append([]model.ID{m.to}, m.ids...) {
		if f := c.checkLocks(id); f != nil {
			return f
		}
	}
	if only {
		if f := c.checkMove(c.s.store.View(), m); f != nil {
			return f
		}
	} else if f := c.update(func(tx *state.Tx) *Fault {
		if f := c.checkMove(tx.View, m); f != nil {
			return f
		}
		return m.do(tx)
	}); f != nil {
		return f
	}
	takes := c.s.takes(model.TypeResourceGroup, timedChange)
	h := c.w.Header()
	h.Set("Location", c.base+"/subscriptions/"+c.subscription+"/operationresults/"+c.s.operations.name(operationAbsent, c.s.now().Add(takes))+"?api-version="+c.version)
	h.Set("Retry-After", seconds(min(takes, longestPoll)))
	c.w.WriteHeader(http.StatusAccepted)
	return nil
}

func (c *call) readMove(group string, body map[string]any) (*move, *Fault) {
	m := &move{from: model.GroupID(c.subscription, group)}
	to, err := model.ParseID(text(body, "targetResourceGroup"))
	if err != nil || !to.Is(model.TypeResourceGroup) {
		return nil, badRequest(codeMoveNowhere, "The targetResourceGroup %s is not the ID of a resource group.", show(body["targetResourceGroup"]))
	}
	m.to = to
	list, f := stringList(m.from, body, "resources", "")
	switch {
	case f != nil:
		return nil, f
	case len(list) == 0:
		return nil, badRequest(codeMoveNothing, "The request names no resources to move.")
	case len(list) > maxMove:
		return nil, badRequest("InvalidRequestContent", "The request moves %d resources; at most %d are allowed.", len(list), maxMove)
	case !strings.EqualFold(to.Subscription(), c.subscription):
		return nil, badRequest(codeMoveType, "Resources cannot be moved from subscription '%s' to subscription '%s' here.", c.subscription, to.Subscription())
	case to.Equal(m.from):
		return nil, badRequest(codeMoveNowhere, "The resources are in resource group '%s' already.", to.Name())
	}
	for _, s := range list {
		id, err := model.ParseID(s)
		if err != nil || !id.Parent().Equal(m.from) {
			return nil, badRequest("InvalidRequestContent", "The resource %s is not a top-level resource of resource group '%s'.", show(s), m.from.Name())
		}
		m.ids = append(m.ids, id)
	}
	return m, nil
}

// checkMove finds what is moved, and refuses what cannot be.
func (c *call) checkMove(v *state.View, m *move) *Fault {
	for _, at := range []*model.ID{&m.from, &m.to} {
		e, ok := v.Get(*at)
		if !ok {
			return notFound(*at, false)
		}
		*at = e.Resource.ID
	}
	m.renamed = map[string]string{}
	var details []wire.Error
	for _, id := range m.ids {
		e, ok := v.Get(id)
		if !ok {
			return notFound(id, false)
		}
		k := c.s.kinds[strings.ToLower(id.Type())]
		target := m.to.Resource(e.Resource.Type(), e.Resource.ID.Name())
		refuse := func(code, why string) {
			details = append(details, wire.Error{Code: code, Target: e.Resource.ID.String(), Message: "Resource " + e.Resource.ID.String() + " cannot be moved: " + why})
		}
		switch {
		case k == nil || !k.tracked() || k.Fixed:
			refuse(codeMoveType, "resources of type '"+id.Type()+"' do not move.")
		case has(v, target):
			refuse("ResourceAlreadyExists", "resource group '"+m.to.Name()+"' has one of that name.")
		case id.Is(model.TypeVirtualNetwork) && len(objects(e.Resource.Properties(), "virtualNetworkPeerings")) > 0:
			refuse(codeMovePeered, "delete its peerings first.")
		}
		m.renamed[id.Key()] = target.String()
	}
	if len(details) == 0 {
		return nil
	}
	f := fault(http.StatusConflict, codeMoveProvider, "Resource move validation failed. Please see details. Diagnostic information: subscription id '%s', request correlation id '%s'.", c.subscription, c.request)
	f.Err.Details = details
	return f
}

// do moves the resources, with what is below them, and corrects what refers to
// them. Role assignments on them are not moved.
func (m *move) do(tx *state.Tx) *Fault {
	for _, r := range tx.Snapshot() {
		at := m.rename(r.ID.String())
		moved := at != r.ID.String()
		if !moved && !m.differs(r.Doc) {
			continue
		}
		doc, _ := m.renameIn(r.Doc).(map[string]any)
		if moved {
			tx.Delete(r.ID)
		}
		if moved && r.ID.Is(typeRoleAssignment) {
			continue
		}
		if doc["etag"] != nil {
			doc["etag"] = newEtag()
		}
		if err := tx.Put(&model.Resource{ID: model.MustParseID(at), Doc: doc}); err != nil {
			return badRequest(codeMoveFailed, "The resources cannot be moved: %v.", err)
		}
	}
	return nil
}

// rename returns an ID as it is after the move.
func (m *move) rename(s string) string {
	if !strings.HasPrefix(s, "/") {
		return s
	}
	lower := strings.ToLower(s)
	for end := len(s); end > 0; end = strings.LastIndexByte(lower[:end], '/') {
		if to, ok := m.renamed[lower[:end]]; ok {
			return to + s[end:]
		}
	}
	return s
}

// renameIn returns a copy of a JSON value with the IDs as they are after the
// move.
func (m *move) renameIn(v any) any {
	switch v := v.(type) {
	case string:
		return m.rename(v)
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = m.renameIn(e)
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(v))
		for name, e := range v {
			out[name] = m.renameIn(e)
		}
		return out
	default:
		return v
	}
}

// differs reports whether a JSON value has an ID that the move changes.
func (m *move) differs(v any) bool {
	switch v := v.(type) {
	case string:
		return m.rename(v) != v
	case []any:
		for _, e := range v {
			if m.differs(e) {
				return true
			}
		}
	case map[string]any:
		for _, e := range v {
			if m.differs(e) {
				return true
			}
		}
	}
	return false
}
