package node

import "net/http"

// observing adds what shows a running network.
func (s *System) observing(mux *http.ServeMux) {
	mux.HandleFunc("POST /v1/capture", s.capture)
}
