package template

import (
	"fmt"

	"github.com/ceruleannet/cerulean/model"
)

// Codes of faults, as Azure has them.
const (
	InvalidTemplate  = "InvalidTemplate"                    // its structure or an expression
	ValidationFailed = "DeploymentTemplateValidationFailed" // its parameters and evaluation
)

// Error is what is wrong with a template or with its parameters.
type Error struct {
	Code    string // one of Azure's
	Message string
	Path    string // JSON path within the template, for example resources[2].name
	Pos     model.Pos

	cloud bool // only a cloud could tell
}

func (e *Error) Error() string {
	at := ""
	if e.Pos.Line > 0 {
		at = e.Pos.String() + ": "
	}
	if e.Path != "" {
		return at + e.Path + ": " + e.Message
	}
	return at + e.Message
}

func faultf(code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}
