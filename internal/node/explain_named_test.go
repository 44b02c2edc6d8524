package node

import (
	"bytes"
	"strings"
	"testing"
)

// A DNS name is a target, too: what it means to who sends.
func TestExplainName(t *testing.T) {
	d, err := Open("../../examples/fiscal", LockRead)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		from, to string
		want     []string // of the text, or of the error
	}{
		{"invoice", "fiscal-data.database.windows.net:1433", []string{
			"fiscal-data.database.windows.net -> fiscal-sql-westeurope.database.windows.net -> fiscal-sql-westeurope.privatelink.database.windows.net -> 10.0.3.4  [",
			"> 10.0.3.4:1433  allow",
		}},
		{"invoice", "fiscal-data:1433", []string{"fiscal-data.database.windows.net -> ", "> 10.0.3.4:1433  allow"}},
		{"invoice", "Fiscal-Data.secondary.database.windows.net. tcp/1433", []string{"fiscal-data.secondary.database.windows.net -> ", "> 10.4.3.4:1433  allow"}},
		{"invoice", "sql-westeurope:1433", []string{"> 10.0.3.4:1433  allow"}},
		{"10.0.1.0/24", "fiscal-data:1433", []string{"tcp 10.0.1."}},
		{"invoice", "fiscal-dta:1433", []string{`nothing in the network is called "fiscal-dta"`}},
		{"invoice", "no.database.windows.net:1433", []string{"what no.database.windows.net means to invoice-"}},
		{"internet", "fiscal-data:1433", []string{"internet is in no virtual network", "use an address"}},
		{"invoice", "fiscal-data:70000", []string{`"70000" is not a port`}},
	} {
		t.Run(tt.from+" "+tt.to, func(t *testing.T) {
			x, err := d.Explain(tt.from, tt.to, Ask{})
			var text bytes.Buffer
			if err != nil {
				text.WriteString(err.Error())
			} else if err := x.WriteText(&text, false, false); err != nil {
				t.Fatal(err)
			}
			for _, want := range tt.want {
				if !strings.Contains(text.String(), want) {
					t.Errorf("not said: %q\n%s", want, text.String())
				}
			}
		})
	}
}
