package template

import (
	"cmp"
	"crypto/sha1" // of UUIDs of version 5, which keep no secret
	"crypto/sha256"
	"encoding/base32"
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

func stringFunctions() map[string]function {
	both := func(do func(string, string) bool) function {
		return of2(asText, asText, func(a, b string) (any, error) { return do(strings.ToLower(a), strings.ToLower(b)), nil })
	}
	each := func(do func(string) string) function {
		return of1(asText, func(s string) (any, error) { return do(s), nil })
	}
	return map[string]function{
		"startswith": both(strings.HasPrefix),
		"endswith":   both(strings.HasSuffix),
		"tolower":    each(strings.ToLower),
		"toupper":    each(strings.ToUpper),
		"trim":       each(strings.TrimSpace),
		"format":     {1, -1, formatted},
		"join": of2(asList, asText, func(l []any, by string) (any, error) {
			parts := make([]string, len(l))
			for i, e := range l {
				s, err := asPlain(e)
				if err != nil {
					return nil, err
				}
				parts[i] = s
			}
			return strings.Join(parts, by), nil
		}),
		"padleft": {2, 3, func(_ *scope, a []any) (any, error) {
			s, err := asPlain(a[0])
			if err != nil {
				return nil, err
			}
			n, err := asInt(a[1])
			if err != nil {
				return nil, err
			}
			pad := " "
			if len(a) == 3 {
				if pad, err = asText(a[2]); err != nil || len([]rune(pad)) != 1 {
					return nil, faultf(InvalidTemplate, "one character is needed to pad with, not %s", show(a[2]))
				}
			}
			if n > maxList {
				return nil, faultf(InvalidTemplate, "at most %d characters can be made", maxList)
			}
			return strings.Repeat(pad, max(0, int(n)-len([]rune(s)))) + s, nil
		}},
		"replace": {3, 3, func(_ *scope, a []any) (any, error) {
			s, err := texts(a)
			if err != nil {
				return nil, err
			}
			if s[1] == "" {
				return nil, faultf(InvalidTemplate, "nothing cannot be replaced")
			}
			if strings.Count(s[0], s[1])*len(s[2]) > maxSize {
				return nil, faultf(InvalidTemplate, "the result has more than %d bytes", maxSize)
			}
			return strings.ReplaceAll(s[0], s[1], s[2]), nil
		}},
		"split": {2, 2, func(_ *scope, a []any) (any, error) {
			s, err := asText(a[0])
			if err != nil {
				return nil, err
			}
			var by []string
			switch v := a[1].(type) {
			case string:
				by = []string{v}
			case []any:
				if by, err = texts(v); err != nil {
					return nil, err
				}
			default:
				return nil, faultf(InvalidTemplate, "a string or an array of strings is needed, not %s", kindOf(v))
			}
			return splitAny(s, by), nil
		}},
		"string": {1, 1, func(_ *scope, a []any) (any, error) {
			switch v := a[0].(type) {
			case []any, map[string]any:
				return toJSON(v)
			default:
				return asPlain(v)
			}
		}},
		"substring": {2, 3, func(_ *scope, a []any) (any, error) {
			s, err := asText(a[0])
			if err != nil {
				return nil, err
			}
			r := []rune(s)
			from, err := asInt(a[1])
			if err != nil {
				return nil, err
			}
			n := int64(len(r)) - from
			if len(a) == 3 {
				if n, err = asInt(a[2]); err != nil {
					return nil, err
				}
			}
			if from < 0 || n < 0 || from > int64(len(r)) || n > int64(len(r))-from {
				return nil, faultf(InvalidTemplate, "%d characters from the index %d are not within the string, which has %d", n, from, len(r))
			}
			return string(r[from : from+n]), nil
		}},
		"guid": {1, -1, func(_ *scope, a []any) (any, error) {
			s, err := texts(a)
			if err != nil {
				return nil, err
			}
			return nameUUID(strings.Join(s, "-")), nil
		}},
		"newguid": {0, 0, func(s *scope, _ []any) (any, error) {
			if !s.defaults {
				return nil, faultf(InvalidTemplate, "newGuid() is possible in the default value of a parameter only")
			}
			return s.o.NewGUID(), nil
		}},
		"uniquestring": {1, -1, func(_ *scope, a []any) (any, error) {
			s, err := texts(a)
			if err != nil {
				return nil, err
			}
			sum := sha256.Sum256([]byte(strings.Join(s, "-")))
			return strings.ToLower(base32.StdEncoding.EncodeToString(sum[:]))[:13], nil
		}},
	}
}

// urlNamespace is the namespace of URLs (RFC 9562 section 6.6). Azure's own is not
// published: the values of guid() are not Azure's.
const urlNamespace = "\x6b\xa7\xb8\x11\x9d\xad\x11\xd1\x80\xb4\x00\xc0\x4f\xd4\x30\xc8"

// nameUUID is the UUID of version 5 of a name (RFC 9562 section 5.5).
func nameUUID(name string) string {
	sum := sha1.Sum([]byte(urlNamespace + name))
	sum[6] = sum[6]&0x0f | 0x50
	sum[8] = sum[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", sum[:4], sum[4:6], sum[6:8], sum[8:10], sum[10:16])
}

// asPlain is a string or what string() makes of a number or boolean: True, as
// .NET writes it.
func asPlain(v any) (string, error) {
	switch v := v.(type) {
	case string:
		return v, nil
	case int64:
		return strconv.FormatInt(v, 10), nil
	case float64:
		return strconv.FormatFloat(v, 'g', -1, 64), nil
	case bool:
		if v {
			return "True", nil
		}
		return "False", nil
	case nil:
		return "", nil
	}
	return "", faultf(InvalidTemplate, "a string is needed, not %s", kindOf(v))
}

func texts(a []any) ([]string, error) {
	out := make([]string, len(a))
	for i, v := range a {
		s, err := asText(v)
		if err != nil {
			return nil, err
		}
		out[i] = s
	}
	return out, nil
}

// splitAny splits at every one of several separators.
func splitAny(s string, by []string) []any {
	out, rest := []any{}, s
	for {
		at, width := -1, 0
		for _, b := range by {
			if i := strings.Index(rest, b); b != "" && i >= 0 && (at < 0 || i < at) {
				at, width = i, len(b)
			}
		}
		if at < 0 {
			return append(out, rest)
		}
		out = append(out, rest[:at])
		rest = rest[at+width:]
	}
}

var placeholder = regexp.MustCompile(`\{\{|\}\}|\{(\d+)(,-?\d+)?(?::([^{}]*))?\}`)

// formatted is format(): .NET's composite formatting, with its alignment and of
// its formats those of integers: D, F, N, X and zeros.
func formatted(_ *scope, a []any) (any, error) {
	pattern, err := asText(a[0])
	if err != nil {
		return nil, err
	}
	var wrong error
	out := placeholder.ReplaceAllStringFunc(pattern, func(m string) string {
		if m == "{{" || m == "}}" {
			return m[:1]
		}
		parts := placeholder.FindStringSubmatch(m)
		i, _ := strconv.Atoi(parts[1])
		if i+1 >= len(a) || len(parts[1]) > 4 {
			wrong = faultf(InvalidTemplate, "%s has no argument: there are %d", m, len(a)-1)
			return ""
		}
		v := a[i+1]
		var s string
		switch v.(type) {
		case []any, map[string]any:
			s, wrong = toJSON(v)
		default:
			s, wrong = asPlain(v)
		}
		if n, ok := v.(int64); ok && parts[3] != "" {
			if s, ok = integerAs(n, parts[3]); !ok {
				wrong = faultf(InvalidTemplate, "the format '%s' of a number is not known", parts[3])
			}
		}
		if width, err := strconv.Atoi(strings.TrimPrefix(parts[2], ",")); err == nil && max(width, -width) <= 1000 {
			s = fmt.Sprintf("%*s", width, s)
		}
		return s
	})
	if wrong != nil {
		return nil, wrong
	}
	return out, nil
}

// number16 writes a number in one of .NET's standard formats.
func integerAs(n int64, format string) (string, bool) {
	digits, err := strconv.Atoi(cmp.Or(format[1:], "0"))
	if err != nil || digits > 100 {
		return "", false
	}
	switch format[0] {
	case 'D', 'd':
		if n < 0 {
			digits++
		}
		return fmt.Sprintf("%0*d", digits, n), true
	case 'X':
		return fmt.Sprintf("%0*X", digits, uint64(n)), true
	case 'x':
		return fmt.Sprintf("%0*x", digits, uint64(n)), true
	case 'F', 'f', 'N', 'n':
		if len(format) == 1 {
			digits = 2
		}
		text := strconv.FormatInt(n, 10)
		if format[0] == 'N' || format[0] == 'n' {
			for i := len(text) - 3; i > 0 && text[i-1] != '-'; i -= 3 {
				text = text[:i] + "," + text[i:]
			}
		}
		if digits > 0 {
			text += "." + strings.Repeat("0", digits)
		}
		return text, true
	case '0':
		return fmt.Sprintf("%0*d", len(format), n), strings.Trim(format, "0") == ""
	}
	return "", false
}

func toJSON(v any) (string, error) {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return "", faultf(InvalidTemplate, "%v", err)
	}
	return strings.TrimSuffix(b.String(), "\n"), nil
}
