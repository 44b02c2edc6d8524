package drill

import (
	"testing"
	"time"
)

func TestReadName(t *testing.T) {
	at := func(ms int) time.Time { return time.Unix(0, 0).Add(time.Duration(ms) * time.Millisecond) }
	m := Moments{Begun: at(0), Failed: at(1000), Noticed: at(2000), Restored: at(5000), Ended: at(9000)}
	for _, c := range []struct {
		rule        string
		spells      []nameSpell
		moved, back time.Duration
		while       string
	}{
		{"nothing moves", []nameSpell{{"a", at(10)}}, never, never, ""},
		{"there and back", []nameSpell{{"a", at(10)}, {"b", at(1800)}, {"a", at(5300)}}, 800 * time.Millisecond, 300 * time.Millisecond, "b"},
		{"there for good", []nameSpell{{"a", at(10)}, {"b", at(1800)}}, 800 * time.Millisecond, never, "b"},
		{"through nothing", []nameSpell{{"a", at(10)}, {"", at(1500)}, {"b", at(2500)}, {"a", at(6000)}}, 500 * time.Millisecond, time.Second, "b"},
	} {
		r, moved := readName(c.spells, m)
		if moved != (c.moved != never) || r.Moved != c.moved || r.Back != c.back || r.While != c.while {
			t.Errorf("%s: %+v", c.rule, r)
		}
	}
}
