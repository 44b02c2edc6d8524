// Command recordings replays what the Azure CLI's own tests recorded of the
// real service against the embedded cloud, and compares the answers field by
// field.
//
// The recordings are the cassettes of the public repository Azure/azure-cli
// (src/azure-cli/azure/cli/command_modules/*/tests/latest/recordings); they are
// not part of this project. With a checkout of that repository:
//
//	go build -o bin/cerulean ./cmd/cerulean
//	go run ./interop/recordings --cerulean bin/cerulean azure-cli/src/azure-cli/azure/cli/command_modules/network/tests/latest/recordings
//
// The way of a recording:
//
//  1. cassette.go reads its exchanges.
//  2. replay.go starts a cloud of its own for it, makes the resource groups that
//     the tests made off the record, sends every request, and waits for
//     operations instead of repeating the recorded polls.
//  3. compare.go tells where status and body differ; what differs by nature, as
//     GUIDs, etags, times and public addresses, does not count.
//  4. report.go sums the differences up by resource type and property.
//
// What follows a refused write about the same resource is not compared: it
// would only tell the same difference again.
package main
