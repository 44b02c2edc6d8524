package node

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/internal/live"
	"github.com/ceruleannet/cerulean/internal/observe"
	"github.com/ceruleannet/cerulean/internal/observe/filter"
)

// CaptureAsk says what to capture of a running network.
type CaptureAsk struct {
	At      []string // names of ports, as [observe.Names] has them; empty means all
	Filter  string   // as package filter reads it
	Denied  bool     // only what was not delivered
	Count   uint64   // packets to capture; 0 is no limit
	SnapLen int      // most bytes kept of a packet; 0 means observe.DefaultSnapLen
	Buffer  int      // packets that may wait for the reader; 0 means observe.DefaultBuffer
	// Duration ends the capture; 0 is no limit.
	Duration time.Duration
	// Text asks for a line of text for each sighting instead of pcapng.
	Text bool
	// Begun, if set, is called when the capture has begun.
	Begun func()
}

// maxBuffer bounds the packets that a capture may keep waiting.
const maxBuffer = 1 << 18

// countsTrailer carries what a capture counted, after its packets.
const countsTrailer = "Cerulean-Counts"

func (a *CaptureAsk) query() url.Values {
	q := url.Values{"at": a.At, "filter": {a.Filter}}
	if a.Denied {
		q.Set("denied", "true")
	}
	if a.Text {
		q.Set("text", "true")
	}
	for name, n := range map[string]int64{"count": int64(a.Count), "snaplen": int64(a.SnapLen), "buffer": int64(a.Buffer)} {
		if n != 0 {
			q.Set(name, strconv.FormatInt(n, 10))
		}
	}
	if a.Duration != 0 {
		q.Set("duration", a.Duration.String())
	}
	return q
}

func readCaptureAsk(q url.Values) (a CaptureAsk, err error) {
	a = CaptureAsk{At: q["at"], Filter: q.Get("filter"), Denied: q.Get("denied") == "true", Text: q.Get("text") == "true"}
	number := func(name string, most int64) int64 {
		text := q.Get(name)
		if text == "" || err != nil {
			return 0
		}
		n, bad := strconv.ParseInt(text, 10, 64)
		if bad != nil || n < 0 || n > most {
			err = fmt.Errorf("%s %q: use a number from 0 to %d", name, text, most)
		}
		return n
	}
	a.Count = uint64(number("count", 1<<62))
	a.SnapLen = int(number("snaplen", observe.DefaultSnapLen))
	a.Buffer = int(number("buffer", maxBuffer))
	if text := q.Get("duration"); text != "" && err == nil {
		if a.Duration, err = time.ParseDuration(text); err == nil && a.Duration < 0 {
			err = fmt.Errorf("duration %s is negative", text)
		}
	}
	return a, err
}

// newCapture makes a capture of the running network.
func (s *System) newCapture(a CaptureAsk) (*observe.Capture, error) {
	img := s.Net.Image()
	f, err := filter.Parse(a.Filter, func(name string) ([]netip.Addr, error) {
		if addrs := observe.HostAddrs(img, name); len(addrs) > 0 {
			return addrs, nil
		}
		return nil, fmt.Errorf("nothing is called %q (hosts: %s)", name, shorten(hostNames(img)))
	})
	if err != nil {
		return nil, err
	}
	for _, name := range a.At {
		known := false
		for i := range img.Ports {
			known = known || observe.Names(img, fabric.PortID(i), name)
		}
		if !known {
			return nil, fmt.Errorf("nothing is called %q; name a host, a network interface, a subnet, an address or \"internet\" (hosts: %s)", name, shorten(hostNames(img)))
		}
	}
	return observe.NewCapture(observe.CaptureOptions{
		At: a.At, Filter: f, Denied: a.Denied, SnapLen: a.SnapLen, Buffer: a.Buffer, Flows: s.Net,
	}), nil
}

func hostNames(img *fabric.Image) []string {
	var out []string
	for i := range img.Ports {
		if host := labelOf(&img.Ports[i], "host"); host != "" && !slices.Contains(out, host) {
			out = append(out, host)
		}
	}
	return out
}

