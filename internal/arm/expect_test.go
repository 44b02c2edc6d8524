package arm_test

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/ceruleannet/cerulean/internal/arm"
)

// expectation is one line of what clients of Resource Manager rely on, and a
// request whose answer shows it. Those of one list are made in order.
type expectation struct {
	says               string
	method, path, body string
	headers            []string // of the request, "Name: value"
	status             int
	code               string            // of the error
	has                map[string]string // what is at a place of the answer's body
	header             map[string]string // of the answer
	keep               map[string]string // places of the answer to remember: name -> place
}

// Values that expectations have: "*" is anything, "-" is nothing, "~X" is what
// matches the expression X, "#N" is a list of N elements, "{name}" is what was
// remembered.
func (e expectation) holds(got any, want string) bool {
	list, isList := got.([]any)
	switch {
	case want == "*":
		return got != nil && fmt.Sprint(got) != ""
	case want == "-":
		return got == nil
	case strings.HasPrefix(want, "#"):
		return isList && strconv.Itoa(len(list)) == want[1:]
	case strings.HasPrefix(want, "~"):
		return regexp.MustCompile(want[1:]).MatchString(fmt.Sprint(got))
	default:
		return got != nil && fmt.Sprint(got) == want
	}
}

// place follows "a.b.0.c" through JSON.
func place(body any, path string) any {
	var steps []any
	for p := range strings.SplitSeq(path, ".") {
		if n, err := strconv.Atoi(p); err == nil {
			steps = append(steps, n)
			continue
		}
		steps = append(steps, p)
	}
	return at(body, steps...)
}

// expect makes the requests. "@" is the network provider in the group, "{sub}"
// the subscription, "{group}" the group; "{name}" is what was remembered.
func (c *cloud) expect(t *testing.T, list []expectation) {
	known := map[string]string{"tenant": c.identity.TenantID, "base": c.base, "sub": subscription, "group": group}
	fill := func(s string) string {
		for name, v := range known {
			s = strings.ReplaceAll(s, "{"+name+"}", v)
		}
		return strings.ReplaceAll(s, "@", network)
	}
	for _, e := range list {
		t.Run(e.says, func(t *testing.T) {
			var headers []string
			for _, h := range e.headers {
				headers = append(headers, fill(h))
			}
			path := fill(e.path)
			a := c.do(e.method, path, fill(e.body), headers...)
			if a.status != e.status || a.code() != e.code {
				t.Fatalf("%s %s: %d %s, want %d %s: %.500s", e.method, path, a.status, a.code(), e.status, e.code, a.raw)
			}
			if e.code != "" && a.message() == "" {
				t.Errorf("an error without a message: %s", a.raw)
			}
			var body any = a.body
			if a.body == nil && len(a.raw) > 0 {
				body = parsed(t, a.raw)
			}
			for p, want := range e.has {
				if got := place(body, p); !e.holds(got, fill(want)) {
					t.Errorf("%s is %v, want %s\n%.2000s", p, got, fill(want), a.raw)
				}
			}
			for name, want := range e.header {
				got := any(a.header.Get(name))
				if got == "" {
					got = nil
				}
				if !e.holds(got, fill(want)) {
					t.Errorf("header %s is %v, want %s", name, got, fill(want))
				}
			}
			for name, p := range e.keep {
				if h, ok := strings.CutPrefix(p, "header "); ok {
					known[name] = a.header.Get(h)
					continue
				}
				known[name] = fmt.Sprint(place(body, p))
			}
		})
	}
}

// TestExpectations walks what clients expect of the protocol and of the network
// provider, line by line.
func TestExpectations(t *testing.T) {
	for _, part := range []struct {
		name string
		list []expectation
	}{
		{"metadata and sign-in", expectSignIn},
		{"subscriptions and groups", expectGroups},
		{"addresses of resources", expectPaths},
		{"writes and operations", expectWrites},
		{"conditions", expectConditions},
		{"errors", expectErrors},
		{"children", expectChildren},
		{"what the server fills in", expectFilled},
		{"what the service was recorded to fill in", expectRecorded},
		{"what is refused", expectRefused},
	} {
		t.Run(part.name, func(t *testing.T) {
			c := newCloud(t, func(cfg *arm.Config) { cfg.PageSize = 2 }).withGroup()
			c.expect(t, part.list)
		})
	}
}
