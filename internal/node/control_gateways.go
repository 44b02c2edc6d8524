package node

import (
	"context"
	"net/http"
)

// gatewaying adds what the application gateways of a running network are asked.
func (s *System) gatewaying(mux *http.ServeMux) {
	mux.HandleFunc("GET /v1/gateways", func(w http.ResponseWriter, _ *http.Request) { answer(w, s.Gateways()) })
}

// Gateways returns the application gateways of the network.
func (s *System) Gateways() []GatewayStatus {
	out := []GatewayStatus{}
	for _, run := range s.gateways.all() {
		out = append(out, run.status(s))
	}
	return out
}

// Gateways asks a running network for its application gateways.
func (r *Remote) Gateways(ctx context.Context) ([]GatewayStatus, error) {
	var out []GatewayStatus
	err := r.Get(ctx, "/v1/gateways", &out)
	return out, err
}
