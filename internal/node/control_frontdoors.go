package node

import (
	"encoding/json"
	"net/http"
	"os"
	"slices"
	"strings"
)

// dooring adds what the front doors of a running network are asked.
func (s *System) dooring(mux *http.ServeMux) {
	mux.HandleFunc("GET /v1/frontdoors", func(w http.ResponseWriter, _ *http.Request) { answer(w, s.FrontDoors()) })
	mux.HandleFunc("POST /v1/frontdoors/purge", func(w http.ResponseWriter, r *http.Request) {
		var ask FrontDoorPurge
		if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 64<<10)).Decode(&ask); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		out := []FrontDoorPurge{}
		for _, run := range s.doors.all() {
			if ask.FrontDoor != "" && !strings.EqualFold(ask.FrontDoor, run.id.Name()) {
				continue
			}
			done := ask
			done.FrontDoor = run.id.Name()
			done.Forgotten = run.server.Purge(ask.Host, ask.Path)
			out = append(out, done)
		}
		answer(w, out)
	})
}

// FrontDoors returns the front doors of the network.
func (s *System) FrontDoors() []FrontDoorStatus {
	out := []FrontDoorStatus{}
	for _, run := range s.doors.all() {
		run.mu.Lock()
		x := FrontDoorStatus{
			FrontDoor: run.id.Name(), Path: s.path, PID: os.Getpid(), Names: slices.Clone(run.names), Loaded: run.loaded,
			Problem: run.problem, Findings: slices.Clone(run.findings),
		}
		run.mu.Unlock()
		x.Edges = run.server.Status()
		out = append(out, x)
	}
	return out
}
