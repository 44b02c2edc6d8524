package node

import (
	"os"
	"runtime"
	"strconv"
	"testing"
	"time"

	"github.com/ceruleannet/cerulean/internal/fabric/compile"
)

func TestIsolationCompiles(t *testing.T) {
	n := 50
	if s := os.Getenv("ISOLATION"); s != "" {
		n, _ = strconv.Atoi(s)
	}
	begin := time.Now()
	d, err := GenerateIsolation(n, 1)
	if err != nil {
		t.Fatal(err)
	}
	t.Log("generate", time.Since(begin), d.Rules, len(d.Resources))
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	t.Log("heap MB", m.HeapAlloc/1e6)
	begin = time.Now()
	img, err := compile.Compile(d.Resources, compile.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Log("compile", time.Since(begin), "ports", len(img.Ports), "filters", len(img.Filters), "sets", len(img.Sets), "tables", len(img.Tables), "notes", len(img.Notes))
	runtime.GC()
	runtime.ReadMemStats(&m)
	t.Log("heap MB", m.HeapAlloc/1e6, "sys", m.Sys/1e6)
	runtime.KeepAlive(img)
}
