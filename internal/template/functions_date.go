package template

import (
	"regexp"
	"strconv"
	"strings"
	"time"
)

// compact is how utcNow() writes the time.
const compact = "20060102T150405Z"

func dateFunctions() map[string]function {
	return map[string]function{
		"utcnow": {0, 1, func(s *scope, a []any) (any, error) {
			if !s.defaults {
				return nil, faultf(InvalidTemplate, "utcNow() is possible in the default value of a parameter only")
			}
			return formatTime(s.o.Now.UTC(), a)
		}},
		"datetimefromepoch": of1(asInt, func(n int64) (any, error) {
			if n < -62135596800 || n > 253402300799 {
				return nil, faultf(InvalidTemplate, "%d seconds are outside of the years 1 to 9999", n)
			}
			return time.Unix(n, 0).UTC().Format(time.RFC3339), nil
		}),
		"datetimetoepoch": of1(asTime, func(t time.Time) (any, error) { return t.Unix(), nil }),
		"datetimeadd": {2, 3, func(_ *scope, a []any) (any, error) {
			t, layout, err := timeOf(a[0])
			if err != nil {
				return nil, err
			}
			d, err := asText(a[1])
			if err != nil {
				return nil, err
			}
			t, ok := addDuration(t, d)
			if !ok {
				return nil, faultf(InvalidTemplate, "'%s' is not a duration such as PT1H or -P3D (ISO 8601)", shorten(d))
			}
			if len(a) == 2 {
				return t.Format(layout), nil
			}
			return formatTime(t, a[2:])
		}},
	}
}

func asTime(v any) (time.Time, error) {
	t, _, err := timeOf(v)
	return t, err
}

// timeOf reads a time and tells in which form it was written: dateTimeAdd()
// writes its result in the form of its base.
func timeOf(v any) (t time.Time, layout string, err error) {
	s, err := asText(v)
	if err != nil {
		return time.Time{}, "", err
	}
	for _, layout := range []string{time.RFC3339Nano, compact, time.DateTime + "Z", time.DateTime, time.DateOnly, "2006-01-02T15:04:05"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UTC(), layout, nil
		}
	}
	return time.Time{}, "", faultf(InvalidTemplate, "'%s' is not a time (ISO 8601)", shorten(s))
}

var duration = regexp.MustCompile(`^(-?)P(?:(\d+)Y)?(?:(\d+)M)?(?:(\d+)W)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?$`)

func addDuration(t time.Time, s string) (time.Time, bool) {
	m := duration.FindStringSubmatch(s)
	if m == nil || strings.HasSuffix(s, "P") || strings.HasSuffix(s, "T") {
		return t, false
	}
	var n [7]int
	for i := range n {
		if m[i+2] == "" {
			continue
		}
		v, err := strconv.Atoi(m[i+2])
		if err != nil || v > 1_000_000 {
			return t, false
		}
		if n[i] = v; m[1] == "-" {
			n[i] = -v
		}
	}
	t = t.AddDate(n[0], n[1], 7*n[2]+n[3])
	return t.Add(time.Duration(n[4])*time.Hour + time.Duration(n[5])*time.Minute + time.Duration(n[6])*time.Second), true
}

// timeWords are the parts of .NET's custom formats of times, longest first, and
// Go's.
var timeWords = []struct{ net, layout string }{
	{"yyyy", "2006"},
	{"yy", "06"},
	{"MMMM", "January"},
	{"MMM", "Jan"},
	{"MM", "01"},
	{"M", "1"},
	{"dddd", "Monday"},
	{"ddd", "Mon"},
	{"dd", "02"},
	{"d", "2"},
	{"HH", "15"},
	{"hh", "03"},
	{"h", "3"},
	{"mm", "04"},
	{"m", "4"},
	{"ss", "05"},
	{"s", "5"},
	{"fff", "000"},
	{"tt", "PM"},
	{"zzz", "-07:00"},
}

// formatTime writes a time in a custom format, or one of the standard ones d, u,
// s and o.
func formatTime(t time.Time, format []any) (any, error) {
	if len(format) == 0 {
		return t.Format(compact), nil
	}
	f, err := asText(format[0])
	if err != nil {
		return nil, err
	}
	switch f {
	case "d":
		return t.Format("1/2/2006"), nil
	case "u":
		return t.Format(time.DateTime) + "Z", nil
	case "s":
		return t.Format("2006-01-02T15:04:05"), nil
	case "o", "O":
		return t.Format("2006-01-02T15:04:05.0000000Z"), nil
	}
	var out strings.Builder
	for f != "" {
		if quote := f[0]; quote == '\'' || quote == '"' {
			if end := strings.IndexByte(f[1:], quote); end >= 0 {
				out.WriteString(f[1 : end+1])
				f = f[end+2:]
				continue
			}
		}
		n := 1
		word := f[:1]
		for _, w := range timeWords {
			if strings.HasPrefix(f, w.net) {
				n, word = len(w.net), t.Format(w.layout)
				if w.net == "fff" {
					word = t.Format(".000")[1:]
				}
				break
			}
		}
		out.WriteString(word)
		f = f[n:]
	}
	return out.String(), nil
}
