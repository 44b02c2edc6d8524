package pcapng

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestTshark: Wireshark reads what is written, without a word of complaint.
func TestTshark(t *testing.T) {
	tshark, err := exec.LookPath("tshark")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("CI has no tshark: apt-get install tshark")
		}
		t.Skip("no tshark here")
	}
	b, _ := sample(t)
	name := filepath.Join(t.TempDir(), "sample.pcapng")
	check(t, os.WriteFile(name, b, 0o600))
	var complaints bytes.Buffer
	cmd := exec.Command(tshark, "-r", name, "-T", "fields", "-E", "separator=|",
		"-e", "frame.interface_name", "-e", "frame.time_epoch", "-e", "frame.len", "-e", "frame.cap_len",
		"-e", "frame.packet_flags_direction", "-e", "frame.packet_id", "-e", "frame.comment", "-e", "_ws.malformed")
	cmd.Stderr = &complaints
	cmd.Env = append(os.Environ(), "HOME="+t.TempDir())
	out, err := cmd.Output()
	check(t, err)
	for line := range strings.SplitSeq(complaints.String(), "\n") {
		if line != "" && !strings.HasPrefix(line, "Running as user") {
			t.Errorf("tshark says: %s", line)
		}
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	if want := 3; len(lines) != want {
		t.Fatalf("%d lines, want %d:\n%s", len(lines), want, out)
	}
	for _, want := range []string{"shop|1795262400.123456789|32|24|", "|allow,rule AllowDNS"} {
		if !strings.Contains(lines[0], want) {
			t.Errorf("first packet %q does not say %q", lines[0], want)
		}
	}
	if strings.Contains(lines[0], "alformed") {
		t.Errorf("malformed: %s", lines[0])
	}
	t.Logf("%s", out)
}
