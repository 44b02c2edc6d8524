package waf

import (
	"html"
	"net/url"
	"strings"
)

// transforms change a value before it is compared ("WAF custom rules", transforms).
var transforms = map[string]func(string) string{
	"Lowercase":        strings.ToLower,
	"Uppercase":        strings.ToUpper,
	"Trim":             strings.TrimSpace,
	"UrlDecode":        lenient,
	"UrlEncode":        url.QueryEscape,
	"RemoveNulls":      func(s string) string { return strings.ReplaceAll(s, "\x00", "") },
	"HtmlEntityDecode": html.UnescapeString,
}
