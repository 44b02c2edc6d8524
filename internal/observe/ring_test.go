package observe

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ceruleannet/cerulean/internal/observe/pcapng"
)

// stream is a capture of n packets of 1,000 bytes.
func stream(t *testing.T, n int) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := pcapng.NewWriter(&b, pcapng.Section{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.AddInterface(pcapng.Interface{Link: pcapng.LinkRaw}); err != nil {
		t.Fatal(err)
	}
	for i := range n {
		if err := w.WritePacket(pcapng.Packet{ID: uint64(i + 1), Time: noon, Data: make([]byte, 1000)}); err != nil {
			t.Fatal(err)
		}
	}
	return b.Bytes()
}

// TestRing: files of bounded size, the last of them kept; without a limit, one
// file that is the stream.
func TestRing(t *testing.T) {
	dir := t.TempDir()
	ring := NewRing(filepath.Join(dir, "r.pcapng"), 4000, 2)
	all := stream(t, 10)
	for part := range slices.Chunk(all, 333) { // blocks arrive in pieces
		if _, err := ring.Write(part); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		if err := ring.Close(); err != nil {
			t.Fatal(err)
		}
	}
	files, _ := filepath.Glob(filepath.Join(dir, "*"))
	if len(files) != 2 || filepath.Base(files[0]) != "r_00003.pcapng" || filepath.Base(files[1]) != "r_00004.pcapng" {
		t.Fatalf("files %v", files)
	}
	b, err := os.ReadFile(files[1])
	if err != nil {
		t.Fatal(err)
	}
	r, err := pcapng.NewReader(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	last := uint64(0)
	for {
		p, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		last = p.ID
	}
	if last != 10 {
		t.Errorf("the last file ends with packet %d", last)
	}
	one := filepath.Join(dir, "one.pcapng")
	ring = NewRing(one, 0, 0)
	_, _ = ring.Write(all)
	if err := ring.Close(); err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(one); err != nil || !bytes.Equal(b, all) {
		t.Errorf("%d bytes, %v", len(b), err)
	}
}

// TestRingFails: what cannot be written is told to the writer, and at the end.
func TestRingFails(t *testing.T) {
	ring := NewRing(filepath.Join(t.TempDir(), "no", "such", "folder.pcapng"), 0, 0)
	var err error
	for range 100 {
		if _, err = ring.Write(stream(t, 1)); err != nil {
			break
		}
	}
	if err == nil || !strings.Contains(err.Error(), "folder.pcapng") {
		t.Errorf("writing: %v", err)
	}
	if err := ring.Close(); err == nil || !strings.Contains(err.Error(), "folder.pcapng") {
		t.Errorf("closing: %v", err)
	}
}
