package az

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
)

// step is one command of a story and what must come of it.
//
//	$ az network vnet show -g $GROUP -n hub --query addressSpace.addressPrefixes
//	["10.0.0.0/16"]
//
//	$ az network nsg delete -g $GROUP -n web
//	! InUseNetworkSecurityGroupCannotBeDeleted
//
// Lines after the command are the JSON it must print, compared as values, or
// "!" and a text that its refusal must have, or "=" and the name of a variable
// that takes what it prints. No line means that it must succeed and print
// nothing; "ok" that what it prints does not matter. Lines that start with "#"
// are comments; "$ az ... \" goes on in the next line.
type step struct {
	line    int
	args    []string
	refusal string // must fail and say this
	save    string // takes the output
	any     bool   // the output does not matter
	want    any    // the JSON of the output; nil with none set means no output
	silent  bool
}

// parseStory reads the steps of a story.
func parseStory(r io.Reader) ([]step, error) {
	var steps []step
	var body strings.Builder
	finish := func() error {
		if len(steps) == 0 {
			if strings.TrimSpace(body.String()) != "" {
				return errors.New("an expectation comes before the first command")
			}
			return nil
		}
		s := &steps[len(steps)-1]
		text := strings.TrimSpace(body.String())
		body.Reset()
		switch {
		case text == "":
			s.silent = true
		case text == "ok":
			s.any = true
		case strings.HasPrefix(text, "! "):
			s.refusal = strings.TrimSpace(text[2:])
		case strings.HasPrefix(text, "= "):
			s.save = strings.TrimSpace(text[2:])
		default:
			if err := json.Unmarshal([]byte(text), &s.want); err != nil {
				return fmt.Errorf("line %d: what `az %s` must print is no JSON: %w", s.line, strings.Join(s.args, " "), err)
			}
		}
		return nil
	}
	scanner := bufio.NewScanner(r)
	number, command := 0, ""
	for scanner.Scan() {
		number++
		line := strings.TrimRight(scanner.Text(), " \t")
		switch {
		case command != "":
			command += " " + strings.TrimSpace(line)
		case strings.HasPrefix(line, "$ az "):
			if err := finish(); err != nil {
				return nil, err
			}
			command = strings.TrimPrefix(line, "$ az ")
			steps = append(steps, step{line: number})
		case strings.HasPrefix(line, "#"):
			continue
		default:
			body.WriteString(line + "\n")
			continue
		}
		if rest, more := strings.CutSuffix(command, "\\"); more {
			command = strings.TrimSpace(rest)
			continue
		}
		args, err := splitWords(command)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", number, err)
		}
		steps[len(steps)-1].args, command = args, ""
	}
	if err := scanner.Err(); err != nil {
		return nil, err
	}
	if command != "" {
		return nil, fmt.Errorf("line %d: the story ends within a command", number)
	}
	if err := finish(); err != nil {
		return nil, err
	}
	return steps, nil
}

// splitWords splits a command as a shell would: at spaces, except between
// quotes of either kind, which go.
func splitWords(s string) ([]string, error) {
	var words []string
	var word strings.Builder
	quote, within := rune(0), false
	for _, r := range s {
		switch {
		case quote != 0 && r == quote:
			quote = 0
		case quote != 0:
			word.WriteRune(r)
		case r == '\'' || r == '"':
			quote, within = r, true
		case r == ' ' || r == '\t':
			if within {
				words = append(words, word.String())
				word.Reset()
			}
			within = false
		default:
			word.WriteRune(r)
			within = true
		}
	}
	if quote != 0 {
		return nil, fmt.Errorf("a quote (%c) is not closed", quote)
	}
	if within {
		words = append(words, word.String())
	}
	return words, nil
}

// expand puts variables ($NAME) into a text. A longer name goes before a shorter
// one that begins it.
func expand(text string, variables map[string]string) (string, error) {
	var out strings.Builder
	for {
		i := strings.IndexByte(text, '$')
		if i < 0 || i == len(text)-1 {
			out.WriteString(text)
			return out.String(), nil
		}
		n := i + 1
		for n < len(text) && (text[n] == '_' || text[n] >= 'A' && text[n] <= 'Z' || text[n] >= '0' && text[n] <= '9') {
			n++
		}
		name := text[i+1 : n]
		out.WriteString(text[:i])
		switch value, ok := variables[name]; {
		case name == "": // a dollar sign
			out.WriteByte('$')
		case !ok:
			return "", fmt.Errorf("there is no variable $%s", name)
		default:
			out.WriteString(value)
		}
		text = text[n:]
	}
}

// check says what is wrong with what a command printed and how it ended; nil if
// it is as the step wants it. It keeps what the step saves.
func (s step) check(stdout, stderr string, failed bool, variables map[string]string) error {
	switch {
	case s.refusal != "" && !failed:
		return fmt.Errorf("it succeeded; it must fail with %s", s.refusal)
	case s.refusal != "":
		want, err := expand(s.refusal, variables)
		if err != nil {
			return err
		}
		if !strings.Contains(stderr, want) {
			return fmt.Errorf("it must fail with %s", want)
		}
		if strings.Contains(stderr, "Traceback") {
			return errors.New("it broke down")
		}
		return nil
	case failed:
		return errors.New("it failed")
	}
	text := strings.TrimSpace(stdout)
	switch {
	case s.any:
		return nil
	case s.save != "":
		if text == "" {
			return errors.New("it printed nothing")
		}
		variables[s.save] = text
		return nil
	case s.silent:
		if text != "" {
			return errors.New("it must print nothing")
		}
		return nil
	}
	var got any
	if err := json.Unmarshal([]byte(text), &got); err != nil {
		return fmt.Errorf("it did not print JSON: %w", err)
	}
	b, err := json.Marshal(s.want)
	if err != nil {
		return err
	}
	text, err = expand(string(b), variables)
	if err != nil {
		return err
	}
	var want any
	if err := json.Unmarshal([]byte(text), &want); err != nil {
		return err
	}
	if !reflect.DeepEqual(got, want) {
		return fmt.Errorf("it must print %s", text)
	}
	return nil
}
