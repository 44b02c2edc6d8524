package tds

import (
	"encoding/binary"
	"strconv"
)

// Tokens of a reply ([MS-TDS] 2.2.7).
const (
	tokenReturnStatus = 0x79
	tokenColumns      = 0x81
	tokenOrder        = 0xa9
	tokenError        = 0xaa
	tokenInfo         = 0xab
	tokenReturnValue  = 0xac
	tokenLoginAck     = 0xad
	tokenFeatures     = 0xae
	tokenRow          = 0xd1
	tokenEnvironment  = 0xe3
	tokenFedAuth      = 0xee
	tokenDone         = 0xfd
	tokenDoneProc     = 0xfe
	tokenDoneInProc   = 0xff
)

// Problem is an error as SQL Server says it.
type Problem struct {
	Number int32 // "Msg 208"
	State  byte  // where in the server it came from
	Class  byte  // severity: 11 to 16 are the user's, 20 and more end the connection
	Text   string
	Server string
	Line   int32 // of the batch
}

func (p *Problem) Error() string { return p.Text }

// Column is one of a result.
type Column struct {
	Name string
	Type Type
}

// Reply is the tokens of an answer, added one after the other.
type Reply struct {
	b       []byte
	columns []Column
	// Open says whether a transaction is open, as each end tells.
	Open bool
}

// Bytes returns what was added.
func (r *Reply) Bytes() []byte { return r.b }

func (r *Reply) token(id byte, body []byte) {
	r.b = append(r.b, id)
	r.b = binary.LittleEndian.AppendUint16(r.b, uint16(len(body)))
	r.b = append(r.b, body...)
}

func appendShort(b []byte, s string) []byte {
	u := encode16(s)
	u = u[:min(len(u), 2*255)]
	return append(append(b, byte(len(u)/2)), u...)
}

func appendLong(b []byte, s string) []byte {
	u := encode16(s)
	u = u[:min(len(u), 2*4000)]
	return append(binary.LittleEndian.AppendUint16(b, uint16(len(u)/2)), u...)
}

func (r *Reply) message(id byte, p *Problem) {
	b := binary.LittleEndian.AppendUint32(nil, uint32(p.Number))
	b = append(b, p.State, p.Class)
	b = appendShort(appendShort(appendLong(b, p.Text), p.Server), "")
	r.token(id, binary.LittleEndian.AppendUint32(b, uint32(p.Line)))
}

// Error adds an error.
func (r *Reply) Error(p *Problem) { r.message(tokenError, p) }

// Info adds a message that is no error.
func (r *Reply) Info(p *Problem) { r.message(tokenInfo, p) }

// LoginAck says that the login succeeded, in a version of the protocol, at a
// program of a version.
func (r *Reply) LoginAck(protocol uint32, program string, version [4]byte) {
	b := binary.BigEndian.AppendUint32([]byte{1}, protocol)
	r.token(tokenLoginAck, append(appendShort(b, program), version[:]...))
}

// Kinds of changes of a session's environment.
const (
	envDatabase   = 1
	envPacketSize = 4
	envCollation  = 7
	envBegin      = 8
	envCommit     = 9
	envRollback   = 10
	envReset      = 18
)

// Database says which database the session is in now.
func (r *Reply) Database(now, before string) {
	r.token(tokenEnvironment, appendShort(appendShort([]byte{envDatabase}, now), before))
}

// PacketSize says how long packets are from now on.
func (r *Reply) PacketSize(now int) {
	r.token(tokenEnvironment, appendShort(appendShort([]byte{envPacketSize}, strconv.Itoa(now)), strconv.Itoa(DefaultPacket)))
}

// Collation says how texts are ordered.
func (r *Reply) Collation() {
	r.token(tokenEnvironment, append(append([]byte{envCollation, byte(len(collation))}, collation[:]...), 0))
}

// Began, Committed and RolledBack say what became of the transaction of an ID.
func (r *Reply) Began(id uint64) { r.transaction(envBegin, id) }

// Committed says that the transaction is committed.
func (r *Reply) Committed(id uint64) { r.transaction(envCommit, id) }

// RolledBack says that the transaction never happened.
func (r *Reply) RolledBack(id uint64) { r.transaction(envRollback, id) }

