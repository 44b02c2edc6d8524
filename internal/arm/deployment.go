package arm

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/ceruleannet/cerulean/internal/state"
	"github.com/ceruleannet/cerulean/internal/template"
	"github.com/ceruleannet/cerulean/model"
	"github.com/ceruleannet/cerulean/model/wire"
	"github.com/google/uuid"
)

const (
	typeDeployment       = "Microsoft.Resources/deployments"
	typeDeploymentStep   = typeDeployment + "/operations"
	typeDeploymentStatus = typeDeployment + "/operationStatuses"
)

// States of a deployment that end it, and the one before.
const (
	stateRunning   = "Running"
	stateSucceeded = "Succeeded"
	stateFailed    = "Failed"
	stateCanceled  = "Canceled"
)

// Error codes of deployments ("Troubleshoot common Azure deployment errors").
const (
	codeInvalidDeployment  = "InvalidTemplateDeployment"
	codeDeploymentFailed   = "DeploymentFailed"
	codeDeploymentActive   = "DeploymentActive"
	codeResourceFailure    = "ResourceDeploymentFailure"
	codeNestedMode         = "InvalidNestedDeploymentMode"         // unconfirmed
	codeNestedDepth        = "NestedDeploymentDepth"               // unconfirmed
	codeDeploymentStopped  = "DeploymentInterrupted"               // ours: Azure's does not stop
	codeDeploymentNoCancel = "DeploymentCannotBeCancelled"         // unconfirmed
	codeDeploymentRunning  = "DeploymentIsActive"                  // unconfirmed
	codeDeploymentTemplate = "DeploymentTemplateNotFound"          // unconfirmed
	codeDeploymentLink     = "TemplateLinkNotSupported"            // ours
	codeDeploymentCanceled = "DeploymentCancelled"                 // unconfirmed
	codeParameterFile      = "InvalidTemplateDeploymentParameters" // unconfirmed
)

var deploymentName = regexp.MustCompile(`^[-\w.()]{1,64}$`)

// deploymentKinds are deployments of templates ("Deployments" in the reference
// of the Resource Manager's API). A deployment writes its resources as a client
// does, with the caller's rights; its document says what became of them.
func deploymentKinds() []*kind {
	return []*kind{
		{
			Type: typeDeployment, Place: inGroup | inSubscription, Name: deploymentName, NoEtag: true, Untracked: true,
			Write: (*call).deploy, Hold: holdDeployment, Show: showDeployment,
			Verbs: []verb{
				{name: "validate", absent: true, act: (*call).validateDeployment},
				{name: "whatIf", absent: true, act: (*call).whatIf},
				{name: "cancel", act: (*call).cancelDeployment},
				{name: "exportTemplate", answer: exportDeployment},
				{name: "operations", get: true, answer: deploymentSteps},
			},
		},
		{Type: typeDeploymentStep, Name: deploymentName, ReadOnly: true, NoEtag: true, Read: (*call).deploymentStep},
		{Type: typeDeploymentStatus, Name: deploymentName, ReadOnly: true, NoEtag: true, Read: (*call).deploymentStatusOf},
	}
}

// What a deployment's document keeps beside what is shown.
const (
	keptTemplate = "template"
	keptSteps    = "operations"
)

// showDeployment leaves out what is kept beside, and parameters and outputs if
// the template has no such section (Azure/azure-cli recordings).
func showDeployment(_ *reading, p map[string]any) {
	template := object(p, keptTemplate)
	delete(p, keptTemplate)
	delete(p, keptSteps)
	delete(p, keptRequest)
	for _, name := range []string{"parameters", "outputs"} {
		values, ok := p[name].(map[string]any)
		switch {
		case !ok:
		case len(values) == 0 && template[name] == nil:
			delete(p, name)
		default:
			shown := make(map[string]any, len(values))
			for k, v := range values {
				shown[camelCase(k)] = v
			}
			p[name] = shown
		}
	}
}

