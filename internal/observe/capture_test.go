package observe

import (
	"bytes"
	"io"
	"math/rand/v2"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ceruleannet/cerulean/internal/engine"
	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/internal/fabric/fabrictest"
	"github.com/ceruleannet/cerulean/internal/observe/filter"
	"github.com/ceruleannet/cerulean/internal/observe/pcapng"
)

// noon is when tests begin.
var noon = time.Date(2026, 11, 21, 12, 0, 0, 123_456_789, time.UTC)

// process lets the engine move a packet and returns what a tap would show.
func process(e *engine.Engine, now time.Duration, at fabric.PortID, pkt []byte) Sight {
	s := Sight{Time: noon.Add(now), Image: e.Image(), Frame: engine.Frame{At: at, Packet: slices.Clone(pkt)}}
	s.Result = e.Process(now, at, pkt)
	if s.Result.Verdict == fabric.VerdictAllow {
		s.Left = pkt
	}
	return s
}

func parse(t testing.TB, text string) *filter.Filter {
	t.Helper()
	f, err := filter.Parse(text, nil)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// drain reads what a capture has, and closes done when it is empty.
func drain(c *Capture) []Packet {
	done := make(chan struct{})
	close(done)
	var out []Packet
	for {
		p, ok := c.Next(done)
		if !ok {
			return out
		}
		kept := *p
		kept.Data = slices.Clone(p.Data)
		out = append(out, kept)
	}
}

// TestCaptureIsWhatTheEngineDid: on random networks every packet is shown where
// it entered and where it left, with the engine's verdict; and the rules shown
// are those by which the reference reaches the same verdict and reason.
func TestCaptureIsWhatTheEngineDid(t *testing.T) {
	for seed := range uint64(40) {
		rng := rand.New(rand.NewPCG(seed, 5))
		img := fabrictest.Random(rng)
		e := engine.New(img, engine.Options{})
		c := NewCapture(CaptureOptions{Flows: e})
		for i := range 60 {
			at, p := fabrictest.Packet(rng, img)
			s := process(e, time.Duration(i)*time.Millisecond, at, engine.First(p))
			entered := slices.Clone(s.Frame.Packet)
			c.Tap(&s)
			got := drain(c)
			want := 1
			if s.Left != nil && s.Result.Reason.Code != fabric.CodePlatform {
				want = 2
			}
			if len(got) != want {
				t.Fatalf("seed %d: %s: %d sightings, want %d", seed, p, len(got), want)
			}
			in := got[0]
			if in.At != at || in.Inbound || !bytes.Equal(in.Data, entered) || in.Result != s.Result || in.Headers.Packet != p {
				t.Fatalf("seed %d: %s: entered as %+v", seed, p, in)
			}
			if want == 2 {
				if out := got[1]; out.At != s.Result.Out || !out.Inbound || !bytes.Equal(out.Data, s.Left) || out.ID != in.ID {
					t.Fatalf("seed %d: %s: left as %+v", seed, p, out)
				}
			}
			f, live := e.Flow(s.Result.Flow)
			if !live || f.Forward.From != at || f.Forward.Packet != p {
				continue // a reply, or another flow's way back
			}
			x := Retrace(img, &f)
			if x.Verdict != s.Result.Verdict || x.Reason != s.Result.Reason || !slices.Equal(x.Path, f.Forward.Path) {
				t.Fatalf("seed %d: %s: retraced %s %+v %v, the engine %s %+v %v", seed, p, x.Verdict, x.Reason, x.Path, s.Result.Verdict, s.Result.Reason, f.Forward.Path)
			}
			if want := RuleNames(img, MetBy(&x)); !slices.Equal(in.Rules, want) || in.Reply {
				t.Fatalf("seed %d: %s: rules %v, want %v", seed, p, in.Rules, want)
			}
			if d := in.Decision(); d.Verdict == "deny" && in.Result.Reason.Code == fabric.CodeRule && !slices.Contains(in.Rules, d.Rule) {
				t.Fatalf("seed %d: %s: denied by %s, met %v", seed, p, d.Rule, in.Rules)
			}
		}
	}
}

// TestCaptureChooses: ports, filters and denials choose, and the counters say
// what was left out.
func TestCaptureChooses(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 7))
	img := fabrictest.Random(rng)
	e := engine.New(img, engine.Options{})
	var sights []Sight
	for i := range 300 {
		at, p := fabrictest.Packet(rng, img)
		sights = append(sights, process(e, time.Duration(i), at, engine.First(p)))
	}
	name := img.Ports[sights[0].Frame.At].Name
	for _, c := range []struct {
		what string
		o    CaptureOptions
		want func(p *Packet) bool
	}{
		{"all", CaptureOptions{}, func(*Packet) bool { return true }},
		{"one port", CaptureOptions{At: []string{strings.ToUpper(name)}}, func(p *Packet) bool { return strings.EqualFold(PortName(p.Image, p.At), name) }},
		{"denied", CaptureOptions{Denied: true}, func(p *Packet) bool { return p.Result.Verdict != fabric.VerdictAllow }},
		{"udp", CaptureOptions{Filter: parse(t, "udp")}, func(p *Packet) bool { return p.Headers.Packet.Proto == fabric.ProtoUDP }},
		{"inbound", CaptureOptions{Filter: parse(t, "inbound")}, func(p *Packet) bool { return p.Inbound }},
		{"rule", CaptureOptions{Filter: parse(t, "rule *1*"), Flows: e}, func(p *Packet) bool {
			return slices.ContainsFunc(p.Rules, func(r string) bool { return strings.Contains(r, "1") })
		}},
	} {
		t.Run(c.what, func(t *testing.T) {
			all, some := NewCapture(CaptureOptions{Flows: e}), NewCapture(c.o)
			want, got := []Packet{}, []Packet{}
			for i := range sights {
				all.Tap(&sights[i])
				some.Tap(&sights[i])
				for _, p := range drain(all) {
					if c.want(&p) {
						want = append(want, p)
					}
				}
				got = append(got, drain(some)...)
			}
			if len(want) == 0 {
				t.Fatal("nothing is wanted: the test proves nothing")
			}
			if len(got) != len(want) {
				t.Fatalf("%d sightings, want %d", len(got), len(want))
			}
			for i := range want {
				if got[i].At != want[i].At || !bytes.Equal(got[i].Data, want[i].Data) {
					t.Fatalf("sighting %d is %s\nwant %s", i, got[i].Line(), want[i].Line())
				}
			}
			if n := some.Counts(); n.Accepted > n.Seen || n.Accepted == 0 || n.Dropped != 0 {
				t.Errorf("counts %+v", n)
			}
		})
	}
	if c := NewCapture(CaptureOptions{At: []string{"nobody"}}); c.Selects(img) {
		t.Error("a name that nothing has selects ports")
	}
}

