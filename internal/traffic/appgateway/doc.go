// Package appgateway reads application gateways as Azure's Resource Manager has
// them, and returns the configuration of a gateway that does what they say.
//
// The order of its data flow:
//
//  1. The document is decoded into typed views (package wire).
//  2. convert.go, rules.go and firewall.go turn its parts into those of a
//     [gateway.Config]: listeners, certificates, pools, settings, probes, rules,
//     and the web application firewall policies it names.
//  3. policy.go adds what no property of the resource holds.
//  4. findings.go lists everything in the documents that is not done as it is
//     written: nothing is passed over in silence.
//
// It has no I/O: certificates of key vaults, files and authorities come from its
// [Source].
package appgateway
