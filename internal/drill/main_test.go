package drill

import (
	"flag"
	"os"
	"testing"
)

// TestMain runs more tests at a time than there are processors: drills wait.
func TestMain(m *testing.M) {
	flag.Parse()
	if err := flag.Set("test.parallel", "16"); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}
