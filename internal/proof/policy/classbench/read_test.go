package classbench

import (
	"bytes"
	"strings"
	"testing"

	"github.com/ceruleannet/cerulean/internal/fabric"
)

func TestRead(t *testing.T) {
	const text = "@192.168.0.0/16\t10.0.0.0/8\t0 : 65535\t1521 : 1521\t0x06/0xFF\t0x0000/0x0000\n\n" +
		"@0.0.0.0/0 1.2.3.4/32 750 : 800 0 : 65535 0x00/0x00 0x1000/0x1000\n"
	rules, err := Read(strings.NewReader(text), 2)
	if err != nil || len(rules) != 2 {
		t.Fatal(len(rules), err)
	}
	if rules[0].Action != fabric.Pass || rules[1].Action != fabric.Drop {
		t.Error("every second rule denies")
	}
	if !rules[0].Match[fabric.DstPort].Equal(fabric.NumSet(1521, 1521)) || !rules[1].Match[fabric.Proto].IsAll() {
		t.Errorf("%v", rules)
	}
	for _, bad := range []string{
		"10.0.0.0/8 10.0.0.0/8 0 : 1 0 : 1 0x06/0xFF 0", "@10.0.0.0 10.0.0.0/8 0 : 1 0 : 1 0x06/0xFF 0",
		"@10.0.0.0/8 10.0.0.0/8 2 : 1 0 : 1 0x06/0xFF 0", "@10.0.0.0/8 10.0.0.0/8 0 : 1 0 : 1 0x06/0x0F 0", "@10.0.0.0/8 10.0.0.0/8 0-1 0-1 tcp 0",
	} {
		if _, err := Read(strings.NewReader("\n"+bad), 0); err == nil || !strings.Contains(err.Error(), "line 2") {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

// FuzzRead holds that what is read is written and read again the same, and that
// nothing makes it panic.
func FuzzRead(f *testing.F) {
	var b bytes.Buffer
	if err := Write(&b, Rules(FW, 20, 1)); err != nil {
		f.Fatal(err)
	}
	f.Add(b.String())
	f.Add("@::/0 ::/0 0 : 0 0 : 0 0x06/0xFF 0")
	f.Fuzz(func(t *testing.T, text string) {
		rules, err := Read(strings.NewReader(text), 3)
		if err != nil {
			return
		}
		var b bytes.Buffer
		if err := Write(&b, rules); err != nil {
			return
		}
		again, err := Read(&b, 3)
		if err != nil || len(again) != len(rules) {
			t.Fatalf("%d rules, then %d: %v", len(rules), len(again), err)
		}
		for i := range rules {
			for field := range fabric.NumFields {
				if x, y := rules[i].Match[field], again[i].Match[field]; !x.Equal(y) && !(x.IsAll() || y.IsAll()) {
					t.Fatalf("rule %d: %v, then %v", i, x, y)
				}
			}
		}
	})
}
