package gateway

import (
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
