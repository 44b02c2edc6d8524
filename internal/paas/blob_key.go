package paas

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// signedFor is how far the date of a signed request may lie in the past or the
// future ("Authorize with Shared Key": 15 minutes).
const signedFor = 15 * time.Minute

// checkSignature verifies a request signed with one of the account's keys.
func (c *blobCall) checkSignature(header string) error {
	_, rest, _ := strings.Cut(header, " ")
	name, signature, ok := strings.Cut(strings.TrimSpace(rest), ":")
	if !ok || !strings.EqualFold(name, c.id.Name()) {
		return authenticationFailed("The account of the signature is not %s.", c.id.Name())
	}
	given, err := base64.StdEncoding.DecodeString(signature)
	if err != nil {
		return authenticationFailed("The signature is not Base64.")
	}
	date := c.r.Header.Get("X-Ms-Date")
	if date == "" {
		date = c.r.Header.Get("Date")
	}
	at, err := http.ParseTime(date)
	if err != nil || at.Sub(c.now).Abs() > signedFor {
		return authenticationFailed("Request date header too old or missing: %q.", date)
	}
	text := stringToSign(c.r, c.id.Name())
	for _, key := range c.planes.cloud.AccountKeys(c.doc) {
		m := hmac.New(sha256.New, key)
		m.Write([]byte(text))
		if hmac.Equal(m.Sum(nil), given) {
			return nil
		}
	}
	return authenticationFailed("The MAC signature found in the HTTP request is not the same as any computed signature. Server used following string to sign: %q.", text)
}

// stringToSign is what a signature of the scheme SharedKey signs, for versions
// from 2015-02-21 on ("Authorize with Shared Key").
func stringToSign(r *http.Request, account string) string {
	length := r.Header.Get("Content-Length")
	if length == "" && r.ContentLength > 0 {
		length = itoa(r.ContentLength)
	}
	if length == "0" {
		length = ""
	}
	date := r.Header.Get("Date")
	if r.Header.Get("X-Ms-Date") != "" {
		date = ""
	}
	h := r.Header
	lines := []string{
		r.Method, h.Get("Content-Encoding"), h.Get("Content-Language"), length, h.Get("Content-Md5"), h.Get("Content-Type"), date,
		h.Get("If-Modified-Since"), h.Get("If-Match"), h.Get("If-None-Match"), h.Get("If-Unmodified-Since"), h.Get("Range"),
	}
	return strings.Join(lines, "\n") + "\n" + canonicalHeaders(h) + canonicalResource(r.URL, account)
}

// canonicalHeaders are the x-ms- headers, each with a line end.
func canonicalHeaders(h http.Header) string {
	var names []string
	values := map[string]string{}
	for name, list := range h {
		low := strings.ToLower(name)
		if strings.HasPrefix(low, "x-ms-") {
			names = append(names, low)
			values[low] = strings.Join(strings.Fields(strings.Join(list, ",")), " ")
		}
	}
	slices.Sort(names)
	var b strings.Builder
	for _, name := range names {
		b.WriteString(name + ":" + values[name] + "\n")
	}
	return b.String()
}

// canonicalResource is the path with the account before it, and the query's
// parameters in order.
func canonicalResource(u *url.URL, account string) string {
	var b strings.Builder
	b.WriteString("/" + account)
	if path := u.EscapedPath(); path != "" {
		b.WriteString(path)
	} else {
		b.WriteString("/")
	}
	query := map[string][]string{}
	for name, list := range u.Query() {
		low := strings.ToLower(name)
		query[low] = append(query[low], list...)
	}
	names := make([]string, 0, len(query))
	for name := range query {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		slices.Sort(query[name])
		b.WriteString("\n" + name + ":" + strings.Join(query[name], ","))
	}
	return b.String()
}
