package gateway

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/http/httpguts"

	"github.com/ceruleannet/cerulean/internal/traffic/waf"
)

// Problem is something wrong with a configuration.
type Problem struct {
	Place Place
	Text  string
}

// Error says where and what.
func (p Problem) Error() string {
	if p.Place == "" {
		return p.Text
	}
	return string(p.Place) + ": " + p.Text
}

// Problems are everything wrong with a configuration, in its order.
type Problems []Problem

// Error lists them, one a line.
func (p Problems) Error() string {
	var lines []string
	for _, x := range p {
		lines = append(lines, x.Error())
	}
	return strings.Join(lines, "\n")
}

// checker collects problems.
type checker struct {
	problems Problems
	config   *Config
}

func (c *checker) add(at Place, format string, args ...any) {
	c.problems = append(c.problems, Problem{at, fmt.Sprintf(format, args...)})
}

// Check reports everything wrong with a configuration, as [Problems].
func (c *Config) Check() error {
	k := &checker{config: c}
	k.listeners()
	k.pools()
	k.settings()
	k.probes()
	k.rules()
	k.firewalls()
	if len(k.problems) > 0 {
		return k.problems
	}
	return nil
}

// names reports names that are missing or there twice.
func (k *checker) names(what string, n int, of func(int) (string, Place)) {
	seen := map[string]Place{}
	for i := range n {
		name, at := of(i)
		switch first, twice := seen[name]; {
		case name == "":
			k.add(at, "a %s needs a name", what)
		case twice:
			k.add(at, "%s %s is there twice; the first is at %s", what, name, first)
		default:
			seen[name] = at
		}
	}
}

func (k *checker) listeners() {
	c := k.config
	k.names("listener", len(c.Listeners), func(i int) (string, Place) { return c.Listeners[i].Name, c.Listeners[i].Place })
	if len(c.Listeners) == 0 {
		k.add("", "gateway %s has no listener", c.Name)
	}
	type claim struct {
		address string
		host    string
	}
	taken := map[claim]string{}
	protocols := map[string]*Listener{}
	for i := range c.Listeners {
		l := &c.Listeners[i]
		at := l.Place
		if l.Protocol != HTTP && l.Protocol != HTTPS {
			k.add(at, "listener %s: protocol %q; use Http or Https", l.Name, l.Protocol)
		}
		if l.Address.Port() == 0 {
			k.add(at, "listener %s needs a port", l.Name)
		}
		if l.Protocol == HTTPS && len(l.Certificates) == 0 {
			k.add(at, "listener %s needs a certificate: its protocol is Https", l.Name)
		}
		if l.HTTP3 && l.Protocol != HTTPS {
			k.add(at, "listener %s: HTTP/3 needs protocol Https", l.Name)
		}
		if len(l.Hosts) > maxHosts {
			k.add(at, "listener %s has %d hosts; %d is the most", l.Name, len(l.Hosts), maxHosts)
		}
		where := l.Address.String()
		if other := protocols[where]; other != nil && other.Protocol != l.Protocol {
			k.add(at, "listener %s speaks %s at %s, where listener %s speaks %s", l.Name, l.Protocol, where, other.Name, other.Protocol)
		}
		protocols[where] = l
		hosts := l.Hosts
		if len(hosts) == 0 {
			hosts = []string{""}
		}
		for _, h := range hosts {
			if h != "" {
				if err := checkHost(h); err != nil {
					k.add(at, "listener %s: host %q: %v", l.Name, h, err)
				}
			}
			x := claim{where, strings.ToLower(h)}
			if other, twice := taken[x]; twice {
				k.add(at, "listener %s takes host %q at %s, as listener %s does", l.Name, h, where, other)
			}
			taken[x] = l.Name
		}
	}
}

