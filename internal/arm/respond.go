package arm

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"github.com/ceruleannet/cerulean/model/wire"
)

const jsonType = "application/json; charset=utf-8"

func writeBytes(w http.ResponseWriter, status int, b []byte) {
	w.Header().Set("Content-Type", jsonType)
	w.WriteHeader(status)
	_, _ = w.Write(b) // the client is gone if this fails
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	b, err := json.Marshal(v)
	if err != nil {
		writeFault(w, fault(http.StatusInternalServerError, "InternalServerError", "The answer could not be encoded: %v.", err))
		return
	}
	writeBytes(w, status, b)
}

func writeFault(w http.ResponseWriter, f *Fault) {
	b, err := json.Marshal(wire.ErrorBody{Error: f.Err})
	if err != nil { // strings always encode
		b = []byte(`{"error":{"code":"InternalServerError","message":"The error could not be encoded."}}`)
	}
	w.Header().Set("X-Ms-Error-Code", f.Err.Code)
	if f.Status == http.StatusMethodNotAllowed {
		w.Header().Set("Allow", strings.Join(f.Allow, ", "))
	}
	writeBytes(w, f.Status, b)
}

// writeUnauthorized answers 401 with the challenge clients learn the tenant
// from.
func writeUnauthorized(w http.ResponseWriter, base, tenant string, err error) {
	f := fault(http.StatusUnauthorized, "InvalidAuthenticationToken", "Authentication failed: %v.", err)
	switch {
	case errors.Is(err, errNoToken):
		f.Err.Code = "AuthenticationFailed"
	case errors.Is(err, errTokenExpired):
		f.Err.Code = "ExpiredAuthenticationToken"
	case errors.Is(err, errTokenAudience):
		f.Err.Code = "InvalidAuthenticationTokenAudience"
	case errors.Is(err, errTokenIssuer):
		f.Err.Code = "InvalidAuthenticationTokenTenant"
	}
	w.Header().Set("WWW-Authenticate", `Bearer authorization_uri="`+base+"/"+tenant+`", error="invalid_token", error_description="`+err.Error()+`"`)
	writeFault(w, f)
}
