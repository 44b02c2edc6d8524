// Package fabric holds the compiled image of a network: the one thing that the
// reference evaluator (package ref), the proof and the engine all read.
//
// An [Image] says where packets enter and leave ([Port]), which ordered rules
// they meet there ([Filter]), how they are routed ([Table]), how they are
// translated, and which names resolve to what ([View]). It speaks of spaces,
// segments, ports, filters and routes, not of any cloud's products; each part
// carries an [Origin], the resource and rule it was compiled from.
//
// A packet's life, the numbered steps every interpreter follows:
//
//  1. It enters at a port. A destination among the platform's own addresses is
//     delivered to the platform at once.
//  2. The port's source check: a port that does not forward may only send from
//     addresses it owns.
//  3. The port's egress filters, in order.
//  4. The port's route table: longest prefix wins. The hop says what is next:
//     a port of a space, an appliance port, the internet, or nothing.
//  5. Towards the internet the source is translated to a public address; an
//     address that is one of the image's own comes back in through the edge.
//  6. It arrives at a port: the port's ingress filters, in order.
//  7. A port that owns the destination delivers it. Another port forwards it if
//     it may: its policy filters, then on from step 3 at that port.
//
// Replies of an established flow skip the filters of every port the flow's
// first packet passed, are routed on their own, and are stopped by a stateful
// forwarder that never saw the flow.
//
// An Image is immutable once built; readers share it without locks.
package fabric