// checkHost reports what is wrong with the pattern of a host.
func checkHost(h string) error {
	stars, marks := strings.Count(h, "*"), strings.Count(h, "?")
	switch {
	case stars > maxStars:
		return fmt.Errorf("%d asterisks; %d is the most", stars, maxStars)
	case stars+marks > maxWildcards:
		return fmt.Errorf("%d wildcards; %d is the most", stars+marks, maxWildcards)
	}
	for _, label := range strings.Split(h, ".") {
		if strings.Count(label, "*") > 1 {
			return fmt.Errorf("two asterisks in %q", label)
		}
		for i := range len(label) {
			ch := label[i]
			wild := ch == '*' || ch == '?'
			if wild && i > 0 && (label[i-1] == '*' || label[i-1] == '?') {
				return fmt.Errorf("wildcards side by side in %q", label)
			}
			if !wild && ch != '-' && ch != '_' && (ch < '0' || ch > '9') && (ch|0x20 < 'a' || ch|0x20 > 'z') {
				return fmt.Errorf("%q is not allowed in a host name", ch)
			}
		}
		if label == "" {
			return fmt.Errorf("an empty label")
		}
	}
	return nil
}

func (k *checker) pools() {
	c := k.config
	k.names("pool", len(c.Pools), func(i int) (string, Place) { return c.Pools[i].Name, c.Pools[i].Place })
	for i := range c.Pools {
		p := &c.Pools[i]
		k.followed(p)
		seen := map[Member]bool{}
		for _, m := range p.Members {
			one := Member{Host: strings.ToLower(m.Host), Port: m.Port}
			switch {
			case m.Host == "":
				k.add(p.Place, "pool %s: a member needs an address or a name", p.Name)
			case seen[one]:
				k.add(p.Place, "pool %s: member %s is there twice", p.Name, m.Host)
			case m.Weight < 0 || m.Weight > 1000:
				k.add(p.Place, "pool %s: member %s: weight %d; use 1 to 1000", p.Name, m.Host, m.Weight)
			}
			seen[one] = true
		}
	}
}

// within reports a duration out of its range; 0 means a default.
func (k *checker) within(at Place, what string, d, low, high time.Duration) {
	if d != 0 && (d < low || d > high) {
		k.add(at, "%s is %s; use %s to %s", what, d, low, high)
	}
}

func (k *checker) settings() {
	c := k.config
	k.names("backend setting", len(c.Settings), func(i int) (string, Place) { return c.Settings[i].Name, c.Settings[i].Place })
	for i := range c.Settings {
		s := &c.Settings[i]
		at, what := s.Place, "backend setting "+s.Name
		if s.Protocol != HTTP && s.Protocol != HTTPS {
			k.add(at, "%s: protocol %q; use Http or Https", what, s.Protocol)
		}
		if s.Port == 0 {
			k.add(at, "%s needs a port", what)
		}
		k.within(at, what+": timeout", s.Timeout, time.Second, day)
		k.within(at, what+": drain time", s.Drain, time.Second, time.Hour)
		if s.Host != "" && s.HostOfMember {
			k.add(at, "%s: a host of its own and the member's exclude each other", what)
		}
		if s.Path != "" && !strings.HasPrefix(s.Path, "/") {
			k.add(at, "%s: path %q must begin with /", what, s.Path)
		}
		if s.Cookie != "" && !httpguts.ValidHeaderFieldName(s.Cookie) {
			k.add(at, "%s: %q is no name of a cookie", what, s.Cookie)
		}
		if s.Probe != "" && find(c.Probes, s.Probe, func(p *Probe) string { return p.Name }) == nil {
			k.add(at, "%s: no probe %q%s", what, s.Probe, there(c.Probes, func(p *Probe) string { return p.Name }))
		}
	}
}

func (k *checker) probes() {
	c := k.config
	k.names("probe", len(c.Probes), func(i int) (string, Place) { return c.Probes[i].Name, c.Probes[i].Place })
	for i := range c.Probes {
		p := &c.Probes[i]
		at, what := p.Place, "probe "+p.Name
		if p.Protocol != HTTP && p.Protocol != HTTPS && p.Protocol != GRPC {
			k.add(at, "%s: protocol %q; use Http, Https or Grpc", what, p.Protocol)
		}
		if p.Service != "" && p.Protocol != GRPC {
			k.add(at, "%s: a service is asked for by Grpc, not %s", what, p.Protocol)
		}
		if p.Protocol == GRPC && (p.Body != "" || len(p.Statuses) > 0) {
			k.add(at, "%s: a gRPC probe goes by the health it is told, not by statuses or a body", what)
		}
		if p.Protocol != GRPC && !strings.HasPrefix(p.Path, "/") {
			k.add(at, "%s: path %q must begin with /", what, p.Path)
		}
		k.within(at, what+": interval", p.Interval, time.Second, day)
		k.within(at, what+": timeout", p.Timeout, time.Second, day)
		if p.Threshold < 0 || p.Threshold > maxThreshold {
			k.add(at, "%s: threshold %d; use 1 to %d", what, p.Threshold, maxThreshold)
		}
		if len(p.Body) > maxBody {
			k.add(at, "%s: the body to match is longer than %d bytes", what, maxBody)
		}
		for _, s := range p.Statuses {
			if _, _, err := parseStatuses(s); err != nil {
				k.add(at, "%s: %v", what, err)
			}
		}
	}
}

