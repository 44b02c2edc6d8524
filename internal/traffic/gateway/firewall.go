package gateway

import (
	"errors"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/ceruleannet/cerulean/internal/traffic/waf"
)

// inspected lets a request pass the firewall of its target, or answers it. It
// reports false if it did.
func (x *exchange) inspected(w http.ResponseWriter, r *http.Request) bool {
	wall := x.state.walls[x.decision.target.firewall]
	if wall == nil {
		return true
	}
	begin := time.Now()
	i, err := wall.Begin(r, x.record.TransactionID, begin)
	x.record.WafEvaluationTime, x.record.WafMode = time.Since(begin).Seconds(), string(wall.Policy().Mode)
	if err != nil {
		x.failed = err
		var large *http.MaxBytesError
		if errors.As(err, &large) || errors.Is(err, waf.ErrTooLarge) {
			respond(w, http.StatusRequestEntityTooLarge)
		} else {
			respond(w, http.StatusBadRequest) // the body was not as announced
		}
		return false
	}
	x.inspection = i
	if !i.Blocked {
		return true
	}
	refuse(w, i)
	return false
}

// refuse answers what a firewall blocked.
func refuse(w http.ResponseWriter, i *waf.Inspection) {
	if i.Page == "" {
		respond(w, i.Status)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Length", strconv.Itoa(len(i.Page)))
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(i.Status)
	_, _ = io.WriteString(w, i.Page)
}

// errRefused is an answer that must not be seen.
var errRefused = errors.New("the firewall refuses the answer")

// inspectedResponse lets an answer pass the firewall.
func (x *exchange) inspectedResponse(resp *http.Response) error {
	if x.inspection == nil {
		return nil
	}
	blocked, err := x.inspection.Response(resp)
	if blocked {
		return errRefused
	}
	return err
}

// endInspection tells what the firewall found.
func (x *exchange) endInspection() {
	if x.inspection == nil {
		return
	}
	x.inspection.Close()
	if f := x.server.options.OnFirewall; f != nil && len(x.inspection.Entries()) > 0 {
		f(x.inspection.Entries())
	}
}
