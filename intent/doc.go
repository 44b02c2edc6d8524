// Package intent turns a declared network, written in YAML, into a
// [model.Network]: every resource with its addresses, the hosts behind them,
// and the expectations that must hold.
//
// The data flows in one direction:
//
//	files        load.go     a file or a folder, and its lock
//	syntax tree  parse.go    within limits of size, depth and aliases
//	Document     decode.go   the types of language*.go, each value with its place
//	topology     topology.go regions, networks, subnets, hosts; each: region
//	             nouns.go    what stands in them besides: balancers.go, nat.go,
//	                         services.go, appgateways.go, endpoints.go,
//	             hybrid.go
//	addresses    address.go  explicit, then locked, then first fit
//	resources    expand*.go  whole Resource Manager documents; carriers.go the
//	                         tags for what these have no property for
//	expectations expect.go   sentences over the names the resources have
//	checks       check*.go   what Azure would refuse, and references to nothing
//
// Every step collects problems with their places and the next one goes on with
// what is sound, so that one run reports all of them. A network is returned
// only when there are none.
//
// [Parse] does no I/O and reads no clock; [Load] and [Declared.SaveLock] are
// the only functions that touch files. Equal input gives equal output.
package intent
