package node

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"text/tabwriter"
	"time"

	"github.com/ceruleannet/cerulean/internal/sql"
)

// databasing adds what the failover groups of a running network are asked.
func (s *System) databasing(mux *http.ServeMux) {
	mux.HandleFunc("GET /v1/failover", func(w http.ResponseWriter, _ *http.Request) { answer(w, s.FailoverGroups()) })
	mux.HandleFunc("POST /v1/failover", s.failover)
}

// FailoverGroup is a failover group of a running network.
type FailoverGroup struct {
	Name         string           `json:"name"`
	Policy       string           `json:"policy"` // automatic or manual
	GraceSeconds float64          `json:"graceSeconds"`
	Away         *time.Time       `json:"primaryAwaySince,omitempty"`
	Servers      []FailoverServer `json:"servers"` // the primary first
	Failovers    []FailoverReport `json:"failovers,omitempty"`
}

// FailoverServer is a server of a failover group.
type FailoverServer struct {
	Name      string             `json:"name"`
	Region    string             `json:"region"`
	Role      string             `json:"role"` // Primary or Secondary
	Databases []FailoverDatabase `json:"databases"`
}

// FailoverDatabase is a database of a failover group at one server.
type FailoverDatabase struct {
	Name    string  `json:"name"`
	Commits uint64  `json:"commits"`
	State   string  `json:"state,omitempty"`  // of a secondary
	Behind  uint64  `json:"behind,omitempty"` // commits
	LagMS   float64 `json:"lagMs"`
}

// FailoverReport is a failover that was.
type FailoverReport struct {
	Group  string         `json:"group"`
	From   string         `json:"from"`
	To     string         `json:"to"`
	Kind   string         `json:"kind"` // planned or forced
	At     time.Time      `json:"at"`
	TookMS float64        `json:"tookMs"`
	Lost   []FailoverLoss `json:"lost"`
}

// FailoverLoss is what a forced failover lost of a database.
type FailoverLoss struct {
	Database string  `json:"database"`
	Commits  uint64  `json:"commits"`
	First    uint64  `json:"first"`
	Last     uint64  `json:"last"`
	OldestMS float64 `json:"oldestMs"`
}

// FailoverGroups returns the failover groups of the network.
func (s *System) FailoverGroups() []FailoverGroup {
	out := []FailoverGroup{}
	if s.databases == nil {
		return out
	}
	for _, g := range s.databases.Status() {
		x := FailoverGroup{Name: g.Name, Policy: "manual", GraceSeconds: g.Grace.Seconds()}
		if g.Automatic {
			x.Policy = "automatic"
		}
		if !g.Away.IsZero() {
			x.Away = &g.Away
		}
		for _, v := range g.Servers {
			y := FailoverServer{Name: v.ID.Name(), Region: v.Region, Role: "Secondary", Databases: []FailoverDatabase{}}
			if v.Primary {
				y.Role = "Primary"
			}
			for _, d := range v.Databases {
				y.Databases = append(y.Databases, FailoverDatabase{Name: d.Name, Commits: d.Commits, State: string(d.State), Behind: d.Behind, LagMS: ms(d.Lag)})
			}
			x.Servers = append(x.Servers, y)
		}
		for _, f := range g.Failovers {
			x.Failovers = append(x.Failovers, failoverReport(f))
		}
		out = append(out, x)
	}
	return out
}

func failoverReport(f sql.Failover) FailoverReport {
	out := FailoverReport{Group: f.Group, From: f.From.Name(), To: f.To.Name(), Kind: "planned", At: f.At, TookMS: ms(f.At.Sub(f.Began)), Lost: []FailoverLoss{}}
	if f.Forced {
		out.Kind = "forced"
	}
	for _, l := range f.Lost {
		out.Lost = append(out.Lost, FailoverLoss{Database: l.Database, Commits: l.Commits(), First: l.First, Last: l.Last, OldestMS: ms(l.Oldest)})
	}
	return out
}

// FailoverOptions say what to fail over.
type FailoverOptions struct {
	Group string `json:"group"`
	To    string `json:"to,omitempty"` // server; empty: the first secondary
	// AllowDataLoss gives up what has not arrived, and does not wait.
	AllowDataLoss bool `json:"allowDataLoss,omitempty"`
}