// TestCaptureNeverWaits: without a reader packets are counted and let go, and
// the next sighting tells how many.
func TestCaptureNeverWaits(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	img := fabrictest.Random(rng)
	e := engine.New(img, engine.Options{})
	c := NewCapture(CaptureOptions{Buffer: 10, SnapLen: 20})
	at, p := fabrictest.Packet(rng, img)
	s := process(e, 0, at, engine.First(p))
	for range 25 {
		c.Tap(&s)
	}
	if n := c.Counts(); n.Seen != 25 || n.Accepted != 25 || n.Dropped != 15 {
		t.Errorf("counts %+v", n)
	}
	got := drain(c)
	if got[0].Dropped != 15 || len(got[0].Data) != 20 || got[0].Length != len(s.Frame.Packet) {
		t.Errorf("first sighting: %d dropped, %d bytes of %d", got[0].Dropped, len(got[0].Data), got[0].Length)
	}
	c.Tap(&s)
	if n := c.Counts(); n.Dropped != 15 {
		t.Errorf("room was not given back: %+v", n)
	}
	last := drain(c)
	if last[0].Dropped != 0 {
		t.Error("drops are told twice")
	}
}

// TestTapAllocatesNothing once the buffer has seen packets of the size.
func TestTapAllocatesNothing(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	img := fabrictest.Random(rng)
	e := engine.New(img, engine.Options{})
	at, p := fabrictest.Packet(rng, img)
	s := process(e, 0, at, engine.First(p))
	c := NewCapture(CaptureOptions{Filter: parse(t, "port 1 or host 1.2.3.4")})
	if n := testing.AllocsPerRun(1000, func() { c.Tap(&s) }); n > 0.1 { // the pool may be emptied
		t.Errorf("%v allocations for a packet that is not wanted", n)
	}
	full := NewCapture(CaptureOptions{Buffer: 1})
	full.Tap(&s)
	if n := testing.AllocsPerRun(1000, func() { full.Tap(&s) }); n > 0.1 {
		t.Errorf("%v allocations for a packet that finds no room", n)
	}
}

