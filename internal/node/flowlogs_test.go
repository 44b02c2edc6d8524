package node_test

import (
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/ceruleannet/cerulean/internal/node"
	"github.com/ceruleannet/cerulean/internal/observe/flowlog"
)

// tuples reads every tuple below a folder as "file's MAC rule tuple", without
// what differs from run to run.
func tuples(t *testing.T, dir string) (lines, files []string) {
	t.Helper()
	varies := regexp.MustCompile(`^\d{13},([^,]+),([^,]+),\d+,(\d+),(.*?),NX,.*$`)
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		files = append(files, strings.TrimPrefix(filepath.ToSlash(path), filepath.ToSlash(dir)+"/"))
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		var f struct{ Records []flowlog.Record }
		if err := json.Unmarshal(b, &f); err != nil {
			return err
		}
		for _, r := range f.Records {
			for _, a := range r.Records.Flows {
				for _, g := range a.Groups {
					for _, x := range g.Tuples {
						lines = append(lines, g.Rule+" "+varies.ReplaceAllString(x, "$1,$2,$3,$4"))
					}
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(lines)
	return lines, files
}

// up --flow-logs writes what hosts did, from the side of each interface, named
// by the rules that decided.
func TestFlowLogs(t *testing.T) {
	dir := t.TempDir()
	s, _ := running(t, "../../examples/three-tier", node.UpOptions{FlowLogs: dir})
	if err := dial(t, s, "app-1", "10.0.2.4:6379"); err != nil {
		t.Error(err)
	}
	if err := dial(t, s, "cache-1", "10.0.3.4:5432"); err == nil {
		t.Error("the cache reaches the database")
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	lines, files := tuples(t, dir)
	for _, want := range []string{
		"DefaultRule_AllowVnetOutBound 10.0.1.4,10.0.2.4,6379,6,O,B",
		"DefaultRule_AllowVnetOutBound 10.0.1.4,10.0.2.4,6379,6,O,E",
		"UserRule_redis-from-app 10.0.1.4,10.0.2.4,6379,6,I,B",
		"UserRule_redis-from-app 10.0.1.4,10.0.2.4,6379,6,I,E",
		"DefaultRule_AllowVnetOutBound 10.0.2.4,10.0.3.4,5432,6,O,B",
		"UserRule_nothing-else 10.0.2.4,10.0.3.4,5432,6,I,D",
	} {
		if !slices.Contains(lines, want) {
			t.Errorf("no tuple %q among\n%s", want, strings.Join(lines, "\n"))
		}
	}
	layout := regexp.MustCompile(`^insights-logs-flowlogflowevent/flowLogResourceID=/[0-9a-f-]{36}_NETWORKWATCHERRG/NETWORKWATCHER_NORTHEUROPE_SHOP-THREE-TIER-NORTHEUROPE-FLOWLOG/y=\d{4}/m=\d\d/d=\d\d/h=\d\d/m=00/macAddress=000D3A[0-9A-F]{6}/PT1H.json$`)
	if len(files) < 3 { // app-1, cache-1, db-1; more if the hour just ended
		t.Errorf("files %v", files)
	}
	for _, f := range files {
		if !layout.MatchString(f) {
			t.Errorf("file %s", f)
		}
	}
}
