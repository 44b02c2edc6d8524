package classbench

import "github.com/ceruleannet/cerulean/internal/fabric"

// Family names a kind of filter set.
type Family string

// The families.
const (
	ACL Family = "acl" // access lists: exact hosts, no source ports, mostly TCP
	FW  Family = "fw"  // firewalls: one side is mostly open, source ports matter
	IPC Family = "ipc" // Linux IP chains: a mixture of both
)

// Families returns all of them.
func Families() []Family { return []Family{ACL, FW, IPC} }

// class is a port class of ClassBench.
type class uint8

const (
	wc class = iota // wildcard: 0 to 65535
	hi              // the user ports: 1024 to 65535
	ar              // another range
	em              // one port: "exact match"
)

// The weights below are permille of the rules of published sets of about ten
// thousand, counted by us in the sets acl1, fw1 and ipc1 that circulate for
// packet classification (2026-11-21). What was rarer than four in a thousand is
// left out and its weight spread over the rest.
type (
	lengths struct{ src, dst, weight int }
	kind    struct {
		proto    int // any if negative
		src, dst class
		weight   int
	}
	port struct{ lo, hi, weight int }
)

// shape is the statistics of a family.
type shape struct {
	lengths  []lengths
	kinds    []kind
	exact    []port // destination ports of class em
	ranges   []port // ports of class ar
	sources  []port // source ports of class em
	src, dst tree
}

// tree says how addresses cluster.
type tree struct {
	// fresh is how many of a hundred rules bring an address of their own.
	fresh int
	// blocks are how many networks of 8, 16 and 24 bits a set of ten thousand
	// has.
	blocks [3]int
}

const any = -1

const (
	icmp = fabric.ProtoICMP
	tcp  = fabric.ProtoTCP
	udp  = fabric.ProtoUDP
	gre  = 47
)

