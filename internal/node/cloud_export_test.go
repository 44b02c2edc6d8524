package node

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ceruleannet/cerulean/internal/arm"
)

// TestCloudExport: a cloud is exported the same while it is served and when it
// is not, and imported only where nobody serves and nothing is lost.
func TestCloudExport(t *testing.T) {
	ctx := context.Background()
	dir, other := t.TempDir(), t.TempDir()
	l, err := openLoad(ctx, dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.send(ctx, http.MethodPut, l.group(), `{"location":"westeurope"}`); err != nil {
		t.Fatal(err)
	}
	for i := range 4 {
		if err := l.put(ctx, i, 0); err != nil {
			t.Fatal(err)
		}
	}
	var served, stopped bytes.Buffer
	if err := ExportCloud(ctx, dir, &served); err != nil {
		t.Fatal(err)
	}
	if _, err := ImportCloud(ctx, dir, bytes.NewReader(served.Bytes()), true); err == nil || !strings.Contains(err.Error(), "stop it first") {
		t.Errorf("import into a cloud that is served: %v", err)
	}
	if err := l.cloud.Close(); err != nil {
		t.Fatal(err)
	}
	if err := ExportCloud(ctx, dir, &stopped); err != nil || served.String() != stopped.String() {
		t.Errorf("exports differ: %v", err)
	}
	file := filepath.Join(other, "export")
	if err := ExportCloudFile(ctx, dir, file); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info, err)
	}
	n, err := ImportCloud(ctx, other, bytes.NewReader(served.Bytes()), false)
	if err != nil || n < 5 {
		t.Fatalf("%d documents, %v", n, err)
	}
	if _, err := ImportCloud(ctx, other, bytes.NewReader(served.Bytes()), false); !errors.Is(err, arm.ErrNotEmpty) {
		t.Errorf("over a cloud: %v", err)
	}
	var copied bytes.Buffer
	if err := ExportCloud(ctx, other, &copied); err != nil || copied.String() != served.String() {
		t.Errorf("the copy differs: %v", err)
	}
	missing := filepath.Join(other, "none")
	if err := ExportCloud(ctx, missing, &copied); err == nil || !strings.Contains(err.Error(), "holds no cloud") {
		t.Errorf("%v", err)
	}
	if err := ExportCloudFile(ctx, missing, filepath.Join(other, "no")); err == nil {
		t.Error("a missing cloud was exported")
	}
	if files, _ := filepath.Glob(filepath.Join(other, "*no*")); len(files) != 0 {
		t.Errorf("left behind: %v", files)
	}
	if _, err := os.Stat(missing); err == nil {
		t.Error("an export made a folder")
	}
}