// camelCase is a name of a template's parameter or output as Resource Manager
// tells it back: NewNSG is newNSG (Azure/azure-cli recordings). That of several
// capitals all but the last one change, as in NSGName, is unconfirmed.
func camelCase(name string) string {
	b := []byte(name)
	upper := func(i int) bool { return i < len(b) && b[i] >= 'A' && b[i] <= 'Z' }
	for i := range b {
		if !upper(i) || i > 0 && i+1 < len(b) && !upper(i+1) {
			break
		}
		b[i] += 'a' - 'A'
	}
	return string(b)
}

func holdDeployment(id model.ID, doc map[string]any, deletion bool) *Fault {
	if deletion && text(object(doc, "properties"), "provisioningState") == stateRunning {
		return fault(http.StatusConflict, codeDeploymentRunning, "The deployment '%s' is running; cancel it before it is deleted.", id)
	}
	return nil
}

// rollout is a deployment that was asked for: read, checked and expanded.
type rollout struct {
	id       model.ID // of the deployment
	scope    model.ID // what is deployed to
	location string
	tags     any
	mode     string
	// resultFormat is how whole the answer of what-if is.
	resultFormat string
	template     map[string]any
	hash         string
	plan         *template.Deployment
	depth        int
	sent         []byte // the request's body
	origin       origin
}

// templateFault is the refusal of a template, with its place as Azure has it in
// "additionalInfo".
type templateFault struct{ err *template.Error }

// write answers with the error and its place.
func (f templateFault) write(w http.ResponseWriter) {
	b, err := json.Marshal(map[string]any{"error": map[string]any{
		"code":    f.err.Code,
		"message": f.message(),
		"additionalInfo": []any{map[string]any{
			"type": "TemplateViolation",
			"info": map[string]any{"lineNumber": f.err.Pos.Line, "linePosition": f.err.Pos.Column, "path": f.err.Path},
		}},
	}})
	if err != nil { // strings always encode
		b = []byte(`{"error":{"code":"InvalidTemplate"}}`)
	}
	w.Header().Set("X-Ms-Error-Code", f.err.Code)
	writeBytes(w, http.StatusBadRequest, b)
}

func (f templateFault) message() string {
	at := ""
	if f.err.Path != "" {
		at = fmt.Sprintf(" at '%s'", f.err.Path)
	}
	if f.err.Pos.Line > 0 {
		at += fmt.Sprintf(", line '%d' and column '%d'", f.err.Pos.Line, f.err.Pos.Column)
	}
	return fmt.Sprintf("Deployment template validation failed: '%s'%s.", strings.TrimSuffix(f.err.Message, "."), at)
}

// asFault makes a fault of an error of the template or of what it refers to.
func asFault(err error) *Fault {
	var f *Fault
	if errors.As(err, &f) {
		return f
	}
	var t *template.Error
	if errors.As(err, &t) {
		return badRequest(t.Code, "%s", templateFault{t}.message())
	}
	return badRequest(template.ValidationFailed, "Deployment template validation failed: '%v'.", err)
}

