package arm

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/ceruleannet/cerulean/internal/state"
	"github.com/ceruleannet/cerulean/model"
)

// An export is JSON, one value a line: a header, then every document that the
// cloud stores, in order of keys: resource groups, resources, locks, tags, role
// definitions and assignments. Who the principals of the assignments are, and
// every secret of the installation, stays with the installation.
const (
	exportFormat  = "cerulean cloud"
	exportVersion = 1
	// maxExportLine is the longest line of an export, in bytes. A document grows
	// beyond the body that made it by what the server fills in.
	maxExportLine = 8 * maxBody
)

type exportHeader struct {
	Format    string `json:"format"`
	Version   int    `json:"version"`
	Resources int    `json:"resources"` // how many lines follow
}

type exportLine struct {
	ID       string          `json:"id"` // in its creator's case
	Document json.RawMessage `json:"document"`
}

// Export writes all that a cloud holds.
func Export(w io.Writer, v *state.View) error {
	b := bufio.NewWriter(w)
	e := json.NewEncoder(b)
	e.SetEscapeHTML(false)
	if err := e.Encode(exportHeader{exportFormat, exportVersion, v.Len()}); err != nil {
		return err
	}
	for entry := range v.List("", "") {
		if err := e.Encode(exportLine{entry.Resource.ID.String(), entry.JSON}); err != nil {
			return fmt.Errorf("%s: %w", entry.Resource.ID, err)
		}
	}
	return b.Flush()
}

// ErrNotEmpty means that an import would mix with what a cloud holds.
var ErrNotEmpty = errors.New("the cloud is not empty")

// Import puts an export into a cloud, all of it as one revision or nothing, and
// returns how many documents it was. Unless replace is set, the cloud must be
// empty ([ErrNotEmpty]); with it, what the cloud held is deleted. Errors name the
// line.
func Import(r io.Reader, s state.Store, by state.Actor, replace bool) (int, error) {
	documents, err := readExport(r)
	if err != nil {
		return 0, err
	}
	_, err = s.Update(by, func(tx *state.Tx) error {
		if n := tx.Len(); n > 0 && !replace {
			return fmt.Errorf("%w: it holds %d documents", ErrNotEmpty, n)
		}
		kept := make(map[string]bool, len(documents))
		for _, d := range documents {
			kept[d.ID.Key()] = true
		}
		for _, old := range tx.Snapshot() {
			if !kept[old.ID.Key()] {
				tx.Delete(old.ID)
			}
		}
		for _, d := range documents {
			if err := tx.Put(d); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	return len(documents), nil
}

// CheckExport says whether an export is a whole one, and how many documents it
// has.
func CheckExport(b []byte) (int, error) {
	documents, err := readExport(bytes.NewReader(b))
	return len(documents), err
}

// readExport reads and checks a whole export: every document is of a known type,
// says its own ID, and stands below something that is there too.
func readExport(r io.Reader) ([]*model.Resource, error) {
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 0, 1<<16), maxExportLine)
	var h exportHeader
	if !lines.Scan() || json.Unmarshal(lines.Bytes(), &h) != nil || h.Format != exportFormat {
		if err := lines.Err(); err != nil {
			return nil, fmt.Errorf("line 1: %w", err)
		}
		return nil, fmt.Errorf("line 1: this is no export of a cloud")
	}
	if h.Version != exportVersion {
		return nil, fmt.Errorf("line 1: the export has version %d, this release reads version %d; use the release that made it", h.Version, exportVersion)
	}
	kinds := indexKinds()
	var documents []*model.Resource
	known := map[string]bool{}
	for n := 2; lines.Scan(); n++ {
		d, err := readExported(kinds, lines.Bytes())
		if err == nil && known[d.ID.Key()] {
			err = fmt.Errorf("%s is there twice", d.ID)
		}
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		known[d.ID.Key()] = true
		documents = append(documents, d)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("line %d: %w", len(documents)+2, err)
	}
	if len(documents) != h.Resources {
		return nil, fmt.Errorf("the export has %d documents, its first line says %d: a part of it is missing", len(documents), h.Resources)
	}
	for i, d := range documents {
		if d.ID.ResourceGroup() == "" {
			continue
		}
		up := d.ID.Parent()
		if k := kinds[strings.ToLower(up.Type())]; k != nil && k.Inline != "" {
			up = up.Parent()
		}
		if !up.Is(typeSubscription) && !known[up.Key()] {
			return nil, fmt.Errorf("line %d: %s is below %s, which is missing", i+2, d.ID, up)
		}
	}
	return documents, nil
}

// readExported reads one line of an export.
func readExported(kinds kindSet, line []byte) (*model.Resource, error) {
	var l exportLine
	if err := json.Unmarshal(line, &l); err != nil {
		return nil, err
	}
	id, err := model.ParseID(l.ID)
	if err != nil {
		return nil, err
	}
	k, f := kinds.of(id)
	if f != nil {
		return nil, errors.New(f.Err.Message)
	}
	if k.Inline != "" || k.Derived != nil {
		return nil, fmt.Errorf("%s: resources of type %s have no documents of their own", id, k.Type)
	}
	if f := checkSize(l.Document); f != nil {
		return nil, fmt.Errorf("%s: %s", id, f.Err.Message)
	}
	doc, err := model.ParseJSON(l.Document)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", id, err)
	}
	if !strings.EqualFold(text(doc, "id"), id.String()) {
		return nil, fmt.Errorf("%s: the document says that it is %s", id, show(doc["id"]))
	}
	return &model.Resource{ID: id, Doc: doc}, nil
}

// export answers the installation's own client with an export.
func (s *Server) export(w http.ResponseWriter, r *http.Request, who principal) {
	if !s.allow(w, r, http.MethodGet) {
		return
	}
	if who.ObjectID != s.identity.ObjectID {
		writeFault(w, fault(http.StatusForbidden, "AuthorizationFailed", "Only the installation's own client may export the cloud."))
		return
	}
	w.Header().Set("Content-Type", "application/x-ndjson")
	_ = Export(w, s.store.View()) // the client is gone if this fails, and sees that lines are missing
}
