package paas

import (
	"net/http"
	"strings"
	"time"
)

// Errors of conditions ("Specifying conditional headers for Blob service
// operations").
var (
	errCondition   = &storageError{412, "ConditionNotMet", "The condition specified using HTTP conditional header(s) is not met."}
	errNotModified = &storageError{304, "ConditionNotMet", "The condition specified using HTTP conditional header(s) is not met."}
	errBlobExists  = &storageError{409, "BlobAlreadyExists", "The specified blob already exists."}
	errWrongRange  = &storageError{416, "InvalidRange", "The range specified is invalid for the current size of the resource."}
)

// met holds the conditions of a request against a stamp; nil means that there
// is nothing to hold them against.
func (c *blobCall) met(s *stamp) error {
	h := c.r.Header
	reads := c.r.Method == http.MethodGet || c.r.Method == http.MethodHead
	not := errCondition
	if reads {
		not = errNotModified
	}
	if tags := h.Get("If-Match"); tags != "" && (s == nil || !tagged(tags, s.etag)) {
		return errCondition
	}
	if tags := h.Get("If-None-Match"); tags != "" && s != nil && tagged(tags, s.etag) {
		if strings.TrimSpace(tags) == "*" && !reads {
			return errBlobExists
		}
		return not
	}
	if s == nil {
		return nil
	}
	since, err := dateOf(h, "If-Modified-Since")
	if err != nil {
		return err
	}
	if !since.IsZero() && h.Get("If-None-Match") == "" && !s.modified.After(since) {
		return not
	}
	until, err := dateOf(h, "If-Unmodified-Since")
	if err != nil {
		return err
	}
	if !until.IsZero() && h.Get("If-Match") == "" && s.modified.After(until) {
		return errCondition
	}
	return nil
}

func dateOf(h http.Header, name string) (time.Time, error) {
	text := h.Get(name)
	if text == "" {
		return time.Time{}, nil
	}
	t, err := http.ParseTime(text)
	if err != nil {
		return t, invalidHeader(name, text)
	}
	return t, nil
}

// tagged reports whether a list of entity tags has one (RFC 9110 section
// 13.1.1). Clients leave out the quotes, too.
func tagged(list, etag string) bool {
	for part := range strings.SplitSeq(list, ",") {
		part = strings.TrimSpace(part)
		if part == "*" || part == etag || `"`+part+`"` == etag {
			return true
		}
	}
	return false
}

// metBlob is met for a blob that may not be there.
func (c *blobCall) metBlob(b *blob) error {
	if b == nil {
		return c.met(nil)
	}
	return c.met(&b.stamp)
}