// readRollout reads the body of a deployment. ok is false if the answer was
// written already.
func (c *call) readRollout(id model.ID) (ro *rollout, ok bool, f *Fault) {
	sent, err := io.ReadAll(http.MaxBytesReader(c.w, c.r.Body, maxBody))
	if err != nil {
		return nil, false, fault(http.StatusRequestEntityTooLarge, "RequestContentTooLarge", "The request content size exceeds the maximum size of %d bytes.", maxBody)
	}
	raw := template.Strict(sent)
	c.r.Body = io.NopCloser(bytes.NewReader(raw))
	body, f := readBody(c.w, c.r)
	if f != nil {
		return nil, false, f
	}
	ro = &rollout{depth: depthOf(c.r.Context()), tags: body["tags"], sent: sent, origin: c.origin()}
	c.s.placed(c, ro, id)
	if ro.depth > maxNestedDeployments {
		return nil, false, badRequest(codeNestedDepth, "Deployments are nested more than %d deep.", maxNestedDeployments)
	}
	group, f := c.groupOf(ro, body)
	if f != nil {
		return nil, false, f
	}
	p, isObject := body["properties"].(map[string]any)
	if !isObject {
		return nil, false, badRequest("InvalidRequestContent", "The request content was invalid and could not be deserialized: 'Required property 'properties' not found in JSON.'")
	}
	if f := ro.readMode(p); f != nil {
		return nil, false, f
	}
	ro.resultFormat = text(object(p, "whatIfSettings"), "resultFormat")
	ro.template, isObject = p["template"].(map[string]any)
	switch {
	case p["templateLink"] != nil || p["parametersLink"] != nil:
		return nil, false, badRequest(codeDeploymentLink, "Linked templates and parameters are not fetched: send them as properties.template and properties.parameters.")
	case !isObject:
		return nil, false, badRequest(template.InvalidTemplate, "Deployment template validation failed: 'properties.template must be a template'.")
	}
	var typed struct {
		Properties struct{ Template json.RawMessage }
	}
	if err := json.Unmarshal(raw, &typed); err != nil {
		return nil, false, badRequest("InvalidRequestContent", "The request content was invalid and could not be deserialized: '%v'.", err)
	}
	minified, err := json.Marshal(ro.template) // names in order, as templateHash has them
	if err != nil {
		return nil, false, badRequest("InvalidRequestContent", "The request content was invalid and could not be deserialized: '%v'.", err)
	}
	ro.hash = hashOfTemplate(minified)
	err = ro.expand(c, typed.Properties.Template, p, group)
	var wrong *template.Error
	switch {
	case errors.As(err, &wrong):
		templateFault{wrong}.write(c.w)
		return nil, false, nil
	case err != nil:
		return nil, false, asFault(err)
	}
	return ro, true, ro.preflight(c)
}

// placed gives a rollout its ID and scope in their stored spelling.
func (s *Server) placed(c *call, ro *rollout, id model.ID) {
	ro.scope = model.SubscriptionID(c.subscription)
	if g := id.ResourceGroup(); g != "" {
		ro.scope = model.GroupID(c.subscription, g)
		if e, ok := s.store.View().Get(ro.scope); ok {
			ro.scope = e.Resource.ID
		}
	}
	ro.id = ro.scope.Resource(typeDeployment, id.Name())
}

// groupOf returns the resource group that is deployed to; at a subscription it
// reads the deployment's location.
func (c *call) groupOf(ro *rollout, body map[string]any) (*model.Resource, *Fault) {
	if ro.scope.ResourceGroup() == "" {
		ro.location = model.NormalizeLocation(text(body, "location"))
		if ro.location == "" {
			return nil, badRequest("LocationRequired", "The location property is required for a deployment to a subscription.")
		}
		return nil, nil
	}
	if body["location"] != nil {
		return nil, badRequest("InvalidDeployment", "The 'location' property is not allowed for '%s' at resource group scope. Please see https://aka.ms/deploy-to-subscription for usage details.", ro.id.Name())
	}
	e, ok := c.s.store.View().Get(ro.scope)
	if !ok {
		return nil, notFound(ro.scope, false)
	}
	return e.Resource, nil
}

func (ro *rollout) readMode(p map[string]any) *Fault {
	switch mode := text(p, "mode"); {
	case strings.EqualFold(mode, "Incremental"):
		ro.mode = "Incremental"
	case strings.EqualFold(mode, "Complete"):
		ro.mode = "Complete"
	default:
		return badRequest("InvalidDeployment", "The deployment mode %s is not supported: it must be 'Incremental' or 'Complete'.", show(p["mode"]))
	}
	if ro.mode == "Complete" && ro.depth > 0 {
		return badRequest(codeNestedMode, "The nested deployment '%s' has the mode 'Complete'. Only deployments that are not nested may have it.", ro.id.Name())
	}
	if ro.mode == "Complete" && ro.scope.ResourceGroup() == "" {
		return badRequest("InvalidDeployment", "The mode 'Complete' is only possible for deployments to a resource group.")
	}
	return nil
}

