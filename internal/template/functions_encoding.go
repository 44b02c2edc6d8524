package template

import (
	"encoding/base64"
	"fmt"
	"mime"
	"net/url"
	"strings"
)

func encodingFunctions() map[string]function {
	each := func(do func(string) (any, error)) function { return of1(asText, do) }
	decode := func(s string) (string, error) {
		b, err := base64.StdEncoding.DecodeString(s)
		if err != nil {
			return "", faultf(InvalidTemplate, "'%s' is not base64", shorten(s))
		}
		return string(b), nil
	}
	return map[string]function{
		"base64":         each(func(s string) (any, error) { return base64.StdEncoding.EncodeToString([]byte(s)), nil }),
		"base64tostring": each(func(s string) (any, error) { return decode(s) }),
		"base64tojson": each(func(s string) (any, error) {
			text, err := decode(s)
			if err != nil {
				return nil, err
			}
			return fromJSON(text)
		}),
		"json": each(func(s string) (any, error) { return fromJSON(s) }),
		"datauri": each(func(s string) (any, error) {
			return "data:text/plain;charset=utf8;base64," + base64.StdEncoding.EncodeToString([]byte(s)), nil
		}),
		"datauritostring": each(func(s string) (any, error) {
			head, body, ok := strings.Cut(s, ",")
			head, found := strings.CutPrefix(head, "data:")
			if !ok || !found {
				return nil, faultf(InvalidTemplate, "'%s' is not a data URI", shorten(s))
			}
			head, coded := strings.CutSuffix(head, ";base64")
			if _, _, err := mime.ParseMediaType(head); head != "" && err != nil {
				return nil, faultf(InvalidTemplate, "'%s' is not a media type", shorten(head))
			}
			if coded {
				return decode(body)
			}
			text, err := url.PathUnescape(body)
			if err != nil {
				return nil, faultf(InvalidTemplate, "'%s' is not a data URI", shorten(s))
			}
			return text, nil
		}),
		"uri": of2(asText, asText, func(base, relative string) (any, error) {
			b, err := url.Parse(base)
			if err != nil || !b.IsAbs() {
				return nil, faultf(InvalidTemplate, "'%s' is not an absolute URI", shorten(base))
			}
			r, err := url.Parse(relative)
			if err != nil {
				return nil, faultf(InvalidTemplate, "'%s' is not a URI", shorten(relative))
			}
			return b.ResolveReference(r).String(), nil
		}),
		"uricomponent": each(func(s string) (any, error) { return component(s), nil }),
		"uricomponenttostring": each(func(s string) (any, error) {
			text, err := url.PathUnescape(s)
			if err != nil {
				return nil, faultf(InvalidTemplate, "'%s' is not an encoded string", shorten(s))
			}
			return text, nil
		}),
	}
}

// component escapes all but the unreserved characters (RFC 3986 section 2.3).
func component(s string) string {
	var out strings.Builder
	for i := range len(s) {
		switch b := s[i]; {
		case b|0x20 >= 'a' && b|0x20 <= 'z', b >= '0' && b <= '9', strings.IndexByte("-_.~", b) >= 0:
			out.WriteByte(b)
		default:
			fmt.Fprintf(&out, "%%%02X", b)
		}
	}
	return out.String()
}

func fromJSON(s string) (any, error) {
	d, err := read([]byte(s), "")
	if err != nil {
		return nil, faultf(InvalidTemplate, "'%s' is not JSON", shorten(s))
	}
	return d.value, nil
}
