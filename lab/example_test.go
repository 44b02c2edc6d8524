package lab_test

import (
	"bufio"
	"context"
	"fmt"
	"log"
	"testing"

	"github.com/ceruleannet/cerulean/lab"
)

func TestExamples(t *testing.T) {
	for _, name := range []string{"three-tier", "globojava", "landing-zone"} {
		t.Run(name, func(t *testing.T) {
			l := lab.Open(t, "../examples/"+name)
			l.Check()
			for _, p := range l.Probe(t.Context()) {
				t.Logf("%4d exchanges: %s", p.Tried, p.Text)
			}
		})
	}
}

// The application reaches its database by its private name; the gateway does
// not, and the error says why.
func Example() {
	ctx := context.Background()
	l, err := lab.Start("../examples/three-tier") // in a test: lab.Open(t, path)
	if err != nil {
		log.Fatal(err)
	}
	defer l.Close()

	conn, err := l.Host("app-1").DialContext(ctx, "tcp", "db.shop.internal:5432")
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()
	line, _ := bufio.NewReader(conn).ReadString('\n')
	fmt.Print(line)

	_, err = l.Host("gateway-1").DialContext(ctx, "tcp", "db.shop.internal:5432")
	if denial, ok := lab.Denied(err); ok {
		fmt.Println("denied by a", denial.Code)
	}
	// Output:
	// db-1 tcp 5432
	// denied by a rule
}
