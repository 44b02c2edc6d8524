// Package datapath is the edge where the network meets the programs of a real
// operating system: virtual network interfaces in namespaces, and the processes
// that run behind them.
//
// A packet's way through a [Device], from a program to the network:
//
//  1. device_linux.go reads a frame from the file that stands for the interface:
//     a packet socket at the other end of a veth pair, or a TAP. Both put a
//     virtio network header before the Ethernet header.
//  2. neighbour.go answers ARP and neighbour solicitations, as the platform does:
//     every address has the gateway's MAC address.
//  3. dhcp.go answers guests that ask for their address (RFC 2131).
//  4. virtio.go turns the virtio header into an engine.Offload: a segment of up
//     to 64 KB passes through uncut, and its checksum stays partial.
//
// Back it is virtio.go and one write.
//
// How a process gets there, on Linux:
//
//  1. process_linux.go starts this program again as the first process of new
//     namespaces (user, if the caller is not root; network, mount, process, host
//     name), and tells it what to do over a socket.
//  2. namespace_linux.go, in that process, makes the interfaces, and the sockets
//     at their other end in a second network namespace that nothing else enters.
//  3. files_linux.go covers resolv.conf, hosts and the certificates there.
//  4. The files of the interfaces and of the namespaces go back over the socket.
//     Whoever holds the interfaces' files carries the packets; that needs no
//     privilege.
//  5. child_linux.go runs the command and waits. When the socket closes, whatever
//     the reason, the process ends; the kernel ends all others in its process
//     namespace, and removes the namespaces and interfaces with the last of them.
//
// Without Linux every entry point returns an error that says so.
package datapath