func shapeOf(f Family) *shape {
	switch f {
	case ACL:
		return &shape{
			lengths: []lengths{
				{32, 32, 293},
				{31, 32, 141},
				{32, 31, 128},
				{31, 31, 45},
				{32, 30, 39},
				{23, 32, 35},
				{32, 22, 33},
				{31, 22, 21},
				{30, 32, 21},
				{31, 23, 20},
				{24, 31, 17},
				{32, 24, 17},
				{32, 21, 12},
				{30, 22, 11},
				{30, 23, 10},
				{24, 32, 9},
				{31, 25, 8},
				{32, 25, 8},
				{29, 23, 6},
				{31, 21, 5},
				{23, 16, 5},
				{23, 31, 5},
				{32, 23, 5},
				{25, 32, 5},
				{0, 32, 3},
				{8, 32, 2},
			},
			kinds: []kind{
				{tcp, wc, em, 593}, {tcp, wc, wc, 167}, {tcp, wc, ar, 114}, {any, wc, wc, 83}, {icmp, wc, wc, 30}, {udp, wc, em, 11},
			},
			exact: []port{
				{1521, 1521, 185},
				{1526, 1526, 57},
				{1221, 1221, 41},
				{1433, 1433, 36},
				{135, 135, 33},
				{1525, 1525, 32},
				{14753, 14753, 29},
				{1711, 1711, 26},
				{1724, 1724, 24},
				{1704, 1704, 23},
				{1717, 1717, 23},
				{1708, 1708, 22},
				{80, 80, 20},
				{443, 443, 20},
				{25, 25, 10},
				{27400, 27400, 10},
				{1550, 1550, 10},
			},
			ranges: []port{
				{1600, 1649, 100},
				{1300, 1349, 75},
				{1300, 1350, 74},
				{7500, 7599, 65},
				{32200, 32207, 49},
				{2200, 2210, 45},
				{1700, 1750, 42},
				{1025, 65535, 42},
				{62600, 62609, 40},
				{5001, 65535, 39},
			},
			src: tree{41, [3]int{137, 151, 445}},
			dst: tree{7, [3]int{202, 393, 528}},
		}
	case FW:
		return &shape{
			lengths: []lengths{
				{0, 31, 188},
				{0, 32, 146},
				{1, 32, 111},
				{1, 31, 70},
				{0, 30, 55},
				{31, 0, 47},
				{32, 0, 38},
				{32, 1, 29},
				{2, 32, 27},
				{30, 0, 22},
				{31, 1, 20},
				{32, 32, 19},
				{31, 32, 10},
				{32, 31, 9},
				{0, 0, 9},
				{1, 0, 8},
				{0, 1, 7},
				{32, 2, 7},
				{27, 0, 6},
				{28, 0, 6},
				{29, 0, 6},
				{21, 0, 6},
				{22, 0, 6},
				{23, 0, 5},
				{31, 31, 4},
				{30, 32, 4},
				{20, 0, 4},
				{26, 0, 4},
			},
			kinds: []kind{
				{tcp, wc, em, 445},
				{udp, wc, em, 138},
				{udp, em, wc, 106},
				{tcp, wc, wc, 86},
				{gre, wc, wc, 48},
				{tcp, hi, hi, 39},
				{icmp, wc, wc, 36},
				{udp, em, em, 26},
				{udp, hi, hi, 22},
				{udp, em, hi, 21},
				{udp, hi, em, 20},
				{any, wc, wc, 11},
				{udp, ar, hi, 1},
				{udp, hi, ar, 1},
			},
			exact: []port{
				{22, 22, 936},
				{80, 80, 626},
				{25, 25, 562},
				{53, 53, 558},
				{123, 123, 436},
				{544, 544, 195},
				{2105, 2105, 185},
				{21, 21, 179},
				{750, 750, 167},
				{161, 161, 158},
				{443, 443, 157},
				{23, 23, 121},
				{110, 110, 90},
				{143, 143, 80},
				{993, 993, 60},
				{37, 37, 40},
				{754, 754, 40},
				{88, 88, 40},
				{389, 389, 30},
				{514, 514, 20},
			},
			ranges:  []port{{33434, 33600, 1}},
			sources: []port{{123, 123, 349}, {53, 53, 256}, {750, 750, 171}, {161, 161, 160}, {69, 69, 125}, {88, 88, 104}, {67, 67, 84}, {24032, 24032, 78}},
			src:     tree{100, [3]int{233, 3404, 10000}},
			dst:     tree{100, [3]int{256, 6666, 10000}},
		}
	default:
		return &shape{
			lengths: []lengths{
				{32, 32, 70},
				{31, 32, 38},
				{23, 32, 33},
				{24, 32, 27},
				{23, 24, 25},
				{32, 31, 25},
				{25, 32, 20},
				{24, 31, 19},
				{0, 31, 19},
				{24, 24, 18},
				{0, 32, 16},
				{24, 23, 16},
				{25, 31, 15},
				{32, 24, 15},
				{23, 25, 15},
				{1, 32, 14},
				{24, 25, 14},
				{32, 25, 14},
				{23, 0, 13},
				{24, 0, 12},
				{25, 23, 12},
				{25, 24, 12},
				{23, 26, 11},
				{22, 25, 10},
				{0, 25, 10},
				{0, 24, 9},
				{23, 16, 9},
				{32, 0, 8},
				{16, 27, 20},
				{26, 1, 20},
				{1, 26, 20},
				{16, 16, 14},
			},
			kinds: []kind{
				{any, wc, wc, 328},
				{udp, wc, em, 218},
				{tcp, wc, em, 139},
				{udp, em, wc, 85},
				{tcp, em, wc, 80},
				{udp, wc, hi, 60},
				{tcp, wc, wc, 22},
				{tcp, wc, ar, 18},
				{tcp, ar, wc, 15},
				{icmp, wc, wc, 11},
				{udp, wc, ar, 6},
				{udp, em, em, 3},
				{udp, ar, wc, 3},
				{udp, hi, wc, 3},
				{gre, wc, wc, 3},
				{udp, wc, wc, 2},
				{fabric.ProtoAH, wc, wc, 1},
				{fabric.ProtoESP, wc, wc, 1},
			},
			exact: []port{
				{69, 69, 659},
				{514, 514, 609},
				{80, 80, 404},
				{9003, 9003, 281},
				{53, 53, 242},
				{25, 25, 161},
				{1433, 1433, 105},
				{137, 137, 95},
				{162, 162, 74},
				{113, 113, 61},
				{143, 143, 61},
				{161, 161, 56},
				{119, 119, 40},
				{22, 22, 40},
			},
			ranges:  []port{{109, 110, 63}, {20, 23, 54}, {20, 21, 53}, {1645, 1646, 37}, {1812, 1813, 21}, {5000, 5001, 3}, {20, 2511, 3}},
			sources: []port{{161, 161, 421}, {53, 53, 212}, {80, 80, 142}, {25, 25, 139}, {1433, 1433, 105}, {143, 143, 63}, {22, 22, 60}, {5550, 5550, 56}},
			src:     tree{16, [3]int{48, 270, 896}},
			dst:     tree{30, [3]int{78, 351, 1306}},
		}
	}
}
