package azure

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
)

const (
	firstPoll = 10 * time.Millisecond // wait after a first poll that says "not yet"
	lastPoll  = 5 * time.Second       // longest wait that the server did not ask for
)

// busy are the codes with which Azure says that another write on the same
// resource, or on one it depends on, has not ended: try again.
var busy = []string{
	"AnotherOperationInProgress", "RetryableError", "ReferencedResourceNotProvisioned",
	"OperationPreempted", "CanceledAndSupersededDueToAnotherOperation",
}

// retries are the requests the pipeline repeats: those that did not get
// through, throttled ones, and those Azure was too busy for.
func retries() policy.RetryOptions {
	return policy.RetryOptions{
		MaxRetries:    7,
		RetryDelay:    200 * time.Millisecond,
		MaxRetryDelay: time.Minute,
		ShouldRetry: func(resp *http.Response, err error) bool {
			if err != nil {
				return passing(err)
			}
			switch resp.StatusCode {
			case http.StatusRequestTimeout, http.StatusTooManyRequests, http.StatusInternalServerError,
				http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
				return true
			case http.StatusConflict, http.StatusBadRequest:
				return slices.Contains(busy, codeOf(resp))
			}
			return false
		},
	}
}

// passing reports whether a request that got no answer may get one the next
// time. A refused connection, an unknown host or a certificate nobody trusts
// stays as it is, and the user should hear of it now.
func passing(err error) bool {
	var certificate *tls.CertificateVerificationError
	var name *net.DNSError
	switch {
	case errors.As(err, &certificate), errors.Is(err, syscall.ECONNREFUSED),
		errors.As(err, &name) && name.IsNotFound:
		return false
	}
	return true
}

// codeOf returns the error code in a response's envelope, "" if there is none.
func codeOf(resp *http.Response) string {
	body, err := runtime.Payload(resp) // keeps the body for the next reader
	if err != nil {
		return ""
	}
	var envelope struct {
		Error struct {
			Code string `json:"code"`
		} `json:"error"`
	}
	if json.Unmarshal(body, &envelope) != nil {
		return ""
	}
	return envelope.Error.Code
}

// await follows a long-running operation to its end. It polls at once, because
// small changes have often ended by then, and after that as often as the
// server asks for. The SDK's own PollUntilDone waits a second at least.
func (c *Client) await(ctx context.Context, resp *http.Response) error {
	poller, err := runtime.NewPoller[json.RawMessage](resp, c.pipeline, nil)
	if err != nil {
		return err
	}
	last := resp
	for wait := firstPoll; !poller.Done(); {
		if last, err = poller.Poll(ctx); err != nil {
			return err
		}
		if poller.Done() {
			break
		}
		delay := retryAfter(last.Header)
		if delay <= 0 {
			delay, wait = wait, min(2*wait, lastPoll)
		}
		if err := pause(ctx, delay); err != nil {
			return err
		}
	}
	if !failed(last) {
		return nil // the resource itself is not needed, so it is not fetched
	}
	_, err = poller.Result(ctx)
	return err
}

// failed reports whether the last answer on an operation says so.
func failed(resp *http.Response) bool {
	body, err := runtime.Payload(resp)
	if err != nil || len(body) == 0 {
		return err != nil
	}
	var state struct {
		Status     string `json:"status"`
		Properties struct {
			ProvisioningState string `json:"provisioningState"`
		} `json:"properties"`
	}
	if json.Unmarshal(body, &state) != nil {
		return false // an answer of another shape has no state to fail with
	}
	for _, s := range []string{state.Status, state.Properties.ProvisioningState} {
		if strings.EqualFold(s, "Failed") || strings.EqualFold(s, "Canceled") || strings.EqualFold(s, "Cancelled") {
			return true
		}
	}
	return false
}

// retryAfter returns the wait the server asks for, 0 if it does not.
func retryAfter(h http.Header) time.Duration {
	for _, name := range []string{"retry-after-ms", "x-ms-retry-after-ms"} {
		if ms, err := strconv.Atoi(h.Get(name)); err == nil {
			return time.Duration(ms) * time.Millisecond
		}
	}
	value := h.Get("Retry-After")
	if seconds, err := strconv.Atoi(value); err == nil {
		return time.Duration(seconds) * time.Second
	}
	if at, err := http.ParseTime(value); err == nil {
		return time.Until(at)
	}
	return 0
}

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
