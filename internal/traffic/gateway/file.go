package gateway

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
)

// maxFile bounds the file of a gateway, in bytes.
const maxFile = 4 << 20

// ReadFile reads a gateway's configuration: YAML, with the files it names beside
// it. Everything wrong is told at once, as [Problems].
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
	var doc document
	if err := yaml.UnmarshalWithOptions(content, &doc, yaml.Strict()); err != nil {
		return nil, Problems{syntax(path, err)}
	}
	b := builder{dir: filepath.Dir(path), file: path, config: &Config{Name: doc.Gateway}}
	b.build(&doc)
	if err := b.config.Check(); err != nil {
		var p Problems
		if errors.As(err, &p) {
			b.problems = append(b.problems, p...)
		}
	}
	if len(b.problems) > 0 {
		return nil, b.problems
	}
	return b.config, nil
}

// syntax is the problem of a file that cannot be read as YAML, or has what does
// not belong there.
func syntax(path string, err error) Problem {
	var e yaml.Error
	if errors.As(err, &e) && e.GetToken() != nil {
		at := e.GetToken().Position
		if strings.HasPrefix(e.GetMessage(), "could not find alias") {
			return Problem{Place(fmt.Sprintf("%s:%d:%d", path, at.Line, at.Column)), "an alias (*) is not taken here; write out what it stands for"}
		}
		return Problem{Place(fmt.Sprintf("%s:%d:%d", path, at.Line, at.Column)), e.GetMessage()}
	}
	return Problem{Place(path), err.Error()}
}

// located is an element of the file with the place where it begins.
type located[T any] struct {
	doc T
	at  spot
}

// spot is a place in the file.
type spot struct{ line, column int }

// UnmarshalYAML implements [yaml.NodeUnmarshaler].
func (l *located[T]) UnmarshalYAML(n ast.Node) error {
	first := n
	switch m := n.(type) {
	case *ast.MappingNode:
		if len(m.Values) > 0 {
			first = m.Values[0].Key
		}
	case *ast.MappingValueNode:
		first = m.Key
	}
	if t := first.GetToken(); t != nil {
		l.at = spot{t.Position.Line, t.Position.Column}
	}
	return yaml.NodeToValue(n, &l.doc, yaml.Strict())
}
