// Package pcapng writes and reads capture files of the pcapng format
// (draft-ietf-opsawg-pcapng), as Wireshark and tshark do.
//
// A file's way through the package:
//
//  1. writer.go begins a section and tells of each interface once, by name.
//  2. It writes packets with nanosecond times, their direction, comments and an
//     identity that is one for all sightings of a packet; at the end how many
//     packets each interface saw and lost.
//  3. split.go cuts a stream of blocks into files of bounded size, each of
//     which can be read alone.
//  4. reader.go reads back what any writer wrote, of either byte order, within
//     bounds: a length in a file is never trusted.
package pcapng
