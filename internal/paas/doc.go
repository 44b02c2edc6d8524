// Package paas is the data planes of platform services, without a socket: HTTP
// handlers that a network serves at the right places.
//
//  1. cloud.go says what they ask of the control plane: resources, roles, tokens,
//     keys; and what they are told of a connection ([Client]).
//  2. planes.go finds the data plane of a resource and fills it with declared
//     contents ([Planes]).
//  3. vault*.go answer for key vaults: secrets, their versions, and deleted ones.
//  4. blob*.go answer for the blobs of storage accounts.
//  5. instance*.go are the instance metadata service: what a virtual machine is,
//     and the tokens of its managed identities.
//
// What is written lives in memory, within [Limits], and ends with the process.
package paas
