package cache

import (
	"container/list"
	"net/http"
	"strings"
	"sync"
	"time"
)

// variant is one stored answer. It is not changed once it is stored; validation
// puts another in its place.
type variant struct {
	key        string
	selecting  map[string]string // the request's headers that Vary names, normalized
	status     int
	header     http.Header
	body       []byte
	trailer    http.Header
	directives directives
	life       time.Duration
	ageThen    time.Duration // when it came
	came       time.Time
	place      *list.Element
}

// age is how old the answer is (RFC 9111, 4.2.3).
func (v *variant) age(now time.Time) time.Duration {
	return min(v.ageThen+max(now.Sub(v.came), 0), maxAge)
}

// size is what the answer takes, in bytes, about.
func (v *variant) size() int64 {
	n := len(v.key) + len(v.body) + 512
	for _, h := range []http.Header{v.header, v.trailer} {
		for name, values := range h {
			n += len(name)
			for _, s := range values {
				n += len(s)
			}
		}
	}
	return int64(n)
}

// selects reports whether a request selects the answer.
func (v *variant) selects(req *http.Request) bool {
	for name, value := range v.selecting {
		if selected(req, name) != value {
			return false
		}
	}
	return true
}

// selecting returns the headers of a request that an answer's Vary names.
func selecting(req *http.Request, h http.Header) map[string]string {
	out := map[string]string{}
	for _, line := range h.Values("Vary") {
		for name := range strings.SplitSeq(line, ",") {
			if name = http.CanonicalHeaderKey(strings.TrimSpace(name)); name != "" {
				out[name] = selected(req, name)
			}
		}
	}
	return out
}

// selected is a request's header, with lines joined and white space normalized
// (RFC 9111, 4.1).
func selected(req *http.Request, name string) string {
	values := req.Header.Values(name)
	if name == "Host" {
		values = []string{req.Host}
	}
	if len(values) == 0 {
		return "\x00" // none is not the same as empty
	}
	return strings.Join(strings.Fields(strings.ReplaceAll(strings.Join(values, ","), ",", " , ")), " ")
}

// maxVariants bounds the answers of one key: a Vary on what every client has of its
// own would fill the store with what nobody asks for again.
const maxVariants = 32

// store holds answers up to a size.
type store struct {
	mu    sync.Mutex
	most  int64
	bytes int64
	keys  map[string][]*variant
	used  *list.List // of *variant, the last used first
}

func newStore(most int64) *store {
	return &store{most: most, keys: map[string][]*variant{}, used: list.New()}
}

// find returns the answer that a request selects, or nil.
func (s *store) find(key string, req *http.Request) *variant {
	s.mu.Lock()
	defer s.mu.Unlock()
	var best *variant
	for _, v := range s.keys[key] {
		if v.selects(req) && (best == nil || v.came.After(best.came)) {
			best = v
		}
	}
	if best != nil {
		s.used.MoveToFront(best.place)
	}
	return best
}

// put stores an answer in place of those with the same selecting headers.
func (s *store) put(v *variant) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if v.size() > s.most {
		return
	}
	for _, old := range s.keys[v.key] {
		if sameSelection(old, v) {
			s.drop(old)
		}
	}
	if all := s.keys[v.key]; len(all) >= maxVariants {
		s.drop(all[0])
	}
	v.place = s.used.PushFront(v)
	s.keys[v.key] = append(s.keys[v.key], v)
	s.bytes += v.size()
	s.shrink()
}

// shrink forgets what was used least until the rest fits; mu is held.
func (s *store) shrink() {
	for s.bytes > s.most {
		s.drop(s.used.Back().Value.(*variant))
	}
}

func sameSelection(a, b *variant) bool {
	if len(a.selecting) != len(b.selecting) {
		return false
	}
	for name, value := range a.selecting {
		if other, ok := b.selecting[name]; !ok || other != value {
			return false
		}
	}
	return true
}

// drop forgets an answer; mu is held.
func (s *store) drop(v *variant) {
	all := s.keys[v.key]
	for i, x := range all {
		if x != v {
			continue
		}
		s.used.Remove(v.place)
		s.bytes -= v.size()
		if all = append(all[:i:i], all[i+1:]...); len(all) == 0 {
			delete(s.keys, v.key)
		} else {
			s.keys[v.key] = all
		}
		return
	}
}

// purge forgets every answer whose key matches, and returns how many.
func (s *store) purge(match func(key string) bool) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for key, all := range s.keys {
		if !match(key) {
			continue
		}
		for _, v := range all {
			s.used.Remove(v.place)
			s.bytes -= v.size()
			n++
		}
		delete(s.keys, key)
	}
	return n
}
