package gateway

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/ceruleannet/cerulean/internal/traffic/cache"
)

type policyDoc struct {
	Allow     []string
	CORS      *corsDoc `yaml:"cors"`
	RateLimit *rateDoc `yaml:"rateLimit"`
	Token     *tokenDoc
	MaxBody   string `yaml:"maxBody"`
	Deadline  string
	Compress  bool
	Cache     *cacheDoc
	Breaker   *breakerDoc
}

type breakerDoc struct {
	Requests       int
	Failures       float64
	Interval, Open string
}

type cacheDoc struct {
	Query     string
	Names     []string
	TTL       string `yaml:"ttl"`
	Override  bool
	MaxObject string `yaml:"maxObject"`
}

type corsDoc struct {
	Origins, Methods, Headers, Expose []string
	Credentials                       bool
	MaxAge                            string `yaml:"maxAge"`
}

type rateDoc struct {
	Requests int
	Per      string
	Burst    int
	By       string
}

type tokenDoc struct {
	Issuer, Audience, Keys string
	Require                map[string][]string
	Forward                map[string]string
}

func (b *builder) policy(l *located[policyDoc]) Policy {
	d, at := &l.doc, l.at
	p := Policy{Compress: d.Compress, Deadline: b.duration(at, "deadline", d.Deadline)}
	for _, s := range d.Allow {
		prefix, err := netip.ParsePrefix(s)
		if a, aerr := netip.ParseAddr(s); aerr == nil {
			prefix, err = netip.PrefixFrom(a, a.BitLen()), nil
		}
		if err != nil {
			b.add(at, "allow: %q is no address or prefix", s)
			continue
		}
		p.Allow = append(p.Allow, prefix)
	}
	if d.MaxBody != "" {
		n, err := bytesOf(d.MaxBody)
		if err != nil {
			b.add(at, "maxBody: %v", err)
		}
		p.MaxBody = n
	}
	if c := d.Cache; c != nil {
		p.Cache = &cache.Policy{Query: cache.Query(c.Query), Names: c.Names, TTL: b.duration(at, "cache: ttl", c.TTL), Override: c.Override}
		if c.MaxObject != "" {
			n, err := bytesOf(c.MaxObject)
			if err != nil {
				b.add(at, "cache: maxObject: %v", err)
			}
			p.Cache.MaxObject = n
		}
	}
	if x := d.Breaker; x != nil {
		p.Breaker = &Breaker{
			Requests: x.Requests, Failures: x.Failures,
			Interval: b.duration(at, "breaker: interval", x.Interval), Open: b.duration(at, "breaker: open", x.Open),
		}
	}
	if r := d.RateLimit; r != nil {
		p.RateLimit = &RateLimit{Requests: r.Requests, Per: b.duration(at, "rateLimit: per", r.Per), Burst: r.Burst, By: r.By}
	}
	if t := d.Token; t != nil {
		x := Token(*t)
		p.Token = &x
	}
	if c := d.CORS; c != nil {
		p.CORS = &CORS{
			Origins: c.Origins, Methods: c.Methods, Headers: c.Headers, Expose: c.Expose,
			Credentials: c.Credentials, MaxAge: b.duration(at, "cors: maxAge", c.MaxAge),
		}
	}
	return p
}

// bytesOf reads "128KiB", "10MiB" or a plain number.
func bytesOf(s string) (int64, error) {
	number, unit := s, int64(1)
	for suffix, u := range map[string]int64{"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30} {
		if n, ok := strings.CutSuffix(s, suffix); ok {
			number, unit = n, u
		}
	}
	n, err := strconv.ParseInt(strings.TrimSpace(number), 10, 64)
	if err != nil || n <= 0 || n > maxPolicyBody/unit {
		return 0, fmt.Errorf("%q is no size; write 128KiB or 10MiB", s)
	}
	return n * unit, nil
}
