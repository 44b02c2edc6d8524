package observe

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/ceruleannet/cerulean/internal/observe/pcapng"
)

// Ring writes a stream of pcapng to one file, or to several of bounded size of
// which only the last are kept.
type Ring struct {
	w    *io.PipeWriter
	done chan error
}

// NewRing returns a ring. limit is the most bytes of a file; 0 means that there
// is one, of the name itself. Several have a number before the name's extension:
// "ring_00001.pcapng". most is how many are kept; 0 means all.
func NewRing(name string, limit int64, most int) *Ring {
	r, w := io.Pipe()
	ring := &Ring{w, make(chan error, 1)}
	go func() {
		err := pcapng.Split(r, limit, func(n int) (io.WriteCloser, error) {
			if limit <= 0 {
				return os.Create(name)
			}
			if old := n - most; most > 0 && old >= 0 {
				if err := os.Remove(numbered(name, old)); err != nil {
					return nil, err
				}
			}
			return os.Create(numbered(name, n))
		})
		r.CloseWithError(err) // whoever still writes is told
		ring.done <- err
	}()
	return ring
}

func numbered(name string, n int) string {
	ext := filepath.Ext(name)
	return fmt.Sprintf("%s_%05d%s", strings.TrimSuffix(name, ext), n+1, ext)
}

// Write takes the next bytes of the stream.
func (r *Ring) Write(b []byte) (int, error) { return r.w.Write(b) }

// Close ends the stream and waits until the files are written.
func (r *Ring) Close() error {
	r.w.Close()
	err := <-r.done
	r.done <- err // for a second Close
	return err
}
