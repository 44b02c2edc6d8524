// Package az holds the stories that the Azure CLI lives through against the
// embedded cloud.
//
// A story (testdata/*.txt) is a list of commands of the unchanged CLI, each with
// what it must answer. The test builds cerulean, serves a cloud, signs the CLI
// in through `cerulean az`, runs every story in a resource group of its own, and
// compares. It runs where CERULEAN_INTEROP names it, because an installed CLI
// takes a second for each command:
//
//	CERULEAN_INTEROP=az go test -count=1 -v ./interop/az
package az
