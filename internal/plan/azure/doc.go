// Package azure runs plans against an Azure Resource Manager endpoint, Azure's
// own or any that speaks its protocol, and reads back what is there. It is the
// only room that imports the Azure SDK, and of that only azcore and azidentity.
//
// The order of its data flow: [New] makes an ARM pipeline (config.go);
// [Client.Observe] lists what exists (observe.go, versions.go) for plan.Compute;
// plan.Execute then calls [Client.Put], [Client.Delete] (client.go) and
// [Client.Commit] (commit.go), which follow long-running operations to their
// end (operation.go). Every refusal is an [Error] decoded from Azure's envelope
// (errors.go).
package azure
