package node

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
)

// Shells are the forms [Environment.Write] knows. "bash" is for every shell
// that follows POSIX.
var Shells = []string{"bash", "fish", "powershell", "json"}

// Write writes commands that set the variables in a shell, with comments, or
// all of them as one JSON object. Whatever is in a value, the shell takes it
// literally.
func (e Environment) Write(w io.Writer, shell string) error {
	var set func(Variable) string
	switch shell {
	case "bash":
		set = func(v Variable) string { return "export " + v.Name + "=" + quotePOSIX(v.Value) }
	case "fish":
		set = func(v Variable) string { return "set -gx " + v.Name + " " + quoteFish(v.Value) }
	case "powershell":
		set = func(v Variable) string {
			// PowerShell takes the curved quotes for straight ones.
			return "$env:" + v.Name + " = '" + strings.NewReplacer("'", "''", "‘", "‘‘", "’", "’’", "‚", "‚‚", "‛", "‛‛").Replace(v.Value) + "'"
		}
	case "json":
		all := map[string]string{}
		for _, g := range e.Groups {
			for _, v := range g.Variables {
				all[v.Name] = v.Value
			}
		}
		enc := json.NewEncoder(w)
		enc.SetIndent("", "  ")
		enc.SetEscapeHTML(false)
		return enc.Encode(all)
	default:
		return fmt.Errorf("unknown shell %q; use %s", shell, strings.Join(Shells, ", "))
	}
	for _, g := range e.Groups {
		if _, err := fmt.Fprintf(w, "# %s\n", g.For); err != nil {
			return err
		}
		for _, v := range g.Variables {
			if _, err := fmt.Fprintln(w, set(v)); err != nil {
				return err
			}
		}
	}
	return nil
}

// quotePOSIX quotes a word where it must be (POSIX.1-2017, Shell Command
// Language, 2.2.2).
func quotePOSIX(s string) string {
	plain := s != ""
	for _, r := range s {
		plain = plain && (r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_./:,@%+=", r))
	}
	if plain {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// quoteFish quotes a word: in fish's single quotes, a backslash stands before a
// quote or a backslash ("The fish language", Quotes).
func quoteFish(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(s) + "'"
}
