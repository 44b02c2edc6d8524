// Package model holds the nouns of Cerulean: Azure resources as Go values.
//
// A [Resource] is one whole Azure Resource Manager document together with the
// place it was declared. A [Network] is everything somebody declared: the
// resources, the [Host] values that run behind them, and the [Expectation]
// values that must hold. Package model/wire has typed views of the documents;
// package model/catalog has Azure's published facts (regions, latency, limits,
// service tags, reserved names).
//
// Nothing here does I/O, reads a clock or knows how packets move.
package model