// Failover moves the primary role of a failover group. The network's names follow
// before it returns.
func (s *System) Failover(ctx context.Context, o FailoverOptions) (FailoverReport, error) {
	if s.databases == nil {
		return FailoverReport{}, errors.New("another process serves this network's cloud, and the network has no databases")
	}
	mode := sql.Planned
	if o.AllowDataLoss {
		mode = sql.Forced
	}
	f, err := s.databases.Failover(ctx, o.Group, o.To, mode)
	if err != nil {
		return FailoverReport{}, err
	}
	return failoverReport(f), nil
}

func (s *System) failover(w http.ResponseWriter, r *http.Request) {
	var o FailoverOptions
	if err := json.NewDecoder(r.Body).Decode(&o); err != nil {
		refuse(w, http.StatusBadRequest, err)
		return
	}
	report, err := s.Failover(r.Context(), o)
	switch {
	case errors.Is(err, sql.ErrNoGroup):
		refuse(w, http.StatusNotFound, err)
	case err != nil:
		refuse(w, http.StatusConflict, err)
	default:
		answer(w, report)
	}
}

// FailoverGroups asks a running network for its failover groups.
func (r *Remote) FailoverGroups(ctx context.Context) ([]FailoverGroup, error) {
	var out []FailoverGroup
	err := r.Get(ctx, "/v1/failover", &out)
	return out, err
}

// Failover fails over a group of a running network.
func (r *Remote) Failover(ctx context.Context, o FailoverOptions) (FailoverReport, error) {
	var out FailoverReport
	err := r.Post(ctx, "/v1/failover", o, &out)
	return out, err
}

// WriteFailoverGroups writes failover groups for people.
func WriteFailoverGroups(w io.Writer, groups []FailoverGroup, now time.Time) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "GROUP\tPOLICY\tSERVER\tREGION\tROLE\tDATABASE\tCOMMITS\tSTATE\tBEHIND\tLAG")
	for _, g := range groups {
		policy := g.Policy
		if g.Policy == "automatic" {
			policy += " after " + brief(time.Duration(g.GraceSeconds*float64(time.Second)))
		}
		for _, v := range g.Servers {
			role := v.Role
			if v.Role == "Primary" && g.Away != nil {
				role += ", away for " + now.Sub(*g.Away).Round(100*time.Millisecond).String()
			}
			if len(v.Databases) == 0 {
				fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t-\t-\t-\t-\t-\n", g.Name, policy, v.Name, v.Region, role)
			}
			for _, d := range v.Databases {
				state, behind, lag := "-", "-", "-"
				if d.State != "" {
					state, behind, lag = d.State, fmt.Sprint(d.Behind), time.Duration(d.LagMS*float64(time.Millisecond)).Round(100*time.Microsecond).String()
				}
				fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%d\t%s\t%s\t%s\n", g.Name, policy, v.Name, v.Region, role, d.Name, d.Commits, state, behind, lag)
			}
		}
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for _, g := range groups {
		for i := range g.Failovers {
			if err := g.Failovers[i].WriteText(w); err != nil {
				return err
			}
		}
	}
	return nil
}

// brief writes a duration without parts that are zero.
func brief(d time.Duration) string {
	switch {
	case d >= time.Minute && d%time.Minute == 0:
		return fmt.Sprintf("%d min", d/time.Minute)
	default:
		return d.String()
	}
}

// WriteText writes one failover for people.
func (f *FailoverReport) WriteText(w io.Writer) error {
	if f.From == f.To {
		_, err := fmt.Fprintf(w, "%s: %s is the primary already\n", f.Group, f.To)
		return err
	}
	lost := "nothing was lost"
	for i, l := range f.Lost {
		text := fmt.Sprintf("%d commits of %s were lost (%d to %d, the oldest acknowledged %s before)", l.Commits, l.Database, l.First, l.Last, time.Duration(l.OldestMS*float64(time.Millisecond)).Round(100*time.Microsecond))
		if i == 0 {
			lost = text
		} else {
			lost += "; " + text
		}
	}
	_, err := fmt.Fprintf(w, "%s: %s failover from %s to %s in %s; %s\n", f.Group, f.Kind, f.From, f.To, time.Duration(f.TookMS*float64(time.Millisecond)).Round(10*time.Microsecond), lost)
	return err
}
