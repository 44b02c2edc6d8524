// Package arm is the embedded cloud: an HTTPS server that speaks the Azure
// Resource Manager protocol over a versioned store.
//
// The order of its data flow:
//
//  1. [Server.ServeHTTP] gives the request an identity, refuses what is not
//     addressed to this server, and answers sign-in and discovery itself
//     (login.go, metadata.go).
//  2. The bearer token is checked (token.go) and the path becomes a target:
//     a resource, a collection, a resource group, an operation (route.go). What
//     the caller's roles do not allow is refused (access.go), as is a change of
//     what is locked (locks.go). Refused writes are put on the trail beside those
//     that were done; both are the activity log (activity.go).
//  3. A body is read within limits (body.go) and completed to a whole document
//     inside one store update: defaults, names, references, addresses, checks
//     (write.go). What differs from type to type is data: a kind per resource
//     type (kind.go, kinds_*.go).
//  4. The answer is the stored document, with what only the server knows added
//     (read.go), and for slow types an operation to poll (operation.go).
//
// What is in a resource group becomes a template again in group_export.go and
// group_template.go.
//
// A write is durable before it is acknowledged, and it is durable whole: the
// stored document already says Succeeded. That an operation takes time is told
// by its name, which carries the instant it ends, so a crash leaves nothing
// half-done and nothing stuck at Updating.
// Deployments of templates are the exception: each is many writes and goes on
// after its request was answered (deployment_live.go); one that the server's end
// cuts off keeps its request, and the next server goes on with it
// (deployment_resume.go).
//
// Status codes, error codes and bodies follow Azure's REST API as its SDKs read
// them; codes Azure's documents do not confirm are marked "unconfirmed" where
// they are named (codes.go).
package arm