// parseStatuses reads "200-399" or "404".
func parseStatuses(s string) (low, high int, err error) {
	a, b, ranged := strings.Cut(s, "-")
	if !ranged {
		b = a
	}
	low, err1 := strconv.Atoi(strings.TrimSpace(a))
	high, err2 := strconv.Atoi(strings.TrimSpace(b))
	if err1 != nil || err2 != nil || low < 100 || high > 599 || low > high {
		return 0, 0, fmt.Errorf("status %q; write 200 or 200-399, of 100 to 599", s)
	}
	return low, high, nil
}

func (k *checker) rules() {
	c := k.config
	k.names("rule", len(c.Rules), func(i int) (string, Place) { return c.Rules[i].Name, c.Rules[i].Place })
	priorities := map[int]string{}
	of := map[string]string{}
	for i := range c.Rules {
		r := &c.Rules[i]
		at := r.Place
		if r.Priority < 1 || r.Priority > maxPriority {
			k.add(at, "rule %s: priority %d; use 1 to %d", r.Name, r.Priority, maxPriority)
		} else if other, twice := priorities[r.Priority]; twice {
			k.add(at, "rule %s has priority %d, as rule %s does", r.Name, r.Priority, other)
		}
		priorities[r.Priority] = r.Name
		if k.listener(r.Listener) == nil {
			k.add(at, "rule %s: no listener %q%s", r.Name, r.Listener, there(c.Listeners, func(l *Listener) string { return l.Name }))
		} else if other, twice := of[r.Listener]; twice {
			k.add(at, "rule %s is for listener %s, as rule %s is", r.Name, r.Listener, other)
		}
		of[r.Listener] = r.Name
		k.action(at, "rule "+r.Name, r.Listener, &r.Default)
		for j := range r.Paths {
			p := &r.Paths[j]
			what := "rule " + r.Name + ", path " + p.Name
			if len(p.Patterns) == 0 {
				k.add(p.Place, "%s: no pattern", what)
			}
			for _, pattern := range p.Patterns {
				if i := strings.IndexByte(pattern, '*'); !strings.HasPrefix(pattern, "/") || i >= 0 && i != len(pattern)-1 {
					k.add(p.Place, "%s: pattern %q must begin with / and may have a * at its end only", what, pattern)
				}
			}
			k.action(p.Place, what, r.Listener, &p.Action)
		}
	}
	for i := range c.Listeners {
		if l := &c.Listeners[i]; of[l.Name] == "" {
			k.add(l.Place, "listener %s has no rule", l.Name)
		}
	}
}

func (k *checker) listener(name string) *Listener {
	return find(k.config.Listeners, name, func(l *Listener) string { return l.Name })
}

func (k *checker) action(at Place, what, listener string, a *Action) {
	c := k.config
	if r := a.Redirect; r != nil {
		k.redirect(at, what, listener, r)
		if a.Pool != "" || a.Settings != "" {
			k.add(at, "%s: a pool and a redirect exclude each other", what)
		}
	} else {
		if find(c.Pools, a.Pool, func(p *Pool) string { return p.Name }) == nil {
			k.add(at, "%s: no pool %q%s", what, a.Pool, there(c.Pools, func(p *Pool) string { return p.Name }))
		}
		if find(c.Settings, a.Settings, func(s *Settings) string { return s.Name }) == nil {
			k.add(at, "%s: no backend setting %q%s", what, a.Settings, there(c.Settings, func(s *Settings) string { return s.Name }))
		}
	}
	for i := range a.Rewrites {
		k.rewrite(&a.Rewrites[i], what)
	}
	k.policy(at, what, &a.Policy)
}

