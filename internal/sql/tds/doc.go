// Package tds is the Tabular Data Stream protocol, version 7.4, that clients of
// SQL Server speak ([MS-TDS]): its messages as values, read from hostile bytes
// and written, and a small client.
//
// A connection, from the server's side:
//
//  1. packet.go cuts the stream into packets and joins them to messages.
//  2. prelogin.go is the first message of either side: versions, encryption,
//     federated authentication.
//  3. handshake.go carries TLS inside packets, as the protocol has it, and
//     afterwards around them; or around everything, as TDS 8 has it.
//  4. login.go is who logs in: with a password, or with a token (FEDAUTH).
//  5. request.go is what a client asks: a batch, a remote procedure with its
//     parameters, a change of transaction.
//  6. types.go and value.go are the data types and their values.
//  7. reply.go writes answers: columns, rows, errors, the end.
//  8. client.go logs in and runs a batch: who measures a server needs no more.
//
// It opens no socket and executes no statement.
package tds
