package pcapng

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// noon is a time with nanoseconds, which the format must keep.
var noon = time.Unix(1_795_262_400, 123_456_789)

// udp is a UDP datagram from 10.0.0.4:5000 to 10.0.0.5:53 with four bytes.
var udp = []byte{
	0x45, 0, 0, 32, 0, 1, 0, 0, 64, 17, 0x66, 0xc2, 10, 0, 0, 4, 10, 0, 0, 5,
	0x13, 0x88, 0, 53, 0, 12, 0, 0, 1, 2, 3, 4,
}

// sample writes a capture with everything in it.
func sample(t testing.TB) ([]byte, []Packet) {
	t.Helper()
	var b bytes.Buffer
	w, err := NewWriter(&b, Section{Application: "Cerulean", OS: "Linux", Comment: "a test"})
	check(t, err)
	for _, i := range []Interface{
		{Name: "shop", Description: "nic-shop", Link: LinkRaw, SnapLen: 24, Filter: "udp"},
		{Name: "db", Link: LinkEthernet},
	} {
		_, err := w.AddInterface(i)
		check(t, err)
	}
	check(t, w.WriteNames([]Name{
		{netip.MustParseAddr("10.0.0.4"), "shop"},
		{netip.MustParseAddr("fd00::5"), "db"},
		{netip.MustParseAddr("10.0.0.9"), "no\x00name"},
	}))
	packets := []Packet{
		{Interface: 0, Time: noon, Data: udp, Length: 32, Direction: Outbound, ID: 7, Comments: []string{"allow", "rule AllowDNS"}},
		{Interface: 1, Time: noon.Add(time.Nanosecond), Data: udp[:31], Length: 1500, Direction: Inbound, ID: 7, Dropped: 3},
		{Interface: 1, Time: noon.Add(time.Hour), Data: []byte{}, Length: 0},
	}
	for _, p := range packets {
		check(t, w.WritePacket(p))
	}
	check(t, w.WriteStatistics(Statistics{Interface: 1, Start: noon, Stop: noon.Add(time.Minute), Received: 9, Accepted: 8, Dropped: 3}))
	return b.Bytes(), packets
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// read reads a whole capture.
func read(b []byte) ([]Packet, *Reader, error) {
	r, err := NewReader(bytes.NewReader(b))
	if err != nil {
		return nil, nil, err
	}
	var out []Packet
	for {
		p, err := r.Next()
		if err == io.EOF {
			return out, r, nil
		}
		if err != nil {
			return out, r, err
		}
		out = append(out, p)
	}
}

func TestRoundTrip(t *testing.T) {
	b, want := sample(t)
	got, r, err := read(b)
	check(t, err)
	want[0].Data = udp[:24] // the interface keeps no more
	for i := range want {
		if !got[i].Time.Equal(want[i].Time) {
			t.Errorf("packet %d: time %v, want %v", i, got[i].Time, want[i].Time)
		}
		got[i].Time = want[i].Time
		if !reflect.DeepEqual(got[i], want[i]) {
			t.Errorf("packet %d: %+v, want %+v", i, got[i], want[i])
		}
	}
	if s := r.Section(); s.Application != "Cerulean" || s.OS != "Linux" || s.Comment != "a test" {
		t.Errorf("section %+v", s)
	}
	if i := r.Interfaces(); len(i) != 2 || i[0].Name != "shop" || i[0].Filter != "udp" || i[0].Link != LinkRaw || i[1].Link != LinkEthernet {
		t.Errorf("interfaces %+v", i)
	}
	if n := r.Names(); len(n) != 2 || n[1].Name != "db" || n[1].Addr != netip.MustParseAddr("fd00::5") {
		t.Errorf("names %v", n)
	}
	if s := r.Statistics(); len(s) != 1 || s[0].Received != 9 || s[0].Dropped != 3 || !s[0].Start.Equal(noon) {
		t.Errorf("statistics %+v", s)
	}
}

// TestLongOptions: what an option cannot hold is cut at a rune, not refused.
func TestLongOptions(t *testing.T) {
	var b bytes.Buffer
	w, err := NewWriter(&b, Section{})
	check(t, err)
	_, err = w.AddInterface(Interface{Link: LinkRaw})
	check(t, err)
	check(t, w.WritePacket(Packet{Time: noon, Data: udp, Comments: []string{strings.Repeat("é", 40_000), "\xff"}}))
	got, _, err := read(b.Bytes())
	check(t, err)
	if c := got[0].Comments; len(c[0]) != 65_534 || c[1] != "\ufffd" {
		t.Errorf("comments of %d and %q", len(c[0]), c[1])
	}
}

func TestNoSuchInterface(t *testing.T) {
	w, err := NewWriter(io.Discard, Section{})
	check(t, err)
	if w.WritePacket(Packet{}) == nil || w.WriteStatistics(Statistics{Interface: -1}) == nil {
		t.Error("accepted")
	}
}

// TestOtherWriters reads what this package does not write: the other byte
// order, microseconds, binary fractions, simple packets, unknown blocks.
func TestOtherWriters(t *testing.T) {
	o := binary.BigEndian
	put := func(kind uint32, body ...any) []byte {
		var b bytes.Buffer
		for _, v := range body {
			_ = binary.Write(&b, o, v) // to memory
		}
		n := uint32(b.Len() + 12)
		out := o.AppendUint32(o.AppendUint32(nil, kind), n)
		return o.AppendUint32(append(out, b.Bytes()...), n)
	}
	file := slices.Concat(
		put(blockSection, uint32(byteOrder), uint16(1), uint16(0), uint64(1<<64-1)),
		put(blockInterface, uint16(1), uint16(0), uint32(2)),
		put(blockInterface, uint16(101), uint16(0), uint32(0), uint16(optResolution), uint16(1), []byte{0x80 | 1, 0, 0, 0},
			uint16(optOffset), uint16(8), uint64(100), uint32(0)),
		put(0xbad, uint32(1)),
		put(blockPacket, uint32(0), uint32(0), uint32(2_500_000), uint32(1), uint32(1), []byte{9, 0, 0, 0}),
		put(blockPacket, uint32(1), uint32(0), uint32(3), uint32(0), uint32(0)),
		put(blockSimple, uint32(4), []byte{1, 2, 0, 0}),
	)
	got, _, err := read(file)
	check(t, err)
	if len(got) != 3 {
		t.Fatalf("%d packets", len(got))
	}
	if ts := got[0].Time; !ts.Equal(time.Unix(2, 500_000_000)) {
		t.Errorf("microseconds: %v", ts)
	}
	if ts := got[1].Time; !ts.Equal(time.Unix(101, 500_000_000)) {
		t.Errorf("halves of a second after 100 s: %v", ts)
	}
	if p := got[2]; !bytes.Equal(p.Data, []byte{1, 2}) || p.Length != 4 {
		t.Errorf("simple packet %+v", p)
	}
}

// TestDamage: a file cut anywhere is an error that names it, never a panic, and
// what stood before the cut was read.
func TestDamage(t *testing.T) {
	b, _ := sample(t)
	whole := 0
	for n := range b {
		got, _, err := read(b[:n])
		if err == nil {
			whole++ // a cut between two blocks
		} else if !strings.HasPrefix(err.Error(), "pcapng: ") {
			t.Fatalf("cut at %d: %v", n, err)
		}
		if len(got) > 3 {
			t.Fatalf("cut at %d: %d packets", n, len(got))
		}
	}
	if whole != 7 { // section, two interfaces, names, three packets
		t.Errorf("%d cuts leave a whole file", whole)
	}
	for name, file := range map[string][]byte{
		"empty":       {},
		"text":        []byte("this is no capture at all"),
		"huge length": {0x0a, 0x0d, 0x0d, 0x0a, 0xfc, 0xff, 0xff, 0xff, 0x4d, 0x3c, 0x2b, 0x1a, 0, 0, 0, 0},
	} {
		if _, _, err := read(file); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// FuzzReader: any file is read within bounds, and what was read is written and
// read back alike.
func FuzzReader(f *testing.F) {
	b, _ := sample(f)
	f.Add(b)
	f.Add(b[:len(b)-5])
	f.Fuzz(func(t *testing.T, file []byte) {
		got, r, err := read(file)
		if err != nil {
			return
		}
		var out bytes.Buffer
		w, err := NewWriter(&out, r.Section())
		check(t, err)
		for _, i := range r.Interfaces() {
			i.SnapLen = 0
			_, err := w.AddInterface(i)
			check(t, err)
		}
		kept := 0
		for _, p := range got {
			if p.Interface < len(r.Interfaces()) {
				check(t, w.WritePacket(p))
				kept++
			}
		}
		again, _, err := read(out.Bytes())
		if err != nil || len(again) != kept {
			t.Fatalf("%d of %d packets, %v", len(again), kept, err)
		}
	})
}

// files collects what Split opens.
type files struct {
	all  []*bytes.Buffer
	open int
}

type file struct {
	*bytes.Buffer
	of *files
}

func (f file) Close() error { f.of.open--; return nil }

func (f *files) next(int) (io.WriteCloser, error) {
	if f.open != 0 {
		return nil, errors.New("two files are open")
	}
	f.open++
	f.all = append(f.all, &bytes.Buffer{})
	return file{f.all[len(f.all)-1], f}, nil
}

func TestSplit(t *testing.T) {
	var b bytes.Buffer
	w, err := NewWriter(&b, Section{Application: "Cerulean"})
	check(t, err)
	_, err = w.AddInterface(Interface{Name: "shop", Link: LinkRaw})
	check(t, err)
	const packets = 50
	for i := range packets {
		check(t, w.WritePacket(Packet{Time: noon.Add(time.Duration(i)), Data: udp, ID: uint64(i + 1)}))
	}
	var out files
	const limit = 600
	check(t, Split(bytes.NewReader(b.Bytes()), limit, out.next))
	if len(out.all) < 5 || out.open != 0 {
		t.Fatalf("%d files, %d still open", len(out.all), out.open)
	}
	id := uint64(0)
	for i, f := range out.all {
		if f.Len() > limit {
			t.Errorf("file %d has %d bytes", i, f.Len())
		}
		got, r, err := read(f.Bytes())
		check(t, err)
		if len(r.Interfaces()) != 1 || r.Section().Application != "Cerulean" {
			t.Errorf("file %d cannot be read alone", i)
		}
		for _, p := range got {
			if id++; p.ID != id {
				t.Fatalf("file %d has packet %d, want %d", i, p.ID, id)
			}
		}
	}
	if id != packets {
		t.Errorf("%d packets of %d", id, packets)
	}
	var one files
	check(t, Split(bytes.NewReader(b.Bytes()), 0, one.next))
	if len(one.all) != 1 || !bytes.Equal(one.all[0].Bytes(), b.Bytes()) {
		t.Error("without a limit the file is not the stream")
	}
}
