package intent

import (
	"os"
	"testing"
	"time"
)

func TestTry(t *testing.T) {
	s := time.Now()
	d, err := Load(os.Getenv("TRY"), Options{})
	t.Log(time.Since(s))
	if err != nil {
		t.Fatal("\n" + err.Error())
	}
	t.Log(len(d.Network.Resources), len(d.Network.Hosts), d.Warnings)
	for _, e := range d.Network.Expectations {
		t.Logf("%+v", e)
	}
	x, err := d.Expanded()
	os.WriteFile("/tmp/expanded.yaml", x, 0o644)
	t.Log(err)
	os.WriteFile("/tmp/lock.yaml", d.Lock.Marshal(), 0o644)
}