func (k *checker) redirect(at Place, what, listener string, r *Redirect) {
	if !redirectStatus[r.Status] {
		k.add(at, "%s: redirect status %d; use 301, 302, 303 or 307", what, r.Status)
	}
	switch {
	case (r.URL == "") == (r.Listener == ""):
		k.add(at, "%s: a redirect needs a URL or a listener, one of them", what)
	case r.URL != "":
		if u, err := url.Parse(r.URL); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			k.add(at, "%s: %q is no absolute URL of http or https", what, r.URL)
		}
	default:
		l := k.listener(r.Listener)
		switch {
		case l == nil:
			k.add(at, "%s: no listener %q%s", what, r.Listener, there(k.config.Listeners, func(l *Listener) string { return l.Name }))
		case r.Listener == listener:
			k.add(at, "%s: a redirect to the listener it is of", what)
		case len(l.Hosts) > 1 || len(l.Hosts) == 1 && strings.ContainsAny(l.Hosts[0], "*?"):
			k.add(at, "%s: listener %s has several hosts, or wildcards: a redirect does not know which", what, l.Name)
		}
	}
}

func (k *checker) rewrite(r *Rewrite, what string) {
	what += ", rewrite " + r.Name
	for _, set := range [][]Header{r.Request, r.Response} {
		for _, h := range set {
			if !httpguts.ValidHeaderFieldName(h.Name) {
				k.add(r.Place, "%s: %q is no name of a header", what, h.Name)
			}
			if !httpguts.ValidHeaderFieldValue(h.Value) {
				k.add(r.Place, "%s: the value of %s cannot be sent", what, h.Name)
			}
			if _, err := parseTemplate(h.Value); err != nil {
				k.add(r.Place, "%s: %s: %v", what, h.Name, err)
			}
		}
	}
	for _, s := range []*string{r.Path, r.Query} {
		if s != nil {
			if _, err := parseTemplate(*s); err != nil {
				k.add(r.Place, "%s: %v", what, err)
			}
		}
	}
	for i := range r.Conditions {
		x := &r.Conditions[i]
		if !variable(x.Variable) {
			k.add(r.Place, "%s: no variable %q; use var_NAME, http_req_NAME or http_resp_NAME", what, x.Variable)
		}
		if _, err := regexp.Compile(x.Pattern); err != nil {
			k.add(r.Place, "%s: pattern %q: %v", what, x.Pattern, err)
		}
	}
}

func (k *checker) firewalls() {
	c := k.config
	known := map[string]bool{"": true}
	for i := range c.Firewalls {
		f := &c.Firewalls[i]
		var all waf.Problems
		if errors.As(f.Policy.Check(waf.Options{}), &all) {
			for _, p := range all {
				k.add(f.Place, "%s", p)
			}
		}
		if known[f.Policy.Name] && f.Policy.Name != "" {
			k.add(f.Place, "WAF policy %s is there twice", f.Policy.Name)
		}
		known[f.Policy.Name] = true
	}
	use := func(at Place, what, name string) {
		if !known[name] {
			k.add(at, "%s: no WAF policy %q", what, name)
		}
	}
	use("", "gateway "+c.Name, c.Firewall)
	for i := range c.Listeners {
		use(c.Listeners[i].Place, "listener "+c.Listeners[i].Name, c.Listeners[i].Firewall)
	}
	for i := range c.Rules {
		for j := range c.Rules[i].Paths {
			p := &c.Rules[i].Paths[j]
			use(p.Place, "rule "+c.Rules[i].Name+", path "+p.Name, p.Firewall)
		}
	}
}

// mostNamed is how many names are told of those that there are.
const mostNamed = 8

// there says which names there are, for who wrote another one.
func there[T any](list []T, of func(*T) string) string {
	var names []string
	for i := range list[:min(len(list), mostNamed)] {
		names = append(names, of(&list[i]))
	}
	switch {
	case len(list) == 0:
		return "; none is declared"
	case len(list) > mostNamed:
		names = append(names, "…")
	}
	return "; there is " + strings.Join(names, ", ")
}

// find returns the element of a name, or nil.
func find[T any](list []T, name string, of func(*T) string) *T {
	for i := range list {
		if of(&list[i]) == name {
			return &list[i]
		}
	}
	return nil
}
