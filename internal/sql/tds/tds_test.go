package tds

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"
	"time"
)

// [MS-TDS] 2.2.3.1: a message is cut into packets of the negotiated size; the
// last has the bit EOM, and one with IGNORE as well is nothing.
func TestPackets(t *testing.T) {
	for _, size := range []int{0, 1, 504, 505, 5000} {
		var b bytes.Buffer
		data := bytes.Repeat([]byte{7}, size)
		if err := WriteMessage(&b, KindBatch, MinPacket, data); err != nil {
			t.Fatal(err)
		}
		if b.Len() > 0 && b.Bytes()[6] != 1 {
			t.Error("packets count from 1")
		}
		m, err := ReadMessage(&b, 1<<20)
		if err != nil || m.Kind != KindBatch || !bytes.Equal(m.Data, data) || b.Len() > 0 {
			t.Errorf("%d bytes: %d, %v", size, len(m.Data), err)
		}
	}
	packet := func(kind, status byte, data string) string {
		return string(append([]byte{kind, status}, binary.BigEndian.AppendUint16(nil, uint16(8+len(data)))...)) + "\x00\x00\x01\x00" + data
	}
	for _, c := range []struct {
		name, in string
		limit    int
		want     string
		err      error
	}{
		{"two packets", packet(1, 0, "ab") + packet(1, 1, "c"), 100, "abc", nil},
		{"ignored", packet(1, 0, "ab") + packet(1, 3, "c"), 100, "", nil},
		{"too long", packet(1, 0, "ab") + packet(1, 1, "c"), 2, "", ErrTooLong},
		{"cut within", packet(1, 0, "ab"), 100, "", io.ErrUnexpectedEOF},
		{"cut data", packet(1, 1, "ab")[:9], 100, "", io.ErrUnexpectedEOF},
		{"nothing", "", 100, "", io.EOF},
	} {
		m, err := ReadMessage(strings.NewReader(c.in), c.limit)
		if !errors.Is(err, c.err) || err == nil && string(m.Data) != c.want {
			t.Errorf("%s: %q, %v", c.name, m.Data, err)
		}
	}
	for name, in := range map[string]string{"short": "\x01\x01\x00\x07\x00\x00\x01\x00", "mixed": packet(1, 0, "a") + packet(2, 1, "b")} {
		if _, err := ReadMessage(strings.NewReader(in), 100); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
	if m, err := ReadMessage(strings.NewReader(packet(1, 1|8, "a")), 100); err != nil || !m.Reset || m.Keep {
		t.Error("RESETCONNECTION is not seen", m, err)
	}
}

func TestPreloginRoundTrip(t *testing.T) {
	for _, p := range []Prelogin{{}, {Version: [6]byte{1, 2, 3, 4, 5, 6}, Encryption: EncryptRequired, MARS: true, FedAuth: true, FedAuthRequired: true}, {FedAuth: true}} {
		got, err := ParsePrelogin(p.Bytes())
		if err != nil || got != p {
			t.Errorf("%+v: %+v, %v", p, got, err)
		}
	}
}

func TestLoginRoundTrip(t *testing.T) {
	for _, l := range []Login{
		{Version: Version74, PacketSize: 4096, Host: "h", User: "ünï", Password: "p@ss 字", App: "a", Server: "s", Database: "d", ReadOnly: true},
		{Version: Version74, FedAuth: &FedAuth{Library: FedAuthToken, Token: "abc.def", Nonce: bytes.Repeat([]byte{3}, 32)}},
		{Version: Version74, FedAuth: &FedAuth{Library: FedAuthADAL}},
	} {
		got, err := ParseLogin(l.Bytes())
		if err != nil || !reflect.DeepEqual(got, l) {
			t.Errorf("%+v: %+v, %v", l, got, err)
		}
	}
}

// Every value that a column has comes back as it was.
func TestValuesRoundTrip(t *testing.T) {
	when := time.Date(2026, 7, 8, 9, 10, 11, 123456700, time.UTC)
	for _, c := range []struct {
		t    Type
		v    any
		want any // of another form; nil: the same
	}{
		{TinyInt, int64(255), nil},
		{SmallInt, int64(-32768), nil},
		{Int, int64(-1 << 31), nil},
		{BigInt, int64(-1 << 63), nil},
		{Bit, true, nil},
		{Bit, int64(0), false},
		{Float, -0.5, nil},
		{Float, int64(3), 3.0},
		{Real, 0.25, nil},
		{NVarChar, "", nil},
		{NVarChar, "añ字𝄞", nil},
		{VarBinary, []byte{}, nil},
		{VarBinary, []byte{0, 255}, nil},
		{GUID, "00112233-4455-6677-8899-AABBCCDDEEFF", nil},
		{Decimal(18, 2), Number("-12.5"), Number("-12.50")},
		{Decimal(18, 2), Number("0.005"), Number("0.01")},
		{Decimal(5, 5), Number("0.00001"), nil},
		{Decimal(38, 0), Number("99999999999999999999999999999999999999"), nil},
		{Decimal(4, 1), Number("1e2"), Number("100.0")},
		{Date, Moment{time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC), Date}, nil},
		{Date, Moment{time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC), Date}, nil},
		{DateTime2, Moment{when, DateTime2}, nil},
		{DateTimeOffset, Moment{when.In(time.FixedZone("", -3600*5)), DateTimeOffset}, nil},
	} {
		b, ok := appendValue(nil, c.t, c.v)
		r := &reader{b: append(appendType(nil, c.t), b...)}
		got := r.readValue(r.readType())
		want := c.v
		if c.want != nil {
			want = c.want
		}
		if m, is := got.(Moment); is && ok {
			if w := want.(Moment); m.Equal(w.Time) && m.Type == w.Type && m.Format(time.RFC3339Nano) == w.Format(time.RFC3339Nano) {
				got = want
			}
		}
		if !ok || r.err != nil || len(r.b) > 0 || !reflect.DeepEqual(got, want) {
			t.Errorf("%+v %v: %v %v, %v", c.t, c.v, got, ok, r.err)
		}
		if b, ok := appendValue(nil, c.t, nil); !ok {
			t.Errorf("%+v takes no null", c.t)
		} else if r := (&reader{b: append(appendType(nil, c.t), b...)}); r.readValue(r.readType()) != nil || r.err != nil {
			t.Errorf("a null of %+v is none: %v", c.t, r.err)
		}
	}
}

