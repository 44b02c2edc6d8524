package tds

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"
	"math/big"
	"strings"
	"time"
)

// Number is a decimal, written with its digits: "-12.50".
type Number string

// Moment is a date, a time or both, as far as its type says so.
type Moment struct {
	time.Time
	Type Type
}

// readValue reads a value of a type: nil, int64, float64, bool, string, []byte,
// Number or Moment.
func (r *reader) readValue(t Type) any {
	if n, ok := fixed(t.ID); ok {
		return r.scalar(t.ID, r.take(n))
	}
	switch t.ID {
	case idVarBinary, idVarChar, idNVarChar:
		if t.Size == MaxSize {
			return text(t.ID, r.partial())
		}
		return text(t.ID, r.counted())
	case idBinary, idChar, idNChar:
		return text(t.ID, r.counted())
	case idImage, idText, idNText:
		n := r.u32()
		if n == math.MaxUint32 {
			return nil
		}
		return text(t.ID, r.take(int(min(n, 1<<30))))
	}
	n := int(r.u8())
	if n == 0 || r.err != nil {
		return nil
	}
	b := r.take(n)
	if b == nil {
		return nil
	}
	switch t.ID {
	case idIntN, idBitN, idFloatN, idMoneyN, idDateTimeN:
		return r.scalar(byN(t.ID, n), b)
	case idDecimalN, idNumericN:
		return number(b, t.Scale)
	case idGUID:
		if n == 16 {
			return guidText([16]byte(b))
		}
	case idDateN, idTimeN, idDateTime2N, idDateTimeOffset:
		if n == t.Size {
			return moment(b, t)
		}
	}
	r.fail("a value of %d bytes of the data type 0x%02x", n, t.ID)
	return nil
}

// byN is the fixed type that a nullable one of some size stands for, 0 for none.
func byN(id byte, n int) byte {
	return map[[2]int]byte{
		{idIntN, 1}: idInt1, {idIntN, 2}: idInt2, {idIntN, 4}: idInt4, {idIntN, 8}: idInt8, {idBitN, 1}: idBit,
		{idFloatN, 4}: idFloat4, {idFloatN, 8}: idFloat8, {idMoneyN, 4}: idMoney4, {idMoneyN, 8}: idMoney,
		{idDateTimeN, 4}: idDateTime4, {idDateTimeN, 8}: idDateTime,
	}[[2]int{int(id), n}]
}

func (r *reader) scalar(id byte, b []byte) any {
	if b == nil {
		return nil
	}
	le := binary.LittleEndian
	switch id {
	case idNull:
		return nil
	case idInt1:
		return int64(b[0])
	case idBit:
		return b[0] != 0
	case idInt2:
		return int64(int16(le.Uint16(b)))
	case idInt4:
		return int64(int32(le.Uint32(b)))
	case idInt8:
		return int64(le.Uint64(b))
	case idFloat4:
		return float64(math.Float32frombits(le.Uint32(b)))
	case idFloat8:
		return math.Float64frombits(le.Uint64(b))
	case idMoney4:
		return scaled(big.NewInt(int64(int32(le.Uint32(b)))), 4)
	case idMoney:
		return scaled(big.NewInt(int64(uint64(le.Uint32(b))<<32|uint64(le.Uint32(b[4:])))), 4)
	case idDateTime4:
		day := time.Date(1900, 1, 1+int(le.Uint16(b)), 0, 0, 0, 0, time.UTC)
		return Moment{day.Add(time.Duration(le.Uint16(b[2:])) * time.Minute), DateTime2}
	case idDateTime:
		day := time.Date(1900, 1, 1+int(int32(le.Uint32(b))), 0, 0, 0, 0, time.UTC)
		return Moment{day.Add(time.Duration(le.Uint32(b[4:])) * time.Second / 300), DateTime2}
	}
	r.fail("a value of %d bytes of an unknown data type", len(b))
	return nil
}