// expand reads the template and evaluates it as far as that is possible now.
func (ro *rollout) expand(c *call, text []byte, p map[string]any, group *model.Resource) error {
	t, err := template.Parse(text, "")
	if err != nil {
		return err
	}
	given, isObject := p["parameters"].(map[string]any)
	if !isObject && p["parameters"] != nil {
		return badRequest(codeParameterFile, "properties.parameters must be an object of parameters.")
	}
	params, err := template.Values(given)
	if err != nil {
		return err
	}
	o := template.Options{
		Tenant: c.s.identity.TenantID, Subscription: c.subscription, Name: ro.id.Name(), Location: ro.location,
		Endpoint: c.base, Now: ro.origin.at, NewGUID: ro.origin.guids(ro.id), Provider: c.providerInfo,
	}
	if group != nil {
		o.Group, o.Location = group.ID.Name(), group.Location()
		o.GroupTags = object(group.Doc, "tags")
	}
	ro.plan, err = t.Expand(params, o)
	return err
}

// preflight refuses, before anything is written, what is no resource here.
func (ro *rollout) preflight(c *call) *Fault {
	var found []wire.Error
	for _, r := range ro.plan.Resources {
		if r.Existing {
			continue
		}
		k, f := c.s.kinds.of(r.ID)
		if f == nil {
			f = k.checkName(r.ID.Name())
		}
		if f != nil {
			f.Err.Target = r.ID.String()
			found = append(found, f.Err)
		}
	}
	if len(found) == 0 {
		return nil
	}
	return invalidDeployment(c, ro.id, found)
}

func invalidDeployment(c *call, id model.ID, details []wire.Error) *Fault {
	f := badRequest(codeInvalidDeployment, "The template deployment '%s' is not valid according to the validation procedure. The tracking id is '%s'. See inner errors for details.", id.Name(), c.request)
	f.Err.Details = details
	return f
}

// deploy answers PUT of a deployment: that it was accepted. What becomes of it is
// told by the operation's status. A deployment within another is over when its
// PUT is answered, as the other waits for it.
func (c *call) deploy(_ *kind, id model.ID) *Fault {
	if depthOf(c.r.Context()) == 0 {
		c.withOrigin(origin{c.s.now(), uuid.NewString()})
	}
	ro, ok, f := c.readRollout(id)
	if f != nil || !ok {
		return f
	}
	nested := ro.depth > 0
	run := newRun(c, ro)
	run.parallel = maxParallelWrites
	if !nested {
		run.c = c.detached()
	}
	created, begun := false, false
	f = c.update(func(tx *state.Tx) *Fault {
		if g := ro.scope.ResourceGroup(); g != "" && !has(tx, ro.scope) {
			return notFound(ro.scope, false)
		}
		e, exists := tx.Get(ro.id)
		created = !exists
		if exists {
			if text(e.Resource.Properties(), "provisioningState") == stateRunning {
				return fault(http.StatusConflict, codeDeploymentActive,
					"Unable to edit or replace deployment '%s': previous deployment from '%s' is still active. Please see https://aka.ms/arm-deploy for usage details.",
					ro.id.Name(), text(e.Resource.Properties(), "timestamp"))
			}
			ro.id = e.Resource.ID
		}
		if begun = c.s.rollouts.begin(run); !begun {
			return fault(http.StatusServiceUnavailable, "ServiceUnavailable", "The server is stopping.")
		}
		return putDocument(tx, ro.id, run.document(stateRunning))
	})
	if f != nil {
		if begun {
			c.s.rollouts.end(run)
		}
		return f
	}
	accepted := run.document("Accepted")
	showDeployment(nil, object(accepted, "properties"))
	if nested {
		defer c.s.rollouts.end(run)
		if f := run.carryOn(); f != nil {
			return f
		}
	} else {
		go c.s.rollouts.finish(run)
	}
	h := c.w.Header()
	h.Set("Azure-AsyncOperation", c.base+ro.id.String()+"/operationStatuses/"+c.request+"?api-version="+c.version)
	h.Set("Retry-After", "0")
	status := http.StatusOK
	if created {
		status = http.StatusCreated
	}
	writeJSON(c.w, status, accepted)
	return nil
}

func putDocument(tx *state.Tx, id model.ID, doc map[string]any) *Fault {
	if err := tx.Put(&model.Resource{ID: id, Doc: doc}); err != nil {
		return badRequest("InvalidRequestContent", "The deployment cannot be stored: %v.", err)
	}
	return nil
}