// capture streams packets until the asker has enough, closes its request's body
// or goes away, or the network ends.
func (s *System) capture(w http.ResponseWriter, r *http.Request) {
	// Without this even a refusal would wait for the body's end.
	stream := http.NewResponseController(w)
	if err := stream.EnableFullDuplex(); err != nil {
		refuse(w, http.StatusInternalServerError, err)
		return
	}
	// What is left of the body may end after this request did; net/http must not
	// wait for another on the same connection.
	w.Header().Set("Connection", "close")
	ask, err := readCaptureAsk(r.URL.Query())
	if err != nil {
		refuse(w, http.StatusBadRequest, err)
		return
	}
	c, err := s.newCapture(ask)
	if err != nil {
		refuse(w, http.StatusBadRequest, err)
		return
	}
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	defer context.AfterFunc(s.running, cancel)()
	if ask.Duration > 0 {
		ctx, cancel = context.WithTimeout(ctx, ask.Duration)
		defer cancel()
	}
	enough := make(chan struct{})
	go func() {
		defer close(enough)
		_, _ = io.Copy(io.Discard, r.Body)
		cancel()
	}()
	defer func() {
		_ = stream.SetReadDeadline(time.Unix(1, 0)) // nobody reads on after this request
		<-enough
	}()
	w.Header().Set("Trailer", countsTrailer)
	w.Header().Set("Content-Type", "application/octet-stream")
	stop := s.Net.Tap(func(x *live.Sight) { c.Tap((*observe.Sight)(x)) })
	defer stop()
	w.WriteHeader(http.StatusOK)
	_ = s.pump(ctx, c, ask, w, stream.Flush) // an asker that went away is told nothing
	stop()
	if counts, err := json.Marshal(c.Counts()); err == nil {
		w.Header().Set(countsTrailer, string(counts))
	}
}

// pump writes what a capture takes, until ctx ends or there is enough.
func (s *System) pump(ctx context.Context, c *observe.Capture, ask CaptureAsk, w io.Writer, flush func() error) error {
	out := bufio.NewWriterSize(w, 1<<16)
	send := func() error {
		if err := out.Flush(); err != nil {
			return err
		}
		return flush()
	}
	write := func(p *observe.Packet) error {
		_, err := fmt.Fprintln(out, p.Line())
		return err
	}
	if !ask.Text {
		file, err := observe.NewFile(out, s.Net.Image(), ask.Filter, ask.SnapLen, time.Now())
		if err != nil {
			return err
		}
		write = file.Write
		defer func() {
			_ = file.Close(c.Counts(), time.Now())
			_ = send()
		}()
	}
	if err := send(); err != nil {
		return err
	}
	for {
		p, ok := c.Next(ctx.Done())
		if !ok {
			return send()
		}
		if err := write(p); err != nil {
			return err
		}
		if ask.Count > 0 && p.ID >= ask.Count && p.Last {
			return send()
		}
		if c.Idle() {
			if err := send(); err != nil {
				return err
			}
		}
	}
}

// Capture copies what a running network captures to w, until there is enough or
// ctx ends, and returns what was counted.
func (r *Remote) Capture(ctx context.Context, ask CaptureAsk, w io.Writer) (observe.Counts, error) {
	var counts observe.Counts
	// The request's body says by its end that this side has enough. The answer is
	// then read to its own end, which ctx must not cut off.
	body, enough := io.Pipe()
	defer enough.Close()
	defer context.AfterFunc(ctx, func() { enough.Close() })()
	last, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(capturePatience, cancel) })()
	req, err := http.NewRequestWithContext(last, http.MethodPost, "http://cerulean/v1/capture?"+ask.query().Encode(), body)
	if err != nil {
		return counts, err
	}
	resp, err := r.client.Do(req)
	if err != nil {
		return counts, fmt.Errorf("the running network does not answer: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return counts, refusal(resp)
	}
	if ask.Begun != nil {
		ask.Begun()
	}
	if _, err := io.Copy(w, resp.Body); err != nil {
		return counts, fmt.Errorf("the capture was cut off: %w", err)
	}
	err = json.Unmarshal([]byte(resp.Trailer.Get(countsTrailer)), &counts)
	return counts, err
}

// capturePatience is how long the rest of a capture may take to come after it
// was told to end.
const capturePatience = 10 * time.Second

// CaptureFiles returns what writes a capture to a file, or, if limit is not 0,
// to files of at most so many bytes of which the last most are kept (0: all).
func CaptureFiles(name string, limit int64, most int) io.WriteCloser {
	return observe.NewRing(name, limit, most)
}