// counted reads bytes with their count before them; nil for null.
func (r *reader) counted() []byte {
	n := r.u16()
	if n == math.MaxUint16 {
		return nil
	}
	return r.take(int(n))
}

// partial reads a value in chunks ([MS-TDS] 2.2.5.2.3); nil for null.
func (r *reader) partial() []byte {
	if r.u64() == math.MaxUint64 {
		return nil
	}
	out := []byte{}
	for r.err == nil {
		n := r.u32()
		if n == 0 {
			break
		}
		out = append(out, r.take(int(min(n, 1<<30)))...)
	}
	return out
}

func text(id byte, b []byte) any {
	switch {
	case b == nil:
		return nil
	case id == idNVarChar || id == idNChar || id == idNText:
		return decode16(b)
	case id == idVarBinary || id == idBinary || id == idImage:
		return b
	}
	return latin(b)
}

// latin reads text of code page 1252 (that of the collation), of which the
// clients here write ASCII and Latin-1.
func latin(b []byte) string {
	var s strings.Builder
	for _, c := range b {
		s.WriteRune(rune(c))
	}
	return s.String()
}

func number(b []byte, scale byte) any {
	n := new(big.Int)
	for i := len(b) - 1; i >= 1; i-- {
		n.Or(n.Lsh(n, 8), big.NewInt(int64(b[i])))
	}
	if b[0] == 0 {
		n.Neg(n)
	}
	return scaled(n, int(scale))
}

// scaled writes a whole number with its point so many digits from the right.
func scaled(n *big.Int, scale int) Number {
	s := new(big.Int).Abs(n).String()
	if scale > 0 {
		if len(s) <= scale {
			s = strings.Repeat("0", scale-len(s)+1) + s
		}
		s = s[:len(s)-scale] + "." + s[len(s)-scale:]
	}
	if n.Sign() < 0 {
		s = "-" + s
	}
	return Number(s)
}

// moment reads a time of day, a date, or both; with an offset both are UTC.
func moment(b []byte, t Type) any {
	var clock time.Duration
	date := time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC)
	if t.ID != idDateN {
		n := timeSize(t.Scale)
		clock = time.Duration(little(b[:n])) * tick(t.Scale)
		b = b[n:]
	}
	if t.ID != idTimeN {
		date = date.AddDate(0, 0, int(little(b[:3])))
		b = b[3:]
	}
	at := date.Add(clock)
	if t.ID == idDateTimeOffset {
		minutes := int(int16(binary.LittleEndian.Uint16(b)))
		at = at.In(time.FixedZone("", 60*minutes))
	}
	return Moment{at, t}
}

// tick is the time that the last of so many digits of seconds stands for; a
// nanosecond is finer than any.
func tick(scale byte) time.Duration {
	return time.Duration(math.Pow10(9 - int(scale)))
}

func little(b []byte) uint64 {
	var n uint64
	for i := len(b) - 1; i >= 0; i-- {
		n = n<<8 | uint64(b[i])
	}
	return n
}

func appendLittle(b []byte, v uint64, n int) []byte {
	for range n {
		b = append(b, byte(v))
		v >>= 8
	}
	return b
}

// guidText writes a GUID: its first three parts are little-endian.
func guidText(g [16]byte) string {
	g[0], g[1], g[2], g[3] = g[3], g[2], g[1], g[0]
	g[4], g[5], g[6], g[7] = g[5], g[4], g[7], g[6]
	return fmt.Sprintf("%X-%X-%X-%X-%X", g[:4], g[4:6], g[6:8], g[8:10], g[10:])
}

func parseGUID(s string) ([16]byte, bool) {
	var g [16]byte
	if len(s) != 36 || s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
		return g, false
	}
	b, err := hex.DecodeString(strings.ReplaceAll(s, "-", ""))
	if err != nil || len(b) != len(g) {
		return g, false
	}
	copy(g[:], b)
	g[0], g[1], g[2], g[3] = g[3], g[2], g[1], g[0]
	g[4], g[5], g[6], g[7] = g[5], g[4], g[7], g[6]
	return g, true
}
