package sql

import (
	"testing"
	"time"
)

// TestClientRoundTrip: Microsoft's driver creates, fills and reads a table.
func TestClientRoundTrip(t *testing.T) {
	b := newBench(t)
	db := b.open("west", "alone")
	ctx := t.Context()
	if _, err := db.ExecContext(ctx, `CREATE TABLE dbo.Invoices (
		id INT IDENTITY(1,1) PRIMARY KEY, number NVARCHAR(20) NOT NULL UNIQUE, total DECIMAL(18,2), paid BIT NOT NULL DEFAULT 0,
		issued DATETIME2 NOT NULL DEFAULT GETUTCDATE(), body VARBINARY(MAX), share FLOAT)`); err != nil {
		t.Fatal(err)
	}
	when := time.Date(2026, 3, 4, 5, 6, 7, 891234500, time.UTC)
	res, err := db.ExecContext(ctx, "INSERT INTO Invoices (number, total, paid, issued, body, share) VALUES (@p1, @p2, @p3, @p4, @p5, @p6)", "A-1", "12.50", true, when, []byte{1, 2}, 0.25)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := res.RowsAffected(); err != nil || n != 1 {
		t.Fatal(n, err)
	}
	var id int
	if err := db.QueryRowContext(ctx, "INSERT INTO [Invoices] (number) OUTPUT INSERTED.id VALUES (N'É-2')").Scan(&id); err != nil || id != 2 {
		t.Fatal(id, err)
	}
	var number, total string
	var paid bool
	var issued time.Time
	var body []byte
	var share float64
	if err := db.QueryRowContext(ctx, "SELECT TOP 1 number, total, paid, issued, body, share FROM dbo.Invoices WITH (NOLOCK) WHERE number = 'a-1' ORDER BY id").Scan(&number, &total, &paid, &issued, &body, &share); err != nil {
		t.Fatal(err)
	}
	if number != "A-1" || total != "12.50" || !paid || !issued.Equal(when) || string(body) != "\x01\x02" || share != 0.25 {
		t.Error(number, total, paid, issued, body, share)
	}
	// Sums of cents are cents, though they are computed with doubles.
	if _, err := db.ExecContext(ctx, "INSERT INTO Invoices (number, total) VALUES ('B', 99.99)"); err != nil {
		t.Fatal(err)
	}
	var sum float64
	if err := db.QueryRowContext(ctx, "SELECT SUM(total) FROM Invoices").Scan(&sum); err != nil || sum != 112.49 {
		t.Error(sum, err)
	}
}