func (r *Reply) transaction(what byte, id uint64) {
	desc := binary.LittleEndian.AppendUint64([]byte{8}, id)
	if what == envBegin {
		r.token(tokenEnvironment, append(append([]byte{what}, desc...), 0))
		return
	}
	r.token(tokenEnvironment, append([]byte{what, 0}, desc...))
}

// WasReset says that the session is as new.
func (r *Reply) WasReset() { r.token(tokenEnvironment, []byte{envReset, 0, 0}) }

// FedAuthAck says that the token was taken, with the nonce of the login.
func (r *Reply) FedAuthAck(nonce []byte) {
	r.b = append(r.b, tokenFeatures, featureFedAuth)
	r.b = binary.LittleEndian.AppendUint32(r.b, uint32(len(nonce)))
	r.b = append(append(r.b, nonce...), featureEnd)
}

// FedAuthInfo says where to get a token and for what.
func (r *Reply) FedAuthInfo(sts, spn string) {
	const head = 4 + 2*9
	u, s := encode16(sts), encode16(spn)
	le := binary.LittleEndian
	b := le.AppendUint32(nil, 2)
	b = le.AppendUint32(le.AppendUint32(append(b, 1), uint32(len(u))), head)
	b = le.AppendUint32(le.AppendUint32(append(b, 2), uint32(len(s))), uint32(head+len(u)))
	b = append(append(b, u...), s...)
	r.b = le.AppendUint32(append(r.b, tokenFedAuth), uint32(len(b)))
	r.b = append(r.b, b...)
}

// Columns begins a result.
func (r *Reply) Columns(columns []Column) {
	r.columns = columns
	r.b = append(r.b, tokenColumns)
	r.b = binary.LittleEndian.AppendUint16(r.b, uint16(len(columns)))
	for _, c := range columns {
		r.b = binary.LittleEndian.AppendUint32(r.b, 0) // no type of a user's
		r.b = binary.LittleEndian.AppendUint16(r.b, 0x0009)
		r.b = appendType(r.b, c.Type)
		r.b = appendShort(r.b, c.Name)
	}
}

// Row adds a row of the last result; its values must fit the columns' types.
func (r *Reply) Row(values []any) {
	r.b = append(r.b, tokenRow)
	for i, c := range r.columns {
		r.b, _ = appendValue(r.b, c.Type, values[i])
	}
}

// ReturnStatus is what a procedure returns; 0 is success.
func (r *Reply) ReturnStatus(status int32) {
	r.b = binary.LittleEndian.AppendUint32(append(r.b, tokenReturnStatus), uint32(status))
}

// ReturnInt adds an output parameter, a number by its name.
func (r *Reply) ReturnInt(name string, v int64) {
	r.b = append(r.b, tokenReturnValue, 0, 0)
	r.b = append(appendShort(r.b, name), 1)
	r.b = binary.LittleEndian.AppendUint32(r.b, 0)
	r.b = binary.LittleEndian.AppendUint16(r.b, 0x0001)
	r.b = appendType(r.b, Int)
	r.b, _ = appendValue(r.b, Int, v)
}

// End is how a statement, a procedure or a batch ended.
type End struct {
	More    bool // something follows
	Failed  bool
	Counted bool
	Rows    int64
	// Attention says that the client's wish to stop was heard.
	Attention bool
	// Statement is the end of a statement within a procedure, Procedure that of a
	// procedure; neither is that of a batch's statement.
	Statement, Procedure bool
	Select               bool // the statement asked
}

// End adds an end.
func (r *Reply) End(e End) {
	var status uint16
	for bit, on := range map[uint16]bool{0x01: e.More, 0x02: e.Failed, 0x04: r.Open, 0x10: e.Counted, 0x20: e.Attention} {
		if on {
			status |= bit
		}
	}
	id := byte(tokenDone)
	switch {
	case e.Statement:
		id = tokenDoneInProc
	case e.Procedure:
		id = tokenDoneProc
	}
	command := uint16(0xc3)
	if e.Select {
		command = 0xc1
	}
	le := binary.LittleEndian
	r.b = le.AppendUint16(append(r.b, id), status)
	r.b = le.AppendUint64(le.AppendUint16(r.b, command), uint64(e.Rows))
}