// What does not fit a column's type is not written as if it did.
func TestFits(t *testing.T) {
	for _, c := range []struct {
		t Type
		v any
	}{
		{TinyInt, int64(256)},
		{TinyInt, int64(-1)},
		{SmallInt, int64(1 << 15)},
		{Int, int64(1 << 31)},
		{Int, "1"},
		{Int, 1.5},
		{Bit, int64(2)},
		{GUID, "00112233-4455-6677-8899-AABBCCDDEEFG"},
		{GUID, "x"},
		{Decimal(3, 1), Number("100")},
		{Decimal(3, 1), Number("x")},
		{Date, Moment{time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC), Date}},
		{VarBinary, "x"},
		{NVarChar, []byte("x")},
	} {
		if Fits(c.t, c.v) {
			t.Errorf("%v fits %+v", c.v, c.t)
		}
	}
}

// seeds are messages that fuzzing begins with.
func seeds(f *testing.F) {
	p := Prelogin{FedAuth: true}
	l := Login{Version: Version74, User: "u", Password: "p", FedAuth: &FedAuth{Library: FedAuthToken, Token: "t"}}
	r := &Reply{}
	r.Columns([]Column{{"a", Int}, {"b", NVarChar}, {"c", Decimal(9, 2)}, {"d", DateTimeOffset}})
	r.Row([]any{int64(1), "x", Number("1.5"), Moment{time.Unix(0, 0).UTC(), DateTimeOffset}})
	r.Error(&Problem{Number: 208, Text: "no"})
	r.FedAuthAck([]byte{1})
	r.ReturnStatus(1)
	r.End(End{Counted: true, Rows: 1})
	call := append(BatchBytes("")[:22:22], 0xff, 0xff, 10, 0, 0, 0)
	call = append(appendShort(call, ""), 0)
	call = appendType(call, NVarChar)
	call, _ = appendValue(call, NVarChar, "SELECT @p1")
	call = append(appendShort(call, "@p1"), 0)
	call = appendType(call, Decimal(18, 2))
	call, _ = appendValue(call, Decimal(18, 2), Number("2"))
	for _, b := range [][]byte{nil, p.Bytes(), l.Bytes(), BatchBytes("SELECT 1"), r.Bytes(), call, append(BatchBytes("")[:22:22], 5, 0, 0, 0)} {
		f.Add(b)
	}
}

// FuzzMessages: no bytes make a parser fail otherwise than by an error, and what
// is read of a login or prelogin is written so that it is read the same.
func FuzzMessages(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		if p, err := ParsePrelogin(b); err == nil {
			if again, err := ParsePrelogin(p.Bytes()); err != nil || again != p {
				t.Errorf("%+v: %+v, %v", p, again, err)
			}
		}
		if l, err := ParseLogin(b); err == nil && !l.Integrated && l.FedAuth == nil {
			again, err := ParseLogin(l.Bytes())
			if err != nil || again != l {
				t.Errorf("%+v: %+v, %v", l, again, err)
			}
		}
		_, _ = ParseToken(b)
		_, _ = ParseBatch(b)
		_, _ = ParseTransaction(b)
		_, _ = parseReply(b)
		if c, err := ParseCall(b); err == nil {
			for _, p := range c.Parameters {
				if p.Value != nil && Fits(p.Type, p.Value) {
					if again, ok := appendValue(nil, p.Type, p.Value); !ok || len(again) == 0 {
						t.Errorf("%+v", p)
					}
				}
			}
		}
		_, _ = ReadMessage(bytes.NewReader(b), 1<<16)
	})
}

// A call's parameters are read by their types.
func TestCall(t *testing.T) {
	b := append(BatchBytes("")[:22:22], 0xff, 0xff, 10, 0, 0, 0)
	for i, v := range []struct {
		t Type
		v any
	}{{NVarChar, "SELECT @p1"}, {NVarChar, "@p1 bigint"}, {BigInt, int64(7)}} {
		b = append(appendShort(b, []string{"", "", "@p1"}[i]), 0)
		b = appendType(b, v.t)
		b, _ = appendValue(b, v.t, v.v)
	}
	c, err := ParseCall(b)
	if err != nil || c.Proc != ProcExecuteSQL || len(c.Parameters) != 3 || c.Parameters[2].Name != "@p1" || c.Parameters[2].Value != int64(7) {
		t.Errorf("%+v, %v", c, err)
	}
	if _, err := ParseCall(append(b, 0x80)); err == nil {
		t.Error("two calls in one request are taken for one")
	}
	if _, err := ParseCall(b[:len(b)-3]); err == nil {
		t.Error("a call that ends too soon is accepted")
	}
}
