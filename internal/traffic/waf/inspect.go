package waf

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	coreruleset "github.com/corazawaf/coraza-coreruleset/v4"
	"github.com/corazawaf/coraza/v3"
	"github.com/corazawaf/coraza/v3/experimental/plugins/plugintypes"
	"github.com/corazawaf/coraza/v3/types"
)

// Firewall is a policy at work. It is safe for concurrent use.
type Firewall struct {
	policy *Policy
	custom []customRule
	rules  *ruleList
	engine coraza.WAF // nil without managed rules
}

// New returns the firewall of a policy, or its [Problems]. It takes some tenths of
// a second: the managed rules are compiled.
func New(p *Policy, o Options) (*Firewall, error) { return newFirewall(p, o, "") }

// newFirewall is New with directives that stand before the managed rules.
func newFirewall(p *Policy, o Options, first string) (*Firewall, error) {
	if err := p.Check(o); err != nil {
		return nil, err
	}
	f := &Firewall{policy: p, custom: newCustom(p, o)}
	rules, err := coreRules()
	if err != nil {
		return nil, err
	}
	f.rules = rules
	if len(p.Managed) > 0 && !p.Disabled {
		if f.engine, err = compileDirectives(p.directives(rules, first)); err != nil {
			return nil, fmt.Errorf("WAF policy %s: %w", p.Name, err)
		}
	}
	return f, nil
}

// compileDirectives readies directives; files they name are the rule set's.
func compileDirectives(text string) (coraza.WAF, error) {
	return coraza.NewWAF(coraza.NewWAFConfig().WithRootFS(coreruleset.FS).WithDirectives(text))
}

// Policy returns the policy it was made of.
func (f *Firewall) Policy() *Policy { return f.policy }

// Inspection is what a firewall found in a request. Close it.
type Inspection struct {
	firewall *Firewall
	tx       types.Transaction // while responses may come
	base     Entry
	seen     int // rules of tx that are in entries

	Blocked bool
	Status  int    // of the answer, if blocked
	Page    string // its body; empty means the gateway's own
	Score   int    // of the managed rules, inbound
	Rule    string // that decided: the name of a custom rule, or a number
	entries []Entry
}

// Entries returns what matched, for the log.
func (i *Inspection) Entries() []Entry { return i.entries }

// Begin inspects a request; id names it in the log. The request's body is read as
// far as the policy wants, and replaced by one that has all of it. An error means
// that the body could not be read.
func (f *Firewall) Begin(r *http.Request, id string, now time.Time) (*Inspection, error) {
	p := f.policy
	i := &Inspection{firewall: f}
	if p.Disabled {
		return i, nil
	}
	i.base = newEntry(r, id, now, p.Name)
	s := subject{request: r, body: &body{}}
	if !p.NoBody {
		if i.limits(r); i.Blocked {
			return i, nil
		}
		var err error
		if s.body, err = readBody(r, or(p.InspectLimit, defaultBody)); err != nil {
			return nil, err
		}
	}
	if done := i.tryCustom(&s, now); done {
		return i, nil
	}
	if f.engine == nil {
		return i, nil
	}
	i.tx = f.engine.NewTransactionWithID(id)
	err := i.managed(r, s.body)
	i.collect(false)
	if err != nil || i.Blocked || !p.Responses {
		i.Close()
	}
	return i, err
}

// limits holds a body against the sizes that the policy allows.
func (i *Inspection) limits(r *http.Request) {
	p := i.firewall.policy
	limit, enforced := or(p.MaxBody, defaultBody), !p.AnyBody
	if upload(r) {
		limit, enforced = or(p.MaxUpload, defaultUpload), !p.AnyUpload
	}
	if !enforced || streams(r) {
		return
	}
	if r.ContentLength > limit {
		e := i.base
		e.RuleSetType, e.RuleID = "Custom", "RequestBodyLimit"
		e.Message = fmt.Sprintf("Request body of %d bytes is larger than the limit of %d", r.ContentLength, limit)
		e.Action = "Detected"
		if p.Mode == Prevention {
			e.Action = "Blocked"
			i.block(largeStatus, e.RuleID)
			i.Page = ""
		}
		i.entries = append(i.entries, e)
	} else if r.ContentLength < 0 && r.Body != nil && p.Mode == Prevention {
		r.Body = &bounded{r.Body, limit}
	}
}

func (i *Inspection) block(status int, rule string) {
	p := i.firewall.policy
	i.Blocked, i.Status, i.Page, i.Rule = true, status, p.BlockBody, rule
}

// tryCustom tries the custom rules, and reports whether one of them decided.
func (i *Inspection) tryCustom(s *subject, now time.Time) bool {
	f := i.firewall
	for j := range f.custom {
		c := &f.custom[j]
		hit, ok := c.matches(s, now)
		if !ok {
			continue
		}
		e := i.base
		e.RuleSetType, e.RuleID, e.DetailedData = "Custom", c.rule.Name, cut(hit)
		e.Message = "Custom rule " + c.rule.Name
		if c.rate != nil {
			e.Message += fmt.Sprintf(": more than %d requests in %s", c.rule.Rate.Threshold, c.rate.window)
		}
		switch c.rule.Action {
		case Allow:
			e.Action = "Allowed"
			i.entries = append(i.entries, e)
			i.Rule = c.rule.Name
			return true
		case Block:
			if f.policy.Mode == Prevention {
				e.Action = "Blocked"
				i.block(or(f.policy.BlockStatus, blockStatus), c.rule.Name)
				i.entries = append(i.entries, e)
				return true
			}
			e.Action = "Detected"
		case Log:
			e.Action = "Log"
		}
		i.entries = append(i.entries, e)
	}
	return false
}

