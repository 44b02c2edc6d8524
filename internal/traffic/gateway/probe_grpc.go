package gateway

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"
)

// GRPC is the protocol of probes that ask by the gRPC health checking protocol.
const GRPC Protocol = "Grpc"

// grpcHealth is the method that says whether a service is well, serving the answer
// that it is ("GRPC Health Checking Protocol", grpc/grpc doc/health-checking.md).
const (
	grpcHealth  = "/grpc.health.v1.Health/Check"
	grpcServing = 1
)

// grpcStates are the other answers.
var grpcStates = map[uint64]string{0: "UNKNOWN", 1: "SERVING", 2: "NOT_SERVING", 3: "SERVICE_UNKNOWN"}

// askGRPC sends one probe by gRPC.
func (b *backend) askGRPC(ctx context.Context, client *http.Client, e endpoint) Check {
	begin := time.Now()
	c := Check{Pool: b.name[0], Settings: b.name[1], Member: e.String(), Checked: begin}
	to := e
	if b.probe.Port != 0 {
		to.port = b.probe.Port
	}
	scheme := "http"
	if b.settings.Protocol == HTTPS {
		scheme = "https"
	}
	u := &url.URL{Scheme: scheme, Host: to.String(), Path: grpcHealth}
	body, w := io.Pipe()
	req := (&http.Request{
		Method: http.MethodPost, URL: u, Host: b.probe.Host, Body: body, ContentLength: -1,
		Header: http.Header{"Content-Type": {"application/grpc"}, "Te": {"trailers"}, "User-Agent": {"cerulean-probe"}},
	}).WithContext(ctx)
	go func() {
		_, err := w.Write(healthRequest(b.probe.Service))
		w.CloseWithError(err) // nil ends the body
	}()
	resp, err := client.Do(req)
	c.Took = time.Since(begin)
	if err != nil {
		body.Close()
		c.Said = explainError(err)
		return c
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, 4<<10))
	c.Status, c.Took = resp.StatusCode, time.Since(begin)
	if err != nil {
		c.Said = explainError(err)
		return c
	}
	status := resp.Trailer.Get("Grpc-Status")
	if status == "" {
		status = resp.Header.Get("Grpc-Status") // an answer without a body
	}
	switch state, ok := healthAnswer(answer); {
	case resp.StatusCode != http.StatusOK:
		c.Said = fmt.Sprintf("status %d, want 200", resp.StatusCode)
	case status != "0":
		c.Said = "grpc-status " + status
	case !ok:
		c.Said = "an answer that is no health of gRPC"
	default:
		c.Healthy, c.Said = state == grpcServing, grpcStates[state]
	}
	return c
}

// healthRequest is a HealthCheckRequest in a frame of gRPC: not compressed, its
// length, and the service in field 1.
func healthRequest(service string) []byte {
	var m []byte
	if service != "" {
		m = binary.AppendUvarint([]byte{1<<3 | 2}, uint64(len(service)))
		m = append(m, service...)
	}
	return append(binary.BigEndian.AppendUint32([]byte{0}, uint32(len(m))), m...)
}

// healthAnswer reads a HealthCheckResponse in its frame: the status in field 1,
// which is 0 if it is not there.
func healthAnswer(b []byte) (state uint64, ok bool) {
	if len(b) < 5 || b[0] != 0 || int(binary.BigEndian.Uint32(b[1:])) != len(b)-5 {
		return 0, false
	}
	for m := b[5:]; len(m) > 0; {
		tag, n := binary.Uvarint(m)
		if n <= 0 {
			return 0, false
		}
		m = m[n:]
		v, n := binary.Uvarint(m)
		if n <= 0 {
			return 0, false
		}
		m = m[n:]
		switch tag {
		case 1 << 3:
			state = v
		default:
			if tag&7 == 2 { // of a length; later versions may have more fields
				if v > uint64(len(m)) {
					return 0, false
				}
				m = m[v:]
			} else if tag&7 != 0 {
				return 0, false
			}
		}
	}
	return state, true
}
