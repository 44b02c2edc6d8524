package sql

import (
	"database/sql/driver"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/ceruleannet/cerulean/internal/sql/tds"
)

// Values are kept as SQLite keeps them: dates and times as texts of one form
// each, decimals as numbers, GUIDs and texts as texts. Columns have the types
// that their tables declare.

// The forms of dates and times.
const (
	formDate   = "2006-01-02"
	formTime   = "15:04:05.0000000"
	formMoment = formDate + " " + formTime
	formOffset = formMoment + " -07:00"
)

var withDigits = regexp.MustCompile(`^([A-Z0-9 ]+?)\s*(?:\((\d+)(?:\s*,\s*(\d+))?\))?$`)

// declaredType is the type of a column that is declared so; false if nothing
// follows from it.
func declaredType(s string) (tds.Type, bool) {
	m := withDigits.FindStringSubmatch(strings.ToUpper(strings.TrimSpace(s)))
	if m == nil {
		return tds.Type{}, false
	}
	switch m[1] {
	case "TINYINT":
		return tds.TinyInt, true
	case "SMALLINT":
		return tds.SmallInt, true
	case "INT", "INTEGER":
		return tds.Int, true
	case "BIGINT":
		return tds.BigInt, true
	case "BIT":
		return tds.Bit, true
	case "FLOAT", "REAL", "DOUBLE PRECISION":
		return tds.Float, true
	case "MONEY":
		return tds.Decimal(19, 4), true
	case "SMALLMONEY":
		return tds.Decimal(10, 4), true
	case "DECIMAL", "NUMERIC", "DEC":
		precision, scale := 18, 0
		if m[2] != "" {
			precision, _ = strconv.Atoi(m[2])
			scale, _ = strconv.Atoi(m[3])
		}
		if precision < 1 || precision > tds.MaxPrecision || scale > precision {
			return tds.Type{}, false
		}
		return tds.Decimal(byte(precision), byte(scale)), true
	case "UNIQUEIDENTIFIER":
		return tds.GUID, true
	case "BINARY", "VARBINARY", "IMAGE", "BLOB", "ROWVERSION":
		return tds.VarBinary, true
	case "DATE":
		return tds.Date, true
	case "TIME":
		return tds.Time, true
	case "DATETIME", "DATETIME2", "SMALLDATETIME":
		return tds.DateTime2, true
	case "DATETIMEOFFSET":
		return tds.DateTimeOffset, true
	case "NVARCHAR", "VARCHAR", "NCHAR", "CHAR", "TEXT", "NTEXT", "SYSNAME":
		return tds.NVarChar, true
	}
	return tds.Type{}, false
}

// shape gives the columns of a result their types, and its values those. A
// column whose values are not as it is declared is wider, at last text.
func shape(names, declared []string, rows [][]any) []tds.Column {
	out := make([]tds.Column, len(names))
	for i, name := range names {
		if strings.ContainsAny(name, "()'") {
			name = "" // an expression has no name
		}
		out[i] = tds.Column{Name: name, Type: tds.NVarChar}
		var candidates []tds.Type
		if t, ok := declaredType(declared[i]); ok {
			candidates = append(candidates, t)
		} else {
			candidates = append(candidates, tds.DateTime2)
		}
		for _, t := range append(candidates, tds.Int, tds.BigInt, tds.Float, tds.VarBinary) {
			if all(rows, i, t) {
				out[i].Type = t
				break
			}
		}
		// Nothing but nulls, of an expression, is an int as in SQL Server.
		if declared[i] == "" && out[i].Type == tds.DateTime2 && blank(rows, i) {
			out[i].Type = tds.Int
		}
		for _, row := range rows {
			row[i], _ = as(out[i].Type, row[i])
			if f, ok := row[i].(float64); ok && declared[i] == "" {
				row[i] = rounded(f)
			}
		}
	}
	return out
}

// rounded is a computed number to 15 digits: those that a double of a decimal has
// for certain, so that sums of cents are cents.
func rounded(f float64) float64 {
	out, err := strconv.ParseFloat(strconv.FormatFloat(f, 'g', 15, 64), 64)
	if err != nil {
		return f
	}
	return out
}

