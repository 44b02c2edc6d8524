package pcapng

import (
	"net/netip"
	"time"
)

// Types of blocks (draft-ietf-opsawg-pcapng, section 11.1).
const (
	blockInterface  = 1
	blockSimple     = 3
	blockNames      = 4
	blockStatistics = 5
	blockPacket     = 6
	blockSection    = 0x0a0d0d0a
)

// Options; the numbers of each block are its own (sections 3.5 and 4).
const (
	optEnd     = 0
	optComment = 1

	optHardware    = 2 // section header
	optOS          = 3
	optApplication = 4

	optName        = 2 // interface description
	optDescription = 3
	optResolution  = 9
	optFilter      = 11
	optOffset      = 14

	optFlags    = 2 // enhanced packet
	optDrops    = 4
	optPacketID = 5

	optStart    = 2 // interface statistics
	optStop     = 3
	optReceived = 4
	optDropped  = 5
	optAccepted = 6
)

const (
	byteOrder   = 0x1a2b3c4d
	nanoseconds = 9 // if_tsresol: 10^-9 s
	// maxOption is the longest value an option can have.
	maxOption = 1<<16 - 1
)

// LinkType says what a packet of an interface begins with
// (draft-ietf-opsawg-pcaplinktype).
type LinkType uint16

// The link types this project writes.
const (
	LinkEthernet LinkType = 1
	LinkRaw      LinkType = 101 // an IPv4 or IPv6 header
)

// Section is what the head of a file says about who captured it.
type Section struct{ Hardware, OS, Application, Comment string }

// Interface is where packets were seen.
type Interface struct {
	Name, Description, Filter string
	Link                      LinkType
	SnapLen                   uint32 // most bytes kept of a packet; 0 is no limit
}

// Direction is which way a packet passed an interface, seen from what is
// behind it.
type Direction uint8

// The directions, as the option epb_flags has them.
const (
	DirectionUnknown Direction = iota
	Inbound
	Outbound
)

// Packet is one sighting of a packet at an interface.
type Packet struct {
	Interface int // as AddInterface numbered it
	Time      time.Time
	Data      []byte
	Length    int // on the wire; at least len(Data), which may be cut
	Direction Direction
	// ID is one for all sightings of a packet; 0 is none.
	ID       uint64
	Comments []string
	// Dropped counts the packets lost between the packet before and this one.
	Dropped uint64
}

// Name is a name of an address, shown by readers in the address's place.
type Name struct {
	Addr netip.Addr
	Name string
}

// Statistics are what an interface counted until the end of a capture.
type Statistics struct {
	Interface int
	Start     time.Time
	Stop      time.Time
	Received  uint64 // packets the interface saw
	Accepted  uint64 // of these, packets the filter let pass
	Dropped   uint64 // of these, packets that found no room
}
