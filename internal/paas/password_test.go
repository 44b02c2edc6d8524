package paas

import (
	"strings"
	"testing"
)

// A hash is salted, matches its password only, and a damaged one nothing.
func TestPasswordHash(t *testing.T) {
	hash := HashPassword("Correct-horse1")
	if again := HashPassword("Correct-horse1"); again == hash {
		t.Error("two hashes of a password are the same: there is no salt")
	}
	if strings.Contains(hash, "Correct") {
		t.Errorf("the hash %s tells the password", hash)
	}
	part := strings.Split(hash, "$")
	for _, tt := range []struct {
		name, hash, password string
		want                 bool
	}{
		{"its password", hash, "Correct-horse1", true},
		{"another case", hash, "correct-horse1", false},
		{"none", hash, "", false},
		{"no hash", "", "", false},
		{"the password in place of a hash", "Correct-horse1", "Correct-horse1", false},
		{"another scheme", "plain$" + strings.Join(part[1:], "$"), "Correct-horse1", false},
		{"no rounds", strings.Join([]string{part[0], "0", part[2], part[3]}, "$"), "Correct-horse1", false},
		{"rounds without end", strings.Join([]string{part[0], "1000000000", part[2], part[3]}, "$"), "Correct-horse1", false},
		{"another salt", strings.Join([]string{part[0], part[1], "AAAA", part[3]}, "$"), "Correct-horse1", false},
		{"a salt that is none", strings.Join([]string{part[0], part[1], "%", part[3]}, "$"), "Correct-horse1", false},
		{"no key", strings.Join([]string{part[0], part[1], part[2], ""}, "$"), "Correct-horse1", false},
	} {
		if got := PasswordMatches(tt.hash, tt.password); got != tt.want {
			t.Errorf("%s: %v", tt.name, got)
		}
	}
}
