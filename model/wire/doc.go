// Package wire has typed views of the Azure Resource Manager documents whose
// meaning Cerulean understands, and the error envelope of the API.
//
// A view is decoded from a whole document ([model.Resource].Decode) and names
// only the properties that carry meaning; everything else stays in the
// document. Property names and enum strings are those of the public API
// (Microsoft.Network 2025-01-01 unless a type says otherwise). Pointers are
// used where absent differs from the zero value.
package wire

// Ref is a reference to another resource.
type Ref struct {
	ID string `json:"id"`
}

// Head is what every top-level document has.
type Head struct {
	ID       string            `json:"id,omitempty"`
	Name     string            `json:"name,omitempty"`
	Type     string            `json:"type,omitempty"`
	Location string            `json:"location,omitempty"`
	Tags     map[string]string `json:"tags,omitempty"`
	Etag     string            `json:"etag,omitempty"`
}

// SKU is the size and tier of a resource.
type SKU struct {
	Name string `json:"name,omitempty"`
	Tier string `json:"tier,omitempty"`
}

// ErrorBody is the error envelope: {"error":{...}}.
type ErrorBody struct {
	Error Error `json:"error"`
}

// Error is an Azure Resource Manager error.
type Error struct {
	Code    string  `json:"code"`
	Message string  `json:"message"`
	Target  string  `json:"target,omitempty"`
	Details []Error `json:"details,omitzero"` // the network provider sends an empty list, too
}
