package flowlog

import (
	"fmt"
	"strings"
	"time"

	"github.com/ceruleannet/cerulean/internal/fabric"
)

// State is what happened to a flow, the letter in its tuple.
type State byte

// The states of a flow.
const (
	Begin    State = 'B' // it began; no counters yet
	Continue State = 'C' // it goes on: a tuple every five minutes
	End      State = 'E' // it ended
	Deny     State = 'D' // it was denied
)

// Counters are what a flow carried. Sent is from the flow's source to its
// destination. Bytes include headers.
type Counters struct {
	PacketsSent, BytesSent         uint64
	PacketsReceived, BytesReceived uint64
}

// less returns the difference of two readings of one flow's counters.
func (c Counters) less(d Counters) Counters {
	return Counters{c.PacketsSent - d.PacketsSent, c.BytesSent - d.BytesSent, c.PacketsReceived - d.PacketsReceived, c.BytesReceived - d.BytesReceived}
}

// encryption is the state of every flow: this network does not encrypt. Azure
// writes NX where virtual network encryption is off.
const encryption = "NX"

// tuple returns the text of a flow's tuple:
//
//	ms since 1970,source,destination,source port,destination port,protocol,
//	I or O,state,encryption,packets sent,bytes sent,packets received,bytes received
func tuple(at time.Time, s *Sight, state State, c Counters) string {
	direction := "O"
	if s.Inbound {
		direction = "I"
	}
	p := s.Packet
	return fmt.Sprintf("%d,%s,%s,%d,%d,%d,%s,%c,%s,%d,%d,%d,%d", at.UnixMilli(), p.Src, p.Dst, p.SrcPort, p.DstPort, p.Proto,
		direction, state, encryption, c.PacketsSent, c.BytesSent, c.PacketsReceived, c.BytesReceived)
}

// Record is what one interface's flows did in about a minute, as it stands in a
// file.
type Record struct {
	Time          string      `json:"time"`
	Version       int         `json:"flowLogVersion"`
	GUID          string      `json:"flowLogGUID"`
	MAC           string      `json:"macAddress"`
	Category      string      `json:"category"`
	Resource      string      `json:"flowLogResourceID"`
	Target        string      `json:"targetResourceID"`
	OperationName string      `json:"operationName"`
	Records       FlowRecords `json:"flowRecords"`
}

// FlowRecords are the tuples of a record, by what decided and by rule.
type FlowRecords struct {
	Flows []ACLFlows `json:"flows"`
}

// ACLFlows are the tuples of one network security group or manager.
type ACLFlows struct {
	ACL    string      `json:"aclID"`
	Groups []RuleFlows `json:"flowGroups"`
}

// RuleFlows are the tuples of one rule.
type RuleFlows struct {
	Rule   string   `json:"rule"`
	Tuples []string `json:"flowTuples"`
}

const (
	version  = 4
	category = "FlowLogFlowEvent"
	// timeFormat is how records tell the time: tenths of a microsecond, UTC.
	timeFormat = "2006-01-02T15:04:05.0000000Z"
)

// How rules are named. That rules of network security groups carry these
// prefixes in virtual network flow logs too is unconfirmed.
const (
	defaultPrefix = "DefaultRule_"
	userPrefix    = "UserRule_"
	// unspecified stands for a group and a rule where none was asked: a subnet and
	// an interface without a network security group. Azure documents it for
	// traffic that encryption denied.
	unspecified = "unspecified"
)

// defaultPriority is the first priority of a network security group's default
// rules.
const defaultPriority = 65000

// ruleName returns the name of a rule as the logs write it.
func ruleName(f *fabric.Filter, rule int32) string {
	if rule == fabric.None {
		return unspecified
	}
	r := &f.Rules[rule]
	switch {
	case f.Stage == fabric.StageAdmin:
		return r.Origin.Name
	case r.Priority >= defaultPriority:
		return defaultPrefix + r.Origin.Name
	default:
		return userPrefix + r.Origin.Name
	}
}

// macText returns a MAC address as the logs write it: twelve digits.
func macText(mac string) string {
	return strings.ToUpper(strings.NewReplacer("-", "", ":", "").Replace(mac))
}
