// Package template is Azure's deployment template language: JSON in, resources
// out (Microsoft Learn: "Understand the structure and syntax of ARM templates",
// "ARM template functions").
//
// The order of its data flow:
//
//  1. [Parse] reads the text, comments allowed, remembers where every value
//     stands (json.go) and checks the sections of a template (template.go).
//  2. Strings in square brackets are expressions: lexed and parsed (lexer.go,
//     expression.go), and evaluated in a scope (scope.go) by the functions of the
//     language (functions*.go).
//  3. [Template.Expand] binds parameters (parameters.go), unrolls loops,
//     conditions and child resources into [Resource] values with known IDs
//     (expand.go), and puts each after what it depends on (depend.go).
//  4. [Resource.Document] and [Deployment.Outputs] evaluate what is left, given a
//     [Runtime] that answers reference() and list*(). [Template.Resources] does
//     without one, for a network that is not in a cloud yet (flatten.go).
//
// A value is what encoding/json makes of JSON, with int64 for whole numbers. No
// value is changed once it is made. Nothing here does I/O; the clock and random
// identifiers come with [Options]. What a template may cost is bounded: its size,
// its depth, the steps of its evaluation and the size of what they make.
package template
