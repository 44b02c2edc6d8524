package discovery

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"regexp"
	"time"
)

// Limits of a registry.
const (
	MaxServices  = 4096
	MaxInstances = 4096 // of one service
	MaxTotal     = 1 << 16
	MaxMetadata  = 64  // entries of one instance
	maxText      = 256 // bytes of a key or value
	MinTTL       = time.Second
	MaxTTL       = time.Hour
)

// label is the form of the names of services and instances: a DNS label
// (RFC 1123 section 2.1), so that each is a name in DNS too.
var label = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)

// Health is how an instance says it is.
type Health string

// The states of health.
const (
	Passing  Health = "passing"
	Critical Health = "critical" // registered, and not to be asked
)

// Protocol is how an instance is reached.
type Protocol string

// The protocols, as names of services in DNS have them (RFC 2782).
const (
	TCP Protocol = "tcp"
	UDP Protocol = "udp"
)

// Instance is one place where a service answers.
type Instance struct {
	Service string     `json:"service"` // a DNS label, lower case
	ID      string     `json:"id"`      // a DNS label, unique in the service
	Addr    netip.Addr `json:"addr"`
	Port    uint16     `json:"port"`
	// Protocol is how it is reached: [TCP] or [UDP]; empty means TCP.
	Protocol Protocol          `json:"protocol,omitempty"`
	Weight   int               `json:"weight,omitempty"` // 1..1000; 0 means 1
	Region   string            `json:"region,omitempty"`
	Zone     string            `json:"zone,omitempty"`
	Metadata map[string]string `json:"metadata,omitempty"`
	Health   Health            `json:"health"` // empty means passing
	// Version is that of the instance's last change. The registry sets it.
	Version uint64 `json:"version,omitempty"`
}

// AddrPort returns where the instance answers.
func (i *Instance) AddrPort() netip.AddrPort { return netip.AddrPortFrom(i.Addr, i.Port) }

// check completes an instance and finds everything wrong with it.
func (i *Instance) check() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if !label.MatchString(i.Service) {
		bad("service %q: use 1 to 63 lower-case letters, digits and '-', not at its ends", i.Service)
	}
	if !label.MatchString(i.ID) {
		bad("id %q: use 1 to 63 lower-case letters, digits and '-', not at its ends", i.ID)
	}
	if !i.Addr.IsValid() || i.Addr.IsUnspecified() || i.Addr.Zone() != "" {
		bad("addr %q: give the address where it answers", i.Addr)
	}
	if i.Port == 0 {
		bad("port 0: use 1 to 65535")
	}
	if i.Protocol == "" {
		i.Protocol = TCP
	}
	if i.Protocol != TCP && i.Protocol != UDP {
		bad("protocol %q: use tcp or udp", i.Protocol)
	}
	if i.Weight == 0 {
		i.Weight = 1
	}
	if i.Weight < 1 || i.Weight > 1000 {
		bad("weight %d: use 1 to 1000", i.Weight)
	}
	if i.Health == "" {
		i.Health = Passing
	}
	if i.Health != Passing && i.Health != Critical {
		bad("health %q: use passing or critical", i.Health)
	}
	if len(i.Metadata) > MaxMetadata {
		bad("%d entries of metadata: at most %d", len(i.Metadata), MaxMetadata)
	}
	for k, v := range i.Metadata {
		if k == "" || len(k) > maxText || len(v) > maxText {
			bad("metadata %.40q: keys and values have up to %d bytes", k, maxText)
		}
	}
	if len(i.Region) > maxText || len(i.Zone) > maxText {
		bad("region and zone have up to %d bytes", maxText)
	}
	return errors.Join(errs...)
}

// clone is a copy that shares nothing.
func (i Instance) clone() Instance {
	i.Metadata = maps.Clone(i.Metadata)
	return i
}

// same reports whether two instances differ in their versions at most.
func (i Instance) same(o Instance) bool {
	i.Addr, o.Addr = i.Addr.Unmap(), o.Addr.Unmap()
	return i.Service == o.Service && i.ID == o.ID && i.Addr == o.Addr && i.Port == o.Port && i.Protocol == o.Protocol && i.Weight == o.Weight &&
		i.Region == o.Region && i.Zone == o.Zone && i.Health == o.Health && maps.Equal(i.Metadata, o.Metadata)
}
