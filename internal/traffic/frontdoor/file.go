package frontdoor

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"

	"github.com/ceruleannet/cerulean/internal/traffic/waf"
)

// maxFile bounds the file of a profile, in bytes.
const maxFile = 4 << 20

// document is the file.
type document struct {
	FrontDoor    string `yaml:"frontDoor"`
	ID           string `yaml:"id"`
	Timeout      string
	Roots        string
	Edges        []located[edgeDoc]
	Certificates []located[certificateDoc]
	OriginGroups []located[groupDoc] `yaml:"originGroups"`
	Routes       []located[routeDoc]
	RuleSets     []located[ruleSetDoc]  `yaml:"ruleSets"`
	Firewalls    []located[firewallDoc] `yaml:"wafPolicies"`
}

// located is an element and where it begins.
type located[T any] struct {
	doc          T
	line, column int
}

// UnmarshalYAML implements [yaml.NodeUnmarshaler].
func (l *located[T]) UnmarshalYAML(n ast.Node) error {
	at := n
	if m, ok := n.(*ast.MappingNode); ok && len(m.Values) > 0 {
		at = m.Values[0].Key
	} else if v, ok := n.(*ast.MappingValueNode); ok {
		at = v.Key
	}
	if t := at.GetToken(); t != nil {
		l.line, l.column = t.Position.Line, t.Position.Column
	}
	return yaml.NodeToValue(n, &l.doc, yaml.Strict())
}

type edgeDoc struct {
	Name, Region, Address string
	Port                  uint16
	TLSPort               uint16 `yaml:"tlsPort"`
}

type certificateDoc struct {
	Domains          []string
	Certificate, Key string
	MinTLS           string `yaml:"minTLS"`
}

type groupDoc struct {
	Name               string
	Origins            []located[originDoc]
	LatencySensitivity string `yaml:"latencySensitivity"`
	Samples            int
	Successful         int
	Affinity           bool
	Probe              *located[probeDoc]
}

type probeDoc struct{ Path, Method, Protocol, Interval string }

type originDoc struct {
	Name       string
	Host       string
	Port       uint16
	TLSPort    uint16 `yaml:"tlsPort"`
	HostHeader string `yaml:"hostHeader"`
	Region     string
	Priority   int
	Weight     int
	Disabled   bool
	AnyName    bool `yaml:"anyCertificateName"`
}

type routeDoc struct {
	Name       string
	Domains    []string
	Patterns   []string
	Protocols  []string
	Redirect   bool `yaml:"httpsRedirect"`
	Forwarding Forwarding
	Group      string `yaml:"originGroup"`
	OriginPath string `yaml:"originPath"`
	Cache      *cacheDoc
	RuleSets   []string `yaml:"ruleSets"`
	Disabled   bool
}

type cacheDoc struct {
	Query    string
	Names    []string
	TTL      string `yaml:"ttl"`
	Override bool
	Compress any
}

type ruleSetDoc struct {
	Name  string
	Rules []located[ruleDoc]
}

type ruleDoc struct {
	Name  string
	Order int
	When  []located[conditionDoc]
	Do    []located[actionDoc]
	Stop  bool
}

type conditionDoc struct {
	Variable, Selector, Operator string
	Not                          bool
	Values                       []string
	Transforms                   []string
}

type actionDoc struct {
	RequestHeader  *HeaderDoc `yaml:"requestHeader"`
	ResponseHeader *HeaderDoc `yaml:"responseHeader"`
	Redirect       *struct {
		Status                              int
		Protocol, Host, Path, Query, Anchor string
	}
	Rewrite *struct {
		Source, Destination string
		KeepUnmatched       bool `yaml:"keepUnmatched"`
	}
	Override *struct {
		Group      string `yaml:"originGroup"`
		Forwarding Forwarding
		Cache      *cacheDoc
		NoCache    bool `yaml:"noCache"`
	}
}

// HeaderDoc is exported because the decoder fills it.
type HeaderDoc struct{ Action, Name, Value string }

