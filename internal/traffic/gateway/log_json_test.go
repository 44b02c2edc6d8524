package gateway

import (
	"crypto/tls"
	"encoding/json"
	"reflect"
	"testing"
	"time"
)

// What AppendJSON writes is what encoding/json reads back, for every field: one that
// is added to the record and forgotten here is found.
func TestRecordJSON(t *testing.T) {
	var r Record
	v := reflect.ValueOf(&r).Elem()
	for i := range v.NumField() {
		switch f := v.Field(i); {
		case !v.Type().Field(i).IsExported():
		case f.Kind() == reflect.String:
			f.SetString("a\"<é\x01\xff> " + v.Type().Field(i).Name)
		case f.Kind() == reflect.Int || f.Kind() == reflect.Int64:
			f.SetInt(int64(i + 7))
		case f.Kind() == reflect.Float64:
			f.SetFloat(float64(i) + 0.000123)
		}
	}
	r.TimeGenerated = time.Date(2026, 11, 21, 1, 2, 3, 4000, time.UTC)
	for _, record := range []Record{r, {}} {
		want, err := json.Marshal(&record)
		if err != nil {
			t.Fatal(err)
		}
		var a, b map[string]any
		got := record.AppendJSON(nil)
		if json.Unmarshal(want, &a) != nil || json.Unmarshal(got, &b) != nil || !reflect.DeepEqual(a, b) {
			t.Errorf("%s\nwant %s", got, want)
		}
	}
}

// What a record has of TLS is as crypto/tls calls it, and costs nothing.
func TestSecured(t *testing.T) {
	for _, id := range []uint16{tls.TLS_AES_128_GCM_SHA256, tls.TLS_CHACHA20_POLY1305_SHA256, tls.TLS_RSA_WITH_RC4_128_SHA, 0xfefe} {
		state := tls.ConnectionState{Version: tls.VersionTLS12, CipherSuite: id}
		var r Record
		if r.secured(&state); r.SslEnabled != "on" || r.SslProtocol != "TLS 1.2" || r.SslCipher != tls.CipherSuiteName(id) {
			t.Errorf("%+v", r)
		}
	}
	state := tls.ConnectionState{Version: tls.VersionTLS13, CipherSuite: tls.TLS_AES_128_GCM_SHA256}
	if n := testing.AllocsPerRun(100, func() { new(Record).secured(&state) }); n != 0 {
		t.Error(n, "allocations")
	}
}