// managed gives a request to the managed rules.
func (i *Inspection) managed(r *http.Request, b *body) error {
	tx := i.tx
	tx.ProcessConnection(i.base.ClientIP, i.base.ClientPort, "", 0)
	tx.ProcessURI(r.RequestURI, r.Method, r.Proto)
	for name, values := range r.Header {
		for _, v := range values {
			tx.AddRequestHeader(name, v)
		}
	}
	if r.Host != "" {
		tx.AddRequestHeader("Host", r.Host)
		tx.SetServerName(r.Host)
	}
	if r.ContentLength > 0 && r.Header.Get("Content-Length") == "" {
		tx.AddRequestHeader("Content-Length", strconv.FormatInt(r.ContentLength, 10))
	}
	for _, te := range r.TransferEncoding {
		tx.AddRequestHeader("Transfer-Encoding", te)
	}
	if it := tx.ProcessRequestHeaders(); it != nil {
		i.interrupted(it)
		return nil
	}
	if len(b.head) > 0 && tx.IsRequestBodyAccessible() {
		it, _, err := tx.WriteRequestBody(b.head)
		if err != nil {
			return err
		}
		if it != nil {
			i.interrupted(it)
			return nil
		}
	}
	it, err := tx.ProcessRequestBody()
	if it != nil {
		i.interrupted(it)
	}
	return err
}

func (i *Inspection) interrupted(it *types.Interruption) {
	if it.Action == "allow" {
		return
	}
	i.block(or(i.firewall.policy.BlockStatus, blockStatus), strconv.Itoa(it.RuleID))
}

// Response inspects an answer if the policy wants it, and reports whether it must
// not be seen. The body is read as far as inspected, and replaced by one that has
// all of it.
func (i *Inspection) Response(resp *http.Response) (blocked bool, err error) {
	if i.tx == nil {
		return false, nil
	}
	defer i.Close()
	defer func() { i.collect(true) }()
	tx := i.tx
	for name, values := range resp.Header {
		for _, v := range values {
			tx.AddResponseHeader(name, v)
		}
	}
	if it := tx.ProcessResponseHeaders(resp.StatusCode, resp.Proto); it != nil {
		i.interrupted(it)
		return i.Blocked, nil
	}
	if resp.Body == nil || !tx.IsResponseBodyAccessible() || !tx.IsResponseBodyProcessable() {
		return false, nil
	}
	b, err := readResponse(resp)
	if err != nil {
		return false, err
	}
	it, _, err := tx.WriteResponseBody(b)
	if it == nil && err == nil {
		it, err = tx.ProcessResponseBody()
	}
	if it != nil {
		i.interrupted(it)
	}
	return i.Blocked, err
}

// readResponse reads what is inspected of an answer.
func readResponse(resp *http.Response) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(resp.Body, responseLimit))
	if err != nil {
		return nil, err
	}
	resp.Body = replayed{io.MultiReader(bytes.NewReader(b), resp.Body), resp.Body}
	return b, nil
}

// mandatory are the rules that decide by the score; they cannot be disabled.
var mandatory = map[int]bool{949110: true, 949111: true, 959100: true, 959101: true}

// collect notes the rules that matched since it was last called.
func (i *Inspection) collect(outbound bool) {
	if i.tx == nil {
		return
	}
	if !outbound {
		if tx, ok := i.tx.(plugintypes.TransactionState); ok {
			if v := tx.Variables().TX().Get("blocking_inbound_anomaly_score"); len(v) > 0 {
				i.Score, _ = strconv.Atoi(v[0])
			}
		}
	}
	all := i.tx.MatchedRules()
	for _, m := range all[min(i.seen, len(all)):] {
		if m.Message() == "" {
			continue // what only counts
		}
		id := m.Rule().ID()
		group := ""
		if d := i.firewall.rules.byID[id]; d != nil {
			group = d.group
		}
		if group == "REQUEST-901-INITIALIZATION" || group == "REQUEST-905-COMMON-EXCEPTIONS" {
			continue // how it was set up is no news
		}
		action := "Matched"
		decides := mandatory[id] || m.Disruptive() && (group == "" || !i.firewall.scores(id))
		if decides {
			action = "Detected"
			if i.Blocked && i.Rule == strconv.Itoa(id) {
				action = "Blocked"
			}
		}
		e := i.base.managed(m, group, action)
		if mandatory[id] {
			e.Score = i.Score
			e.Message = "Mandatory rule. Cannot be disabled. " + e.Message
		}
		i.entries = append(i.entries, e)
	}
	i.seen = len(all)
}

// scores reports whether a rule only adds to the score.
func (f *Firewall) scores(id int) bool {
	d := f.rules.byID[id]
	if d == nil {
		return false
	}
	a, _ := f.policy.overridden(f.rules, d)
	return a == "" || a == AnomalyScoring
}

// Close lets go of what the inspection holds.
func (i *Inspection) Close() {
	if i.tx != nil {
		i.tx.ProcessLogging()
		i.collect(true)  // some rules are about the whole exchange
		_ = i.tx.Close() // its buffers are in memory
		i.tx = nil
	}
}
