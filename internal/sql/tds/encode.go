package tds

import (
	"encoding/binary"
	"math"
	"math/big"
	"strings"
	"time"
)

// Fits reports whether a value can be written as one of a column's type: nil,
// int64, float64, bool, string, []byte, Number or Moment.
func Fits(t Type, v any) bool {
	_, ok := appendValue(nil, t, v)
	return ok
}

// appendValue writes a value; false if it is none of the type.
func appendValue(b []byte, t Type, v any) ([]byte, bool) {
	le := binary.LittleEndian
	if v == nil {
		if t.Size == MaxSize {
			return le.AppendUint64(b, math.MaxUint64), true
		}
		return append(b, 0), true
	}
	switch t.ID {
	case idIntN:
		n, ok := v.(int64)
		low, high := int64(math.MinInt64), int64(math.MaxInt64)
		switch t.Size {
		case 1:
			low, high = 0, math.MaxUint8
		case 2:
			low, high = math.MinInt16, math.MaxInt16
		case 4:
			low, high = math.MinInt32, math.MaxInt32
		}
		if !ok || n < low || n > high {
			return b, false
		}
		return appendLittle(append(b, byte(t.Size)), uint64(n), t.Size), true
	case idBitN:
		on, ok := v.(bool)
		if n, is := v.(int64); is && (n == 0 || n == 1) {
			on, ok = n == 1, true
		}
		return append(b, 1, map[bool]byte{true: 1}[on]), ok
	case idFloatN:
		f, ok := v.(float64)
		if n, is := v.(int64); is {
			f, ok = float64(n), true
		}
		if t.Size == 4 {
			return le.AppendUint32(append(b, 4), math.Float32bits(float32(f))), ok
		}
		return le.AppendUint64(append(b, 8), math.Float64bits(f)), ok
	case idDecimalN:
		s, ok := v.(Number)
		if !ok {
			return b, false
		}
		return appendDecimal(b, t, string(s))
	case idNVarChar:
		s, ok := v.(string)
		return appendPartial(b, encode16(s)), ok
	case idVarBinary:
		x, ok := v.([]byte)
		return appendPartial(b, x), ok
	case idGUID:
		s, ok := v.(string)
		if !ok {
			return b, false
		}
		g, ok := parseGUID(s)
		return append(append(b, 16), g[:]...), ok
	case idDateN, idTimeN, idDateTime2N, idDateTimeOffset:
		m, ok := v.(Moment)
		if !ok || m.Year() < 1 || m.Year() > 9999 {
			return b, false
		}
		return appendMoment(append(b, byte(t.Size)), t, m.Time), true
	}
	return b, false
}

// appendPartial writes a value as one chunk.
func appendPartial(b, v []byte) []byte {
	b = binary.LittleEndian.AppendUint64(b, uint64(len(v)))
	if len(v) > 0 {
		b = append(binary.LittleEndian.AppendUint32(b, uint32(len(v))), v...)
	}
	return binary.LittleEndian.AppendUint32(b, 0)
}

// appendDecimal writes a number, rounded half away from zero to the type's
// scale.
func appendDecimal(b []byte, t Type, s string) ([]byte, bool) {
	x, ok := new(big.Rat).SetString(strings.TrimSpace(s))
	if !ok {
		return b, false
	}
	x.Mul(x, new(big.Rat).SetInt(new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(t.Scale)), nil)))
	negative := x.Sign() < 0
	x.Abs(x).Add(x, big.NewRat(1, 2))
	n := new(big.Int).Quo(x.Num(), x.Denom())
	if len(n.String()) > int(t.Precision) && n.Sign() != 0 {
		return b, false
	}
	digits := n.Bytes()
	size := t.Size - 1
	out := append(b, byte(t.Size), map[bool]byte{false: 1}[negative])
	for i := range size {
		c := byte(0)
		if i < len(digits) {
			c = digits[len(digits)-1-i]
		}
		out = append(out, c)
	}
	return out, len(digits) <= size
}

func appendMoment(b []byte, t Type, at time.Time) []byte {
	_, offset := at.Zone()
	if t.ID == idDateTimeOffset {
		at = at.UTC()
	}
	y, m, d := at.Date()
	day := time.Date(y, m, d, 0, 0, 0, 0, time.UTC)
	if t.ID != idDateN {
		clock := time.Duration(at.Hour())*time.Hour + time.Duration(at.Minute())*time.Minute + time.Duration(at.Second())*time.Second + time.Duration(at.Nanosecond())
		b = appendLittle(b, uint64(clock/tick(t.Scale)), timeSize(t.Scale))
	}
	if t.ID != idTimeN {
		b = appendLittle(b, uint64(daysSince1(day)), 3)
	}
	if t.ID == idDateTimeOffset {
		b = binary.LittleEndian.AppendUint16(b, uint16(int16(offset/60)))
	}
	return b
}

// daysSince1 counts the days since 1 January of the year 1: more than a
// Duration holds.
func daysSince1(day time.Time) int64 {
	const unixEpoch = 719162 // days from 0001-01-01 to 1970-01-01
	return day.Unix()/86400 + unixEpoch
}