type firewallDoc struct {
	Name       string
	Mode       waf.Mode
	Disabled   bool
	Domains    []string
	RedirectTo string `yaml:"redirectTo"`
	Managed    []struct {
		Type, Version string
		Overrides     []struct {
			Group    string
			Rule     int
			Disabled bool
			Action   waf.Action
		}
	}
	Exclusions []struct {
		Variable, Operator, Selector string
		Groups                       []string
		Rules                        []int
	}
	Custom []struct {
		Name     string
		Priority int
		Disabled bool
		Action   waf.Action
		Rate     *struct {
			Threshold, Minutes int
			By                 string
		}
		When []struct {
			Variables  []string
			Operator   string
			Not        bool
			Values     []string
			Transforms []string
		}
	}
	Block *struct {
		Status int
		Page   string
	}
}

// ReadFile reads a profile's file. Everything wrong is told, with the file, line
// and column where it is.
func ReadFile(path string) (*Config, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.Size() > maxFile {
		return nil, fmt.Errorf("%s is larger than %d bytes", path, maxFile)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return Parse(path, b)
}

// Parse is ReadFile of a file's content; path says where it is from.
func Parse(path string, content []byte) (*Config, error) {
	var d document
	if err := yaml.UnmarshalWithOptions(content, &d, yaml.Strict()); err != nil {
		var e yaml.Error
		if errors.As(err, &e) && e.GetToken() != nil {
			at := e.GetToken().Position
			return nil, Problems{{Place(fmt.Sprintf("%s:%d:%d", path, at.Line, at.Column)), e.GetMessage()}}
		}
		return nil, Problems{{Place(path), err.Error()}}
	}
	b := builder{file: path, dir: filepath.Dir(path)}
	b.config = &Config{Name: d.FrontDoor, ID: d.ID, Place: b.place(1, 1)}
	b.build(&d)
	var more Problems
	if errors.As(b.config.Check(), &more) {
		b.problems = append(b.problems, more...)
	}
	if len(b.problems) > 0 {
		return nil, b.problems
	}
	return b.config, nil
}

// builder makes a profile of its file.
type builder struct {
	file, dir string
	config    *Config
	problems  Problems
}

func (b *builder) place(line, column int) Place {
	return Place(fmt.Sprintf("%s:%d:%d", b.file, line, column))
}

func placeOf[T any](b *builder, l *located[T]) Place { return b.place(l.line, l.column) }

// beside is a path beside the file.
func (b *builder) beside(path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(b.dir, path)
}

func (b *builder) duration(at Place, what, s string) time.Duration {
	if s == "" {
		return 0
	}
	t, err := time.ParseDuration(s)
	if err != nil || t < 0 {
		b.problems.add(at, "%s: %q is no duration; write 30s", what, s)
	}
	return t
}

func (b *builder) edges(list []located[edgeDoc]) {
	taken := map[netip.AddrPort]string{}
	for i := range list {
		d, at := &list[i].doc, placeOf(b, &list[i])
		a, err := netip.ParseAddr(or(d.Address, "127.0.0.1"))
		if err != nil {
			b.problems.add(at, "edge %s: %q is no address", d.Name, d.Address)
			continue
		}
		e := Edge{Name: d.Name, Region: d.Region, Place: at}
		for _, x := range []struct {
			port uint16
			into *netip.AddrPort
		}{{d.Port, &e.Address}, {d.TLSPort, &e.Secure}} {
			if x.port == 0 {
				continue
			}
			*x.into = netip.AddrPortFrom(a, x.port)
			if other, ok := taken[*x.into]; ok {
				b.problems.add(at, "edge %s listens at %s, where edge %s does", d.Name, *x.into, other)
			}
			taken[*x.into] = d.Name
		}
		if slices.ContainsFunc(b.config.Edges, func(x Edge) bool { return x.Name == d.Name }) {
			b.problems.add(at, "a second edge is called %s; rename one", d.Name)
			continue
		}
		b.config.Edges = append(b.config.Edges, e)
	}
}
