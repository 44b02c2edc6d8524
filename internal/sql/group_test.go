package sql

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ceruleannet/cerulean/internal/sql/tds"
	"github.com/ceruleannet/cerulean/model"
)

// fakeNetwork is two regions 10 ms apart, of which one may be down.
type fakeNetwork struct {
	mu   sync.Mutex
	down string // the key of a server
}

func (n *fakeNetwork) ServiceUp(resource string) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return resource != n.down
}

func (n *fakeNetwork) Between(from, to string) (time.Duration, bool) {
	return 10 * time.Millisecond, from != to
}

func (n *fakeNetwork) set(down string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.down = down
}

// A group of an hour's grace period waits for its primary just that long, loses
// what had not arrived, seeds the old primary anew, and moves back without a loss.
func TestGroupInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		net := &fakeNetwork{}
		moved := make(chan Failover, 10)
		b.Attach(net, func(f Failover) { moved <- f })
		west := id(t, "Microsoft.Sql/servers/west")
		wait := func(d time.Duration) {
			<-time.After(d)
			synctest.Wait()
		}
		wait(time.Second) // it is seeded
		insert := func(server, text string) error {
			c, err := b.dial(server+".database.windows.net:1433", Client{})
			if err != nil {
				return err
			}
			client, err := loginTo(c, b, "orders")
			if err != nil {
				return err
			}
			defer client.Close()
			_, err = client.Run(text)
			return err
		}
		for _, s := range []string{"CREATE TABLE t (n INT)", "INSERT INTO t VALUES (1)"} {
			if err := insert("fog", s); err != nil {
				t.Fatal(err)
			}
		}
		if d := b.Status()[0].Servers[1].Databases[0]; d.Behind == 0 {
			t.Errorf("a commit is elsewhere at once: %+v", d)
		}
		wait(10 * time.Millisecond)
		if d := b.Status()[0].Servers[1].Databases[0]; d.Behind != 0 || d.Commits != 2 || d.Lag != 0 {
			t.Errorf("it has not arrived: %+v", d)
		}
		if err := insert("fog", "INSERT INTO t VALUES (2)"); err != nil {
			t.Fatal(err)
		}
		net.set(west.Key())
		b.Disturbed()
		wait(59 * time.Minute)
		if len(moved) != 0 || b.Status()[0].Away.IsZero() {
			t.Fatalf("%+v", b.Status()[0])
		}
		if err := insert("west", "INSERT INTO t VALUES (3)"); err == nil {
			t.Error("a server that is down commits")
		}
		wait(time.Minute)
		f := <-moved
		if !f.Forced || f.To.Name() != "north" || len(f.Lost) != 1 || f.Lost[0].Commits() != 1 || f.Lost[0].First != 3 || f.At.Sub(f.Began) != time.Hour {
			t.Fatalf("%+v", f)
		}
		net.set("")
		b.Disturbed()
		wait(10 * time.Millisecond)
		if err := insert("fog", "INSERT INTO t VALUES (4)"); err != nil {
			t.Fatal(err)
		}
		f, err := b.Failover(t.Context(), "FOG", "west", Planned)
		if err != nil || f.Forced || f.To.Name() != "west" || f.At.Sub(f.Began) != 10*time.Millisecond {
			t.Fatal(f, err)
		}
		if len(moved) != 1 {
			t.Error("it returned before everybody had heard of it")
		}
		c, err := b.dial("west.database.windows.net:1433", Client{})
		if err != nil {
			t.Fatal(err)
		}
		client, err := loginTo(c, b, "orders")
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		if rows, err := client.Run("SELECT n FROM t"); err != nil || fmt.Sprint(rows) != "[[1] [4]]" {
			t.Error(rows, err)
		}
	})
}

// A client that is gone without a word does not hold a database for ever: others
// wait, and write once its transaction has ended.
func TestIdleTransactionEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		session := func() *tds.Client {
			c, err := b.dial("west.database.windows.net:1433", Client{})
			if err != nil {
				t.Fatal(err)
			}
			client, err := loginTo(c, b, "alone")
			if err != nil {
				t.Fatal(err)
			}
			return client
		}
		gone, other := session(), session()
		defer gone.Close()
		defer other.Close()
		if _, err := gone.Run("CREATE TABLE t (n INT); BEGIN TRAN; INSERT INTO t VALUES (1)"); err != nil {
			t.Fatal(err)
		}
		begin := time.Now()
		var p *tds.Problem
		if _, err := other.Run("INSERT INTO t VALUES (2)"); !errors.As(err, &p) || p.Number != 1222 || time.Since(begin) != lockPatience {
			t.Errorf("%v after %s", err, time.Since(begin))
		}
		if rows, err := other.Run("SELECT COUNT(*) FROM t"); err != nil || fmt.Sprint(rows) != "[[0]]" {
			t.Error(rows, err)
		}
		<-time.After(idleTransaction)
		if rows, err := other.Run("INSERT INTO t VALUES (3); SELECT n FROM t"); err != nil || fmt.Sprint(rows) != "[[3]]" {
			t.Error(rows, err)
		}
	})
}

// What resources no longer say ends: a group, and a database with its sessions.
func TestFollow(t *testing.T) {
	b := newBench(t)
	if n := len(b.Status()); n != 1 {
		t.Fatal(n)
	}
	names := b.Names(id(t, "Microsoft.Sql/servers/north"))
	if fmt.Sprint(names) != "[north.database.windows.net fog.database.windows.net fog.secondary.database.windows.net]" {
		t.Error(names)
	}
	db := b.open("west", "alone")
	if err := db.PingContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.Follow(resources(t)[:3])
	if len(b.Status()) != 0 {
		t.Errorf("%+v", b.Status())
	}
	if _, err := db.ExecContext(t.Context(), "CREATE TABLE t (a INT)"); numberOf(err) != 4060 {
		t.Error(err)
	}
	if _, err := b.Failover(t.Context(), "fog", "", Planned); err == nil {
		t.Error("a group that is gone fails over")
	}
}

// WithPrimary moves a group's document to another of its servers, and nothing
// else.
func TestWithPrimary(t *testing.T) {
	before := resources(t)
	after := WithPrimary(before, "FOG", id(t, "Microsoft.Sql/servers/north"))
	g := Groups(after)
	if len(after) != len(before) || len(g) != 1 || g[0].Servers[0].Name() != "north" || g[0].Servers[1].Name() != "west" || g[0].Databases[0] != "orders" || g[0].Policy != Groups(before)[0].Policy {
		t.Errorf("%+v", g)
	}
	if Groups(before)[0].Servers[0].Name() != "west" {
		t.Error("what was given is changed")
	}
	if same := WithPrimary(before, "fog", model.ID{}); len(same) != len(before) || Groups(same)[0].Servers[0].Name() != "west" {
		t.Error("a server that is none of the group's")
	}
}
