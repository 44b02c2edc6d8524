// Package underway counts the requests that a server handles, so that closing it
// waits for them: net/http's own closing leaves handlers behind, and does not know of
// connections that changed protocols.
//
//  1. A handler begins and ends in a [Requests].
//  2. Who closes the server waits with [Requests.Wait], for a while and then, when
//     everything they could wait for has ended, for good with [Requests.End].
package underway