func all(rows [][]any, column int, t tds.Type) bool {
	for _, row := range rows {
		v, ok := as(t, row[column])
		if !ok || !tds.Fits(t, v) {
			return false
		}
	}
	return true
}

func blank(rows [][]any, column int) bool {
	for _, row := range rows {
		if row[column] != nil {
			return false
		}
	}
	return true
}

// as returns a value of SQLite's as one of a type.
func as(t tds.Type, v any) (any, bool) {
	if v == nil {
		return nil, true
	}
	switch t {
	case tds.NVarChar:
		return texted(v), true
	case tds.VarBinary:
		b, ok := v.([]byte)
		return b, ok
	case tds.Date, tds.Time, tds.DateTime2, tds.DateTimeOffset:
		if at, ok := v.(time.Time); ok { // of columns that the engine reads so
			return tds.Moment{Time: at, Type: t}, true
		}
		s, ok := v.(string)
		if !ok {
			return nil, false
		}
		at, ok := parseMoment(t, s)
		return tds.Moment{Time: at, Type: t}, ok
	}
	if t == tds.Decimal(t.Precision, t.Scale) {
		switch n := v.(type) {
		case int64:
			return tds.Number(strconv.FormatInt(n, 10)), true
		case float64:
			return tds.Number(strconv.FormatFloat(n, 'f', -1, 64)), !math.IsInf(n, 0) && !math.IsNaN(n)
		case string:
			return tds.Number(n), true
		}
		return nil, false
	}
	return v, true
}

func texted(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case []byte:
		return string(v)
	case float64:
		return strconv.FormatFloat(v, 'g', -1, 64)
	case time.Time:
		return v.Format(formMoment)
	}
	return fmt.Sprint(v)
}

// parseMoment reads a text as a date or time. What is declared as one is read in
// every form that people write; an expression is one only in the exact form.
func parseMoment(t tds.Type, s string) (time.Time, bool) {
	forms := []string{formMoment}
	switch t {
	case tds.Date:
		forms = []string{formDate, formMoment, "2006-01-02 15:04:05", "2006-01-02T15:04:05Z07:00"}
	case tds.Time:
		forms = []string{formTime, "15:04:05", "15:04"}
	case tds.DateTimeOffset:
		forms = []string{formOffset, formMoment, "2006-01-02 15:04:05 -07:00", "2006-01-02T15:04:05Z07:00", "2006-01-02 15:04:05", formDate}
	case tds.DateTime2:
		if len(s) != len(formMoment) {
			forms = []string{"2006-01-02 15:04:05", "2006-01-02T15:04:05", "2006-01-02T15:04:05Z07:00", formOffset, "2006-01-02 15:04", formDate}
		}
	}
	for _, f := range forms {
		if at, err := time.Parse(f, s); err == nil {
			return at, true
		}
	}
	return time.Time{}, false
}

// bound are the parameters of a statement as SQLite takes them.
func bound(parameters []tds.Parameter) ([]driver.NamedValue, *problem) {
	out := make([]driver.NamedValue, 0, len(parameters))
	for i, p := range parameters {
		name := strings.TrimPrefix(p.Name, "@")
		if name == "" {
			return nil, unsupported(1, fmt.Sprintf("Parameter %d without a name", i+1), "Name it, as @p1.")
		}
		v := p.Value
		switch x := v.(type) {
		case bool:
			v = int64(map[bool]int{true: 1}[x])
		case tds.Number:
			v = string(x)
		case tds.Moment:
			if x.Year() > 9999 || x.Year() < 1 {
				return nil, newProblem(242, 16, 1, "The conversion of parameter @%s resulted in an out-of-range value.", name)
			}
			v = written(x)
		}
		out = append(out, driver.NamedValue{Ordinal: i + 1, Name: name, Value: v})
	}
	return out, nil
}

// written is a date or time in the form in which it is kept. One with an offset
// of none is kept as one without, so that they compare.
func written(m tds.Moment) string {
	switch m.Type.ID {
	case tds.Date.ID:
		return m.Format(formDate)
	case tds.Time.ID:
		return m.Format(formTime)
	case tds.DateTimeOffset.ID:
		if _, offset := m.Zone(); offset != 0 {
			return m.Format(formOffset)
		}
	}
	return m.Format(formMoment)
}
