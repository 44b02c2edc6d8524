package node

import (
	"bytes"
	"io"
	"net"
	"strings"
	"testing"
)

func TestParseForward(t *testing.T) {
	for _, tt := range []struct {
		text string
		want Forward
		err  string
	}{
		{"web:80", Forward{80, "web", 80}, ""},
		{"8080:web:80", Forward{8080, "web", 80}, ""},
		{"0:web:80", Forward{0, "web", 80}, ""},
		{"[fd00::4]:443", Forward{443, "fd00::4", 443}, ""},
		{"8443:[fd00::4]:443", Forward{}, ""},
		{"web", Forward{}, "no port"},
		{"web:0", Forward{}, `"0" is no port`},
		{"web:65536", Forward{}, `"65536" is no port`},
		{"x:web:80", Forward{}, `"x" is no port`},
		{"1:2:3:4", Forward{}, "is no host"},
		{"[fd00::4:80", Forward{}, "bracket"},
		{":80", Forward{}, "names no host"},
	} {
		got, err := ParseForward(tt.text)
		if tt.text == "8443:[fd00::4]:443" {
			tt.want = Forward{8443, "fd00::4", 443}
		}
		switch {
		case tt.err == "" && err != nil, tt.err != "" && (err == nil || !strings.Contains(err.Error(), tt.err)):
			t.Errorf("%s: error %v, want %q", tt.text, err, tt.err)
		case got != tt.want:
			t.Errorf("%s: %+v, want %+v", tt.text, got, tt.want)
		}
	}
}

// TestSOCKS speaks as clients do (RFC 1928).
func TestSOCKS(t *testing.T) {
	for _, tt := range []struct {
		name, says, hears, target, err string
	}{
		{"a name", "\x05\x01\x00\x05\x01\x00\x03\x03web\x00\x50", "\x05\x00", "web:80", ""},
		{"an IPv4 address", "\x05\x02\x02\x00\x05\x01\x00\x01\x0a\x00\x00\x04\x01\xbb", "\x05\x00", "10.0.0.4:443", ""},
		{"an IPv6 address", "\x05\x01\x00\x05\x01\x00\x04\xfd" + strings.Repeat("\x00", 14) + "\x04\x01\xbb", "\x05\x00", "[fd00::4]:443", ""},
		{"version 4", "\x04\x01\x00\x50\x0a\x00\x00\x04\x00", "", "", "version 4"},
		{"only with a password", "\x05\x01\x02", "\x05\xff", "", "authentication"},
		{"BIND", "\x05\x01\x00\x05\x02\x00\x03\x03web\x00\x50", "\x05\x00\x05\x07\x00\x01\x00\x00\x00\x00\x00\x00", "", "CONNECT"},
		{"UDP ASSOCIATE", "\x05\x01\x00\x05\x03\x00\x01\x00\x00\x00\x00\x00\x00", "\x05\x00\x05\x07\x00\x01\x00\x00\x00\x00\x00\x00", "", "CONNECT"},
		{"an unknown type of address", "\x05\x01\x00\x05\x01\x00\x09", "\x05\x00\x05\x08\x00\x01\x00\x00\x00\x00\x00\x00", "", "type 9"},
		{"no name", "\x05\x01\x00\x05\x01\x00\x03\x00\x00\x50", "\x05\x00\x05\x01\x00\x01\x00\x00\x00\x00\x00\x00", "", "names no host"},
		{"cut short", "\x05\x01\x00\x05\x01\x00\x03\x09web", "\x05\x00", "", "EOF"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			client, server := net.Pipe()
			heard := make(chan []byte)
			go func() {
				b, _ := io.ReadAll(client)
				heard <- b
			}()
			go func() {
				_, _ = io.WriteString(client, tt.says)
				if tt.err == "EOF" {
					client.Close()
				}
			}()
			target, err := readSOCKS(server)
			server.Close()
			if got := <-heard; string(got) != tt.hears && tt.err != "EOF" {
				t.Errorf("the client hears %q, want %q", got, tt.hears)
			}
			if target != tt.target || (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
				t.Errorf("target %q, error %v; want %q, %q", target, err, tt.target, tt.err)
			}
		})
	}
}

func FuzzSOCKSRequest(f *testing.F) {
	f.Add([]byte("\x05\x01\x00\x03\x03web\x00\x50"))
	f.Add([]byte("\x05\x01\x00\x01\x0a\x00\x00\x04\x01\xbb"))
	f.Add([]byte("\x05\x01\x00\x03\x04we]\xe0\x00\x50"))
	f.Fuzz(func(t *testing.T, b []byte) {
		target, _, err := socksRequest(bytes.NewReader(b))
		if err != nil {
			return
		}
		if host, port, err := net.SplitHostPort(target); err != nil || host == "" || port == "" {
			t.Errorf("%q: %v", target, err)
		}
	})
}
