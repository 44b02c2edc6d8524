package tds

import (
	"fmt"
)

// Procedures that have numbers ([MS-TDS] 2.2.6.6).
const (
	ProcExecuteSQL uint16 = 10
	ProcPrepare    uint16 = 11
	ProcExecute    uint16 = 12
	ProcPrepExec   uint16 = 13
	ProcUnprepare  uint16 = 15
)

// Changes of a transaction ([MS-TDS] 2.2.6.9).
const (
	TransactionBegin    uint16 = 5
	TransactionCommit   uint16 = 7
	TransactionRollback uint16 = 8
	TransactionSave     uint16 = 9
)

// maxParameters is the most that a procedure takes ("Maximum capacity
// specifications for SQL Server").
const maxParameters = 2100

// Parameter is one of a remote procedure.
type Parameter struct {
	Name   string // "@p1"; empty: by its place
	Output bool
	Type   Type
	Value  any // as a column's: see [Fits]
}

// Call is a remote procedure with its parameters.
type Call struct {
	Proc       uint16 // 0: by its name
	Name       string
	Parameters []Parameter
}

// headers skips what stands before a request since TDS 7.2 ([MS-TDS] 2.2.5.3).
func (r *reader) headers() {
	n := r.u32()
	if n < 4 {
		r.fail("the request's headers have a length of %d", n)
		return
	}
	r.take(int(min(n, 1<<30)) - 4)
}

// ParseBatch reads the statements of a batch.
func ParseBatch(b []byte) (string, error) {
	r := &reader{b: b}
	r.headers()
	if r.err != nil {
		return "", r.err
	}
	return decode16(r.b), nil
}

// BatchBytes writes a batch outside a transaction.
func BatchBytes(statements string) []byte {
	// One header: no transaction, one request at a time.
	b := []byte{22, 0, 0, 0, 18, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0}
	return append(b, encode16(statements)...)
}

// ParseCall reads a request of one remote procedure.
func ParseCall(b []byte) (Call, error) {
	var c Call
	r := &reader{b: b}
	r.headers()
	if n := r.u16(); n == 0xffff {
		c.Proc = r.u16()
	} else {
		c.Name = decode16(r.take(2 * int(n)))
	}
	r.u16() // how the answer is to be: with its columns, always
	for r.err == nil && len(r.b) > 0 {
		if r.b[0] == 0xff || r.b[0] == 0x80 {
			return c, fmt.Errorf("several procedures in one request are not known here; send one after the other")
		}
		if len(c.Parameters) == maxParameters {
			return c, fmt.Errorf("more than %d parameters", maxParameters)
		}
		p := Parameter{Name: r.short()}
		p.Output = r.u8()&1 != 0
		p.Type = r.readType()
		p.Value = r.readValue(p.Type)
		if r.err == nil {
			c.Parameters = append(c.Parameters, p)
		}
	}
	return c, r.err
}

// Transaction is a request to change a transaction.
type Transaction struct {
	What  uint16
	Name  string // of a savepoint
	Again bool   // begin another after this one
}

// ParseTransaction reads one.
func ParseTransaction(b []byte) (Transaction, error) {
	var t Transaction
	r := &reader{b: b}
	r.headers()
	t.What = r.u16()
	switch t.What {
	case TransactionBegin:
		r.u8() // how isolated
		t.Name = decode16(r.take(int(r.u8())))
	case TransactionCommit, TransactionRollback:
		t.Name = decode16(r.take(int(r.u8())))
		t.Again = r.u8()&1 != 0
	case TransactionSave:
		t.Name = decode16(r.take(int(r.u8())))
	default:
		r.fail("the transaction request %d is not known here", t.What)
	}
	return t, r.err
}
