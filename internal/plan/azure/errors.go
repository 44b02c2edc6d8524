package azure

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"

	"github.com/ceruleannet/cerulean/model"
	"github.com/ceruleannet/cerulean/model/wire"
)

// Error is an answer of Azure that refuses a request or reports a failed
// operation.
type Error struct {
	Op      string   // "PUT", "DELETE", "GET", "LIST", "commit"
	ID      model.ID // the resource, zero for lists of a whole subscription
	Pos     model.Pos
	Status  int    // HTTP status
	Code    string // Azure's code, for example "InUseSubnetCannotBeDeleted"
	Message string
	Details []wire.Error
	cause   error
}

// Error gives the operation, the resource, Azure's code and message, and the
// details that add anything to it.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Op)
	if !e.ID.IsZero() {
		b.WriteString(" " + e.ID.String())
	}
	b.WriteString(": ")
	switch {
	case e.Code == "" && e.Message == "":
		fmt.Fprintf(&b, "the cloud answered %d %s", e.Status, http.StatusText(e.Status))
	case e.Message == "":
		b.WriteString(e.Code)
	default:
		b.WriteString(e.Code + ": " + e.Message)
	}
	for _, d := range e.Details {
		if d.Message != "" && !strings.Contains(e.Message, d.Message) {
			b.WriteString(" (" + d.Code + ": " + d.Message + ")")
		}
	}
	return b.String()
}

// Unwrap returns the SDK's error.
func (e *Error) Unwrap() error { return e.cause }

// explain turns an error of the pipeline into an [Error], or names the
// resource if the cloud did not answer.
func explain(err error, op string, id model.ID, pos model.Pos) error {
	var r *azcore.ResponseError
	if !errors.As(err, &r) {
		if id.IsZero() {
			return fmt.Errorf("%s: %w", op, err)
		}
		return fmt.Errorf("%s %s: %w", op, id, err)
	}
	e := &Error{Op: op, ID: id, Pos: pos, Status: r.StatusCode, Code: r.ErrorCode, cause: err}
	if r.RawResponse == nil {
		return e
	}
	if body, err := runtime.Payload(r.RawResponse); err == nil {
		var envelope wire.ErrorBody
		if json.Unmarshal(body, &envelope) == nil {
			if envelope.Error.Code != "" {
				e.Code = envelope.Error.Code
			}
			e.Message, e.Details = envelope.Error.Message, envelope.Error.Details
		}
	}
	return e
}
