package node

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/ceruleannet/cerulean/internal/arm"
	"github.com/ceruleannet/cerulean/internal/state"
)

// ExportCloud writes all that the cloud of a directory holds, as of one moment;
// it may be served meanwhile. The directory must hold a cloud.
func ExportCloud(ctx context.Context, dir string, w io.Writer) error {
	c, err := FindCloud(ctx, dir)
	switch {
	case err == nil:
		return errors.Join(c.fetchExport(ctx, w), c.Close())
	case !errors.Is(err, ErrNotRunning):
		return err
	}
	if !arm.HasStore(dir) {
		return fmt.Errorf("%s holds no cloud", dir)
	}
	store, err := arm.OpenStore(dir)
	if err != nil {
		return err
	}
	return errors.Join(arm.Export(w, store.View()), store.Close())
}

// fetchExport reads the export of a cloud that another process serves.
func (c *Cloud) fetchExport(ctx context.Context, w io.Writer) error {
	l := &load{cloud: c, client: &http.Client{Transport: c.transport}}
	if err := l.signIn(ctx); err != nil {
		return err
	}
	b, err := l.send(ctx, http.MethodGet, "/cerulean/export", "")
	if err != nil {
		return err
	}
	// A server that stopped half-way has written less than it announced.
	if _, err := arm.CheckExport(b); err != nil {
		return fmt.Errorf("%s: %w", c.Endpoint, err)
	}
	_, err = w.Write(b)
	return err
}

// ExportCloudFile is ExportCloud into a file that only its owner may read, as
// documents hold keys that were set. It leaves the whole export or no file.
func ExportCloudFile(ctx context.Context, dir, path string) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*") // mode 0600
	if err != nil {
		return err
	}
	err = errors.Join(ExportCloud(ctx, dir, f), f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}

// ImportCloud puts an export into the cloud of a directory, which must not be
// served meanwhile, and returns how many documents it was. A cloud that holds
// something is refused ([arm.ErrNotEmpty]) unless replace is set: then all it
// held is deleted.
func ImportCloud(ctx context.Context, dir string, r io.Reader, replace bool) (n int, err error) {
	c, err := FindCloud(ctx, dir)
	switch {
	case err == nil:
		return 0, errors.Join(fmt.Errorf("the cloud in %s is served at %s; stop it first", dir, c.Endpoint), c.Close())
	case !errors.Is(err, ErrNotRunning):
		return 0, err
	}
	store, err := arm.OpenStore(dir)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	n, err = arm.Import(r, store, state.Actor{At: time.Now(), Who: "cerulean cloud import"}, replace)
	if errors.Is(err, arm.ErrNotEmpty) {
		err = fmt.Errorf("%s: %w; use --replace to delete what is there, or another folder", dir, err)
	}
	return n, err
}
