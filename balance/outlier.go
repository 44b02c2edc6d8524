package balance

import (
	"context"
	"errors"
	"time"
)

// Outliers ejects members whose requests fail again and again, without asking
// any health check. The zero value has the defaults.
type Outliers struct {
	// Failures is how many requests in a row must fail; 0 means 5.
	Failures int
	// Base is how long a member is ejected for the first time; each further time
	// in a row it is that much longer. 0 means 30 s.
	Base time.Duration
	// Most bounds the time of ejection; 0 means 5 min.
	Most time.Duration
	// Share bounds the members ejected at a time, 0..1; one may always be, if it
	// is not the only one. 0 means 0.1.
	Share float64
	// Failed reports whether an error is the member's fault; nil means every
	// error is, but that of a request its caller gave up.
	Failed func(error) bool
}

func (o Outliers) withDefaults() Outliers {
	if o.Failures <= 0 {
		o.Failures = 5
	}
	if o.Base <= 0 {
		o.Base = 30 * time.Second
	}
	if o.Most <= 0 {
		o.Most = 5 * time.Minute
	}
	if o.Share <= 0 {
		o.Share = 0.1
	}
	if o.Failed == nil {
		o.Failed = func(err error) bool { return !errors.Is(err, context.Canceled) }
	}
	return o
}

// judge counts the end of a request and ejects the member if it failed too often.
func (b *Balancer[M]) judge(m *member[M], err error) {
	o := b.options.Outliers
	if err == nil {
		if m.load.failures.Load() != 0 {
			m.load.failures.Store(0)
		}
		return
	}
	if !o.Failed(err) || m.load.failures.Add(1) < int64(o.Failures) {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	if m.load.failures.Load() < int64(o.Failures) || now.Before(m.ejected) {
		return
	}
	out, there := 1, false
	for _, x := range b.members {
		if now.Before(x.ejected) {
			out++
		}
		there = there || x == m
	}
	m.load.failures.Store(0)
	if !there || out >= len(b.members) || out > 1 && float64(out) > o.Share*float64(len(b.members)) {
		return
	}
	if now.Sub(m.since) > o.Most {
		m.times = 0 // it was well for long
	}
	m.times++
	m.ejected = now.Add(min(time.Duration(m.times)*o.Base, o.Most))
	b.look(now)
}