// TestFileReadsBack: the file has an interface for each port, and says of each
// packet what was decided.
func TestFileReadsBack(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 3))
	img := fabrictest.Random(rng)
	e := engine.New(img, engine.Options{})
	c := NewCapture(CaptureOptions{Flows: e})
	var b bytes.Buffer
	f, err := NewFile(&b, img, "tcp or udp", 0, noon)
	if err != nil {
		t.Fatal(err)
	}
	var want []Packet
	for i := range 100 {
		at, p := fabrictest.Packet(rng, img)
		s := process(e, time.Duration(i), at, engine.First(p))
		c.Tap(&s)
		for _, p := range drain(c) {
			want = append(want, p)
			if err := f.Write(&p); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := f.Close(c.Counts(), noon.Add(time.Second)); err != nil {
		t.Fatal(err)
	}
	r, err := pcapng.NewReader(bytes.NewReader(b.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	verdicts := map[string]int{}
	for i := 0; ; i++ {
		p, err := r.Next()
		if err == io.EOF {
			if i != len(want) {
				t.Fatalf("%d packets, want %d", i, len(want))
			}
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		w := &want[i]
		if name := r.Interfaces()[p.Interface].Name; name != PortName(img, w.At) || p.ID != w.ID || !slices.Equal(p.Comments, Comments(w)) || !p.Time.Equal(w.Time) {
			t.Fatalf("packet %d: %s at %s, want %s", i, p.Comments, name, w.Line())
		}
		verdict, _, _ := strings.Cut(p.Comments[0], ":")
		verdicts[verdict]++
	}
	if verdicts["allow"] == 0 || verdicts["deny"] == 0 {
		t.Errorf("verdicts %v: the test proves little", verdicts)
	}
	if s := r.Statistics(); len(s) != len(r.Interfaces()) || s[0].Received != c.Counts().Seen {
		t.Errorf("%d statistics for %d interfaces: %+v", len(s), len(r.Interfaces()), s)
	}
	tshark(t, b.Bytes(), len(want))
}

// tshark demands that Wireshark's reader takes the file without a complaint and
// sees n packets of IP, none malformed.
func tshark(t *testing.T, file []byte, n int) {
	program, err := exec.LookPath("tshark")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("CI has no tshark: apt-get install tshark")
		}
		t.Log("no tshark here: the file was read by our own reader only")
		return
	}
	name := filepath.Join(t.TempDir(), "file.pcapng")
	if err := os.WriteFile(name, file, 0o600); err != nil {
		t.Fatal(err)
	}
	var complaints bytes.Buffer
	cmd := exec.Command(program, "-r", name, "-T", "fields", "-e", "frame.protocols")
	cmd.Stderr = &complaints
	cmd.Env = append(os.Environ(), "HOME="+t.TempDir())
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.SplitSeq(complaints.String(), "\n") {
		if line != "" && !strings.HasPrefix(line, "Running as user") {
			t.Errorf("tshark says: %s", line)
		}
	}
	if got := strings.Count(string(out), "raw:ip"); got != n || strings.Contains(string(out), "malformed") {
		t.Errorf("tshark sees %d IP packets of %d:\n%s", got, n, out)
	}
}

func TestLine(t *testing.T) {
	img := fabrictest.Random(rand.New(rand.NewPCG(1, 1)))
	name := img.Ports[0].Name
	allow := engine.Result{Verdict: fabric.VerdictAllow, Reason: fabric.At(fabric.CodeDelivered, 0), Flow: 3}
	for _, c := range []struct {
		packet  fabric.Packet
		edit    func([]byte) []byte
		inbound bool
		reply   bool
		result  engine.Result
		want    string
	}{
		{tcp, nil, false, false, allow, " Out IP 10.0.0.4:5000 > 10.0.0.5:443: Flags [S], seq 0, win 65535, length 0 | allow: Allow-Web | flow 3"},
		{tcp, nil, true, true, allow, " In  IP 10.0.0.4:5000 > 10.0.0.5:443: Flags [S], seq 0, win 65535, length 0 | allow: reply of an established flow | flow 3"},
		{tcp, func(b []byte) []byte { return b[:30] }, false, false, engine.Result{Verdict: fabric.VerdictDeny, Fault: fabric.FaultMalformed}, " Out IP 10.0.0.4:5000 > 10.0.0.5:443: tcp, cut off, length 30 | lost: the packet does not parse"},
		{udp6, nil, false, false, engine.Result{Verdict: fabric.VerdictDeny, Reason: fabric.At(fabric.CodeSourceCheck, 0)}, " Out IP6 [fd00::4]:5000 > [fd00::5]:53: UDP, length 0 | deny: source check at " + name},
		{ping, nil, false, false, allow, " Out IP 10.0.0.4 > 10.0.0.5: ICMP echo request, id 1, seq 0, length 8 | allow: Allow-Web | flow 3"},
		{tcp, func([]byte) []byte { return []byte{1} }, false, false, engine.Result{Fault: fabric.FaultMalformed}, " Out [not IP], length 1 | lost: the packet does not parse"},
	} {
		b := engine.First(c.packet)
		if c.edit != nil {
			b = c.edit(b)
		}
		p := Packet{Time: noon, Image: img, Inbound: c.inbound, Reply: c.reply, Length: len(b), Result: c.result}
		if c.result.Verdict == fabric.VerdictAllow {
			p.Rules = []string{"Allow-Web"}
		}
		p.Headers, _ = Read(b)
		if got, want := p.Line(), "12:00:00.123456 "+name+c.want; got != want {
			t.Errorf("line\n%s, want\n%s", got, want)
		}
	}
}

// FuzzRead: nothing panics, and what the engine can parse is read alike.
func FuzzRead(f *testing.F) {
	for _, p := range []fabric.Packet{tcp, udp6, ping} {
		f.Add(engine.First(p))
		f.Add(engine.First(p)[:22])
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		h, ok := Read(b)
		_ = h.text(len(b))
		want, fault := engine.Tuple(b)
		if fault != fabric.FaultNone {
			return
		}
		if !ok || h.Packet != want || h.Ports != want.HasPorts() || h.Fragment {
			t.Fatalf("read %v as %+v, the engine as %s", b, h, want)
		}
	})
}

var (
	tcp  = packet("10.0.0.4:5000", "10.0.0.5:443", fabric.ProtoTCP)
	udp6 = packet("[fd00::4]:5000", "[fd00::5]:53", fabric.ProtoUDP)
	ping = packet("10.0.0.4:0", "10.0.0.5:0", fabric.ProtoICMP)
)

func packet(src, dst string, proto uint8) fabric.Packet {
	a, b := netip.MustParseAddrPort(src), netip.MustParseAddrPort(dst)
	return fabric.Packet{Src: a.Addr(), Dst: b.Addr(), SrcPort: a.Port(), DstPort: b.Port(), Proto: proto}
}