// document is the deployment's document in a state.
func (r *run) document(st string) map[string]any {
	ro := r.ro
	p := map[string]any{
		"templateHash": ro.hash, "parameters": ro.plan.Parameters(), "mode": ro.mode, "provisioningState": st,
		"timestamp": stamp(r.c.s.now()), "duration": isoDuration(r.c.s.now().Sub(r.began)), "correlationId": r.c.request,
		"providers": ro.providers(), "dependencies": ro.dependencies(),
		keptTemplate: ro.template, keptSteps: r.stepBodies(),
	}
	if st == stateSucceeded {
		p["outputs"] = r.outputs
	}
	if st == stateRunning && ro.depth == 0 {
		p[keptRequest] = ro.requestBody(r.c)
	}
	if r.ended() {
		p["outputResources"] = idObjects(r.written)
	}
	if r.failure != nil {
		p["error"] = errorObject(*r.failure)
	}
	doc := map[string]any{"id": ro.id.String(), "name": ro.id.Name(), "type": typeDeployment, "properties": p}
	if ro.location != "" {
		doc["location"] = ro.location
	}
	if ro.tags != nil {
		doc["tags"] = ro.tags
	}
	// What is stored is what a client would have sent: maps, lists, exact numbers.
	b, err := json.Marshal(doc)
	if err != nil {
		return doc // JSON came in and goes out
	}
	if plain, err := model.ParseJSON(b); err == nil {
		return plain
	}
	return doc
}

func idObjects(ids []string) []any {
	out := make([]any, len(ids))
	for i, id := range ids {
		out[i] = map[string]any{"id": id}
	}
	return out
}

// errorObject is an error as part of a document.
func errorObject(e wire.Error) map[string]any {
	o := map[string]any{"code": e.Code, "message": e.Message}
	if e.Target != "" {
		o["target"] = e.Target
	}
	if len(e.Details) > 0 {
		details := make([]any, len(e.Details))
		for i, d := range e.Details {
			details[i] = errorObject(d)
		}
		o["details"] = details
	}
	return o
}

// stamp is a time with the seven digits of Azure's.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.0000000Z") }

func isoDuration(d time.Duration) string {
	s := strconv.FormatFloat(max(0, d.Seconds()), 'f', 7, 64)
	return "PT" + strings.TrimSuffix(strings.TrimRight(s, "0"), ".") + "S"
}

// providers are the namespaces and types of the resources.
func (ro *rollout) providers() []any {
	type key struct{ namespace, leaf string }
	var order []string
	types := map[string][]any{}
	seen := map[key]bool{}
	for _, r := range ro.plan.Resources {
		ns, leaf, _ := strings.Cut(r.ID.Type(), "/")
		k := key{strings.ToLower(ns), strings.ToLower(leaf)}
		if r.Existing || seen[k] {
			continue
		}
		seen[k] = true
		if types[k.namespace] == nil {
			order = append(order, ns)
		}
		types[k.namespace] = append(types[k.namespace], map[string]any{"resourceType": leaf, "locations": []any{nil}})
	}
	out := make([]any, len(order))
	for i, ns := range order {
		out[i] = map[string]any{"namespace": ns, "resourceTypes": types[strings.ToLower(ns)]}
	}
	return out
}

// dependencies are what each resource waits for.
func (ro *rollout) dependencies() []any {
	out := []any{}
	for _, r := range ro.plan.Resources {
		if r.Existing || len(r.DependsOn) == 0 {
			continue
		}
		on := make([]any, len(r.DependsOn))
		for i, d := range r.DependsOn {
			on[i] = basicResource(d.ID)
		}
		o := basicResource(r.ID)
		o["dependsOn"] = on
		out = append(out, o)
	}
	return out
}

func basicResource(id model.ID) map[string]any {
	return map[string]any{"id": id.String(), "resourceType": id.Type(), "resourceName": resourceNames(id)}
}

// resourceNames is a resource's name with its parents'.
func resourceNames(id model.ID) string {
	i := strings.LastIndex(strings.ToLower(id.String()), "/providers/")
	if i < 0 {
		return id.Name()
	}
	parts := strings.Split(id.String()[i:], "/")
	var names []string
	for j := 4; j < len(parts); j += 2 {
		names = append(names, parts[j])
	}
	return strings.Join(names, "/")
}
