package tds

import (
	"encoding/binary"
	"fmt"
)

// Type is a data type as a column or a parameter has it ([MS-TDS] 2.2.5.4).
type Type struct {
	ID byte
	// Size is the longest value in bytes; MaxSize for types without a bound.
	Size int
	// Precision and Scale are digits: of decimals, Scale also of seconds.
	Precision, Scale byte
}

// MaxSize is the size of varchar(max) and its like.
const MaxSize = 0xffff

// Type identifiers.
const (
	idNull           = 0x1f
	idImage          = 0x22
	idText           = 0x23
	idGUID           = 0x24
	idIntN           = 0x26
	idDateN          = 0x28
	idTimeN          = 0x29
	idDateTime2N     = 0x2a
	idDateTimeOffset = 0x2b
	idInt1           = 0x30
	idBit            = 0x32
	idInt2           = 0x34
	idInt4           = 0x38
	idDateTime4      = 0x3a
	idFloat4         = 0x3b
	idMoney          = 0x3c
	idDateTime       = 0x3d
	idFloat8         = 0x3e
	idNText          = 0x63
	idBitN           = 0x68
	idDecimalN       = 0x6a
	idNumericN       = 0x6c
	idFloatN         = 0x6d
	idMoneyN         = 0x6e
	idDateTimeN      = 0x6f
	idMoney4         = 0x7a
	idInt8           = 0x7f
	idVarBinary      = 0xa5
	idVarChar        = 0xa7
	idBinary         = 0xad
	idChar           = 0xaf
	idNVarChar       = 0xe7
	idNChar          = 0xef
)

// The types of columns that a server writes.
var (
	TinyInt        = Type{ID: idIntN, Size: 1}
	SmallInt       = Type{ID: idIntN, Size: 2}
	Int            = Type{ID: idIntN, Size: 4}
	BigInt         = Type{ID: idIntN, Size: 8}
	Bit            = Type{ID: idBitN, Size: 1}
	Real           = Type{ID: idFloatN, Size: 4}
	Float          = Type{ID: idFloatN, Size: 8}
	NVarChar       = Type{ID: idNVarChar, Size: MaxSize}
	VarBinary      = Type{ID: idVarBinary, Size: MaxSize}
	GUID           = Type{ID: idGUID, Size: 16}
	Date           = Type{ID: idDateN, Size: 3}
	Time           = Type{ID: idTimeN, Size: 5, Scale: 7}
	DateTime2      = Type{ID: idDateTime2N, Size: 8, Scale: 7}
	DateTimeOffset = Type{ID: idDateTimeOffset, Size: 10, Scale: 7}
)

// MaxPrecision is the most digits that a decimal has.
const MaxPrecision = 38

// Decimal is the type of numbers with so many digits, scale of them behind the
// point.
func Decimal(precision, scale byte) Type {
	return Type{ID: idDecimalN, Size: decimalSize(precision), Precision: precision, Scale: scale}
}

func decimalSize(precision byte) int {
	switch {
	case precision <= 9:
		return 5
	case precision <= 19:
		return 9
	case precision <= 28:
		return 13
	}
	return 17
}

// collation is SQL_Latin1_General_CP1_CI_AS, Azure SQL's default.
var collation = [5]byte{0x09, 0x04, 0xd0, 0x00, 0x34}

// fixed are the sizes of the types whose every value has the same one.
func fixed(id byte) (int, bool) {
	switch id {
	case idNull:
		return 0, true
	case idInt1, idBit:
		return 1, true
	case idInt2:
		return 2, true
	case idInt4, idDateTime4, idFloat4, idMoney4:
		return 4, true
	case idMoney, idDateTime, idFloat8, idInt8:
		return 8, true
	}
	return 0, false
}

// readType reads a type.
func (r *reader) readType() Type {
	t := Type{ID: r.u8()}
	if n, ok := fixed(t.ID); ok {
		t.Size = n
		return t
	}
	switch t.ID {
	case idGUID, idIntN, idBitN, idFloatN, idMoneyN, idDateTimeN:
		t.Size = int(r.u8())
	case idDecimalN, idNumericN:
		t.Size, t.Precision, t.Scale = int(r.u8()), r.u8(), r.u8()
		if t.Precision > MaxPrecision || t.Scale > t.Precision {
			r.fail("a decimal of %d digits with %d behind the point", t.Precision, t.Scale)
		}
	case idDateN:
		t.Size = 3
	case idTimeN, idDateTime2N, idDateTimeOffset:
		if t.Scale = r.u8(); t.Scale > 7 {
			r.fail("a time with %d digits of seconds", t.Scale)
		}
		t.Size = timeSize(t.Scale) + map[byte]int{idTimeN: 0, idDateTime2N: 3, idDateTimeOffset: 5}[t.ID]
	case idVarBinary, idBinary:
		t.Size = int(r.u16())
	case idVarChar, idChar, idNVarChar, idNChar:
		t.Size = int(r.u16())
		r.take(len(collation))
	case idImage:
		t.Size = int(min(r.u32(), 1<<30))
	case idText, idNText:
		t.Size = int(min(r.u32(), 1<<30))
		r.take(len(collation))
	default:
		r.fail("the data type 0x%02x is not known here; send another", t.ID)
	}
	return t
}

func (r *reader) fail(format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf(format, args...)
	}
}

// appendType writes a type that a server has columns of.
func appendType(b []byte, t Type) []byte {
	b = append(b, t.ID)
	switch t.ID {
	case idDateN:
		return b
	case idTimeN, idDateTime2N, idDateTimeOffset:
		return append(b, t.Scale)
	case idDecimalN:
		return append(b, byte(t.Size), t.Precision, t.Scale)
	case idVarBinary:
		return binary.LittleEndian.AppendUint16(b, uint16(t.Size))
	case idNVarChar:
		return append(binary.LittleEndian.AppendUint16(b, uint16(t.Size)), collation[:]...)
	}
	return append(b, byte(t.Size))
}

// timeSize is how many bytes a time of day has with so many digits of seconds.
func timeSize(scale byte) int {
	switch {
	case scale <= 2:
		return 3
	case scale <= 4:
		return 4
	}
	return 5
}
