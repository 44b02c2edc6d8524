package main

import (
	"fmt"
	"net/url"
	"os"
	"regexp"
	"strings"

	"github.com/goccy/go-yaml"
)

// cassette is one recording.
type cassette struct {
	Interactions []interaction
}

// interaction is a request and what the service answered.
type interaction struct {
	Request struct {
		Body    any
		Headers map[string]any
		Method  string
		URI     string `yaml:"uri"`
	}
	Response struct {
		Body    struct{ String any }
		Headers map[string]any
		Status  struct{ Code int }
	}
}

func readCassette(file string) (*cassette, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var c cassette
	if err := yaml.Unmarshal(b, &c); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return &c, nil
}

// text is a body as the cassettes hold it: a string, bytes, or nothing.
func text(body any) string {
	switch b := body.(type) {
	case string:
		if quoted, ok := strings.CutPrefix(b, "b'"); ok && strings.HasSuffix(quoted, "'") {
			return bytesLiteral.Replace(strings.TrimSuffix(quoted, "'"))
		}
		return b
	case []byte:
		return string(b)
	default:
		return ""
	}
}

// bytesLiteral reads what is between the quotes of a literal of Python's bytes,
// as which older recorders wrote some bodies.
var bytesLiteral = strings.NewReplacer(`\'`, `'`, `\\`, `\`)

// header is the first value of a header of a cassette.
func header(h map[string]any, name string) string {
	for k, v := range h {
		if !strings.EqualFold(k, name) {
			continue
		}
		switch v := v.(type) {
		case string:
			return v
		case []any:
			if len(v) > 0 {
				return fmt.Sprint(v[0])
			}
		}
	}
	return ""
}

// polls are the paths of operations under way and their results.
var polls = regexp.MustCompile(`(?i)/([a-z]*(operationResults?|operationStatuses|azureAsyncOperation|asyncOperations?)|operations|profileresults)(/|\?)`)

// deploymentOperations are the steps of a deployment, which are no polls.
var deploymentOperations = regexp.MustCompile(`(?i)/deployments/[^/]+/operations(/[^/]+)?$`)

// poll reports whether an exchange asks for an operation.
func (i *interaction) poll() bool {
	u, err := url.Parse(i.Request.URI)
	return err == nil && strings.EqualFold(i.Request.Method, "GET") && polls.MatchString(u.Path+"?") && !deploymentOperations.MatchString(u.Path)
}

// management reports whether an exchange is with Resource Manager.
func (i *interaction) management() bool {
	u, err := url.Parse(i.Request.URI)
	return err == nil && strings.EqualFold(u.Hostname(), "management.azure.com")
}

// group is the name of the resource group in a path, "" if there is none, and
// whether the path is of the group itself.
func group(path string) (name string, itself bool) {
	parts := strings.Split(strings.Trim(path, "/"), "/")
	for n := 0; n+1 < len(parts); n++ {
		if strings.EqualFold(parts[n], "resourceGroups") {
			return parts[n+1], n+2 == len(parts)
		}
	}
	return "", false
}

// resourceType is the type that a path is about, with what follows the last
// name in parentheses if it is an action or a list.
func resourceType(path string) string {
	lower := strings.ToLower(path)
	n := strings.LastIndex(lower, "/providers/")
	if n < 0 {
		parts := strings.Split(strings.Trim(path, "/"), "/")
		if len(parts)%2 == 1 {
			return parts[len(parts)-1] + " (list)"
		}
		return parts[len(parts)-2]
	}
	parts := strings.Split(strings.Trim(path[n+len("/providers/"):], "/"), "/")
	t := parts[0]
	for i := 1; i < len(parts); i += 2 {
		t += "/" + parts[i]
	}
	if len(parts)%2 == 0 {
		t += " ()"
	}
	return t
}
