package intent

import (
	"strings"
	"testing"
)

// Files come from every editor: with a byte order mark, with line ends of
// Windows or of old. Lines count the same in all.
func TestLineEndsAndMarks(t *testing.T) {
	text := "# a network\nnetwork: t\n\nregions: [westeurope]\nspokes:\n  - name: a\n    colour: red\n"
	want := "n.yaml:7:5: unknown key \"colour\""
	for name, data := range map[string]string{
		"plain":   text,
		"mark":    "\ufeff" + text,
		"windows": strings.ReplaceAll(text, "\n", "\r\n"),
		"old":     strings.ReplaceAll(text, "\n", "\r"),
	} {
		_, err := Parse([]File{{Name: "n.yaml", Data: []byte(data)}}, nil, Options{})
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: %v, want %s", name, err, want)
		}
	}
	lock, err := ParseLock("l", []byte("\ufeffversion: 1\r\nhome: eastus\r\n"))
	if err != nil || lock.Home != "eastus" {
		t.Errorf("the lock reads as %+v, %v", lock, err)
	}
}

// What is not text is refused with its place.
func TestNotText(t *testing.T) {
	for data, want := range map[string]string{
		"network: t\n# caf\xe9\n":        "n.yaml:2:6: the byte 0xe9 is not text in UTF-8; save the file as UTF-8",
		"\xff\xfen\x00e\x00":             "n.yaml:1:1: the byte 0xff is not text in UTF-8; save the file as UTF-8",
		"network: t\nregions: [\x00a]\n": "n.yaml:2:11: the control character U+0000; remove it",
		"network: \ufffd\n":              "n.yaml:1:10: \"\ufffd\" is not a name for a network",
	} {
		_, err := Parse([]File{{Name: "n.yaml", Data: []byte(data)}}, nil, Options{})
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q: %v\nwant %s", data, err, want)
		}
	}
}
