package main

import (
	"fmt"
	"io"
	"runtime"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/ceruleannet/cerulean/internal/node"
)

func newUp() *cobra.Command {
	var (
		once    bool
		latency float64
		options node.UpOptions
		output  *string
	)
	cmd := &cobra.Command{
		Use:   "up [PATH]",
		Short: "Declare, compile, prove, apply, run and probe a network",
		Long: `Runs the whole spine: the declared network is compiled and proved, applied to an
embedded cloud through its API, compiled again from what the cloud now holds, and
run: every host is a TCP/IP stack whose packets meet the network's rules, routes
and firewalls. Then every expectation is probed with real connections, and proof
and probe must agree. Stays up until Ctrl-C; with --once or -o json it exits after
the probes.

Exits with 1 when an expectation is broken, or a probe disagrees with its proof.`,
		Example: `  cerulean up examples/globojava
  cerulean up --once examples/globojava
  cerulean up --once examples/template/main.json -p examples/template/main.parameters.json
  cerulean up --latency 1 examples/globojava     # the distances between regions, in real time`,
		Args: cobra.MaximumNArgs(1),
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		w := cmd.OutOrStdout()
		p := paint(colour(w))
		options.Latency = latency
		quiet := *output == "json"
		options.Control = !once && !quiet
		if options.Control {
			options.Output = w
		}
		bar := newProgress(cmd.ErrOrStderr(), "")
		begin := time.Now()
		system, err := node.Up(cmd.Context(), pathArg(args), options, func(e node.Event) {
			if e.Total > 0 {
				bar.title = e.Stage
				bar.update(e.Completed, e.Total, e.Text)
				return
			}
			bar.clear()
			if !quiet {
				fmt.Fprintf(w, "%s %-62s %s\n", p.bold(fmt.Sprintf("%-8s", e.Stage)), e.Text, p.dim(took(e.Took)))
			}
		})
		bar.clear()
		if err != nil {
			return err
		}
		defer system.Close()
		elapsed := time.Since(begin)
		if quiet {
			err = system.WriteJSON(w, elapsed)
		} else {
			err = system.WriteProbes(w, colour(w))
		}
		if err != nil {
			return err
		}
		failed := system.Failed()
		if !quiet {
			fmt.Fprintf(w, "\nup in %s\n", took(elapsed))
		}
		if !once && !quiet {
			if addr := system.MetricsAddr(); addr != "" {
				fmt.Fprintf(w, "\nmetrics at http://%s/metrics\n", addr)
			}
			next(w, system)
			if err := system.Cloud.Wait(cmd.Context()); err != nil {
				return falseError{err}
			}
			fmt.Fprintln(w, "\nclosing")
		}
		if err := system.Close(); err != nil {
			return falseError{err}
		}
		if failed {
			return errFalse
		}
		return nil
	}
	output = outputFlag(cmd, "text", "json")
	f := cmd.Flags()
	f.BoolVar(&once, "once", false, "exit after the probes")
	f.Float64Var(&latency, "latency", 0, "scale of the latency between regions: 0 is none, 1 is Azure's")
	f.StringVarP(&options.Parameters, "parameters", "p", "", "`FILE` of a template's parameters (default NAME.parameters.json)")
	f.StringVar(&options.Dir, "dir", "", "folder of the cloud's state (default: in memory)")
	f.StringVar(&options.FlowLogs, "flow-logs", "", "write Azure's flow logs (VNet, version 4) below `DIR`")
	f.StringVar(&options.Metrics, "metrics", "", "serve Prometheus metrics at `ADDR`, for example 127.0.0.1:9464")
	f.StringVar(&options.Listen, "listen", "127.0.0.1:0", "address the embedded cloud listens on")
	return cmd
}

// took formats a duration with three digits that matter.
func took(d time.Duration) string {
	switch {
	case d >= 10*time.Second:
		return d.Round(100 * time.Millisecond).String()
	case d >= time.Second:
		return d.Round(10 * time.Millisecond).String()
	case d >= 10*time.Millisecond:
		return d.Round(time.Millisecond).String()
	default:
		return d.Round(10 * time.Microsecond).String()
	}
}

// next says what to do with a network that is up.
func next(w io.Writer, s *node.System) {
	host := "HOST"
	if hosts := s.Design.Network().Hosts; len(hosts) > 0 {
		host = hosts[0].Name
	}
	fmt.Fprintf(w, "\nUntil Ctrl-C, in other terminals:\n")
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	if runtime.GOOS == "linux" {
		fmt.Fprintf(t, "  cerulean exec %s -- bash\ta shell in the network\n", host)
	}
	fmt.Fprintf(t, "  cerulean forward --socks 127.0.0.1:1080 --from %s\tits names and ports, from your programs\n", host)
	fmt.Fprintf(t, "  cerulean capture --denied\tpackets, and the rule that decides\n")
	fmt.Fprintf(t, "  cerulean drill\twhat can fail, and what happens then\n")
	fmt.Fprintf(t, "  eval \"$(cerulean env)\"\tTerraform, az and SDKs at %s\n", s.Cloud.Endpoint)
	_ = t.Flush()
}
