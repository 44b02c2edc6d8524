package node

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/ceruleannet/cerulean/internal/live"
)

// doctorURL is Doctor for a URL: first its name and connection, then what the
// gateway does with the request, how the members are, and the answer itself.
func (s *System) doctorURL(ctx context.Context, from, rawURL string) (*Diagnosis, error) {
	u, err := url.Parse(rawURL)
	if err != nil || u.Hostname() == "" {
		return nil, fmt.Errorf("TO: %q is no URL", rawURL)
	}
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[strings.ToLower(u.Scheme)]
	}
	h, err := s.Net.Host(from)
	if err != nil {
		return nil, fmt.Errorf("FROM: %w", err)
	}
	d, err := s.Doctor(ctx, from, net.JoinHostPort(u.Hostname(), port))
	if err != nil {
		return nil, err
	}
	d.To = rawURL
	// The certificate is for the listener's host; the request below says whether.
	x, err := s.Design.ExplainURL(from, rawURL)
	if err == nil && x.Route != nil {
		d.gatewaySteps(s, x)
	}
	if err == nil && x.Door != nil {
		d.doorSteps(s, x)
	}
	a := h.Get(ctx, rawURL, nil)
	step := DoctorStep{Step: "request", State: stepOK, MS: ms(a.Took), What: fmt.Sprintf("GET %s: %d from %s", rawURL, a.Status, a.Server)}
	var cause *DoctorCause
	switch {
	case a.Err != nil:
		step.State, step.What = stepFails, fmt.Sprintf("GET %s: %v", rawURL, a.Err)
		var denied *live.DeniedError
		if !errors.As(a.Err, &denied) {
			cause = &DoctorCause{What: a.Err.Error()}
		}
	case a.Status >= 500:
		step.State = stepFails
		cause = &DoctorCause{What: fmt.Sprintf("the answer is %d", a.Status)}
		if x != nil && x.Route != nil {
			cause = s.blameMembers(x, a.Status)
		}
	}
	d.Steps = append(d.Steps, step)
	d.OK = !slices.ContainsFunc(d.Steps, func(x DoctorStep) bool { return x.State == stepFails })
	if d.OK {
		d.Cause = nil
	} else if d.Cause == nil {
		d.Cause = cause
	}
	return d, nil
}

// gatewaySteps adds what a gateway does with a request, and how the members are.
func (d *Diagnosis) gatewaySteps(s *System, x *URLExplanation) {
	r := x.Route
	switch {
	case r.Rule == "":
		d.Steps = append(d.Steps, DoctorStep{Step: "gateway", State: stepFails, What: fmt.Sprintf("no rule of %s takes it: %d", x.Gateway, r.Status)})
		return
	case r.Redirect != "":
		d.Steps = append(d.Steps, DoctorStep{Step: "gateway", State: stepOK, What: fmt.Sprintf("%s: listener %s, rule %s: redirected to %s", x.Gateway, r.Listener, r.Rule, r.Redirect), Place: r.Place})
		return
	}
	rule := r.Rule
	if r.Path != "" {
		rule += ", path " + r.Path
	}
	d.Steps = append(d.Steps, DoctorStep{Step: "gateway", State: stepOK, What: fmt.Sprintf("%s: listener %s, rule %s, pool %s", x.Gateway, r.Listener, rule, r.Pool), Place: r.Place})
	run := s.gateways.named(x.Gateway)
	if run == nil {
		d.Steps = append(d.Steps, DoctorStep{Step: "members", State: stepUnknown, What: "the gateway does not run"})
		return
	}
	for _, c := range run.server.Health() {
		if c.Pool != r.Pool || c.Settings != r.Settings {
			continue
		}
		state := stepOK
		if !c.Healthy {
			state = stepUnknown // another may take it
		}
		d.Steps = append(d.Steps, DoctorStep{Step: "member", State: state, What: c.Member + ": " + c.Said, MS: ms(c.Took)})
	}
}

// blameMembers says why no member answers well.
func (s *System) blameMembers(x *URLExplanation, status int) *DoctorCause {
	c := &DoctorCause{What: fmt.Sprintf("%s answers %d for pool %s", x.Gateway, status, x.Route.Pool), Place: x.Route.Place}
	for i := range x.members {
		for _, b := range x.members[i].Blockers {
			return &DoctorCause{What: c.What + ": " + b.What, Place: b.Place, Fix: b.Fix}
		}
	}
	if run := s.gateways.named(x.Gateway); run != nil {
		for _, m := range run.server.Health() {
			if m.Pool == x.Route.Pool && m.Settings == x.Route.Settings && !m.Healthy {
				c.What += fmt.Sprintf(": %s is unhealthy, %s", m.Member, m.Said)
				c.Fix = "see 'cerulean gateway status'"
				if host, _, err := net.SplitHostPort(m.Member); err == nil {
					if _, err := netip.ParseAddr(host); err != nil {
						c.Fix = "see whether the gateway finds the name " + host
					}
				}
				return c
			}
		}
	}
	return c
}
