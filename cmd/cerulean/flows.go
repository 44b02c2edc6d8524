package main

import (
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/ceruleannet/cerulean/internal/node"
)

func newFlows() *cobra.Command {
	var (
		host           string
		follow, denied bool
		output         *string
	)
	cmd := &cobra.Command{
		Use:   "flows",
		Short: "Show the flows of a running network, and what decided about each",
		Long: `Lists the flows that the running network knows: where they enter and end, the rules that
let them through or the one that stopped them, what they carried each way, how old they
are, and how long the first reply took. With --follow it prints a line when a flow begins,
is denied or ends, until Ctrl-C.`,
		Example: `  cerulean flows
  cerulean flows --host db-prod-eastus
  cerulean flows --follow --denied
  cerulean flows -o json`,
		Args: cobra.NoArgs,
	}
	with := runningFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return with(func(r *node.Remote) error {
			w := cmd.OutOrStdout()
			if follow {
				begun := func() { fmt.Fprintln(cmd.ErrOrStderr(), "following; Ctrl-C ends it") }
				return r.Follow(cmd.Context(), host, denied, begun, func(n node.FlowNews) error {
					if *output == "json" {
						return json.NewEncoder(w).Encode(n)
					}
					if n.Missed > 0 {
						fmt.Fprintf(cmd.ErrOrStderr(), "%d events were missed: they were not read fast enough\n", n.Missed)
						return nil
					}
					_, err := fmt.Fprintln(w, n.Line())
					return err
				})
			}
			t, err := r.Flows(cmd.Context(), host, denied)
			if err != nil {
				return err
			}
			if *output == "json" {
				return t.WriteJSON(w)
			}
			return t.WriteText(w)
		})
	}
	output = outputFlag(cmd, "text", "json")
	f := cmd.Flags()
	f.BoolVarP(&follow, "follow", "f", false, "print what happens to flows, until Ctrl-C")
	f.StringVar(&host, "host", "", "only flows that pass this `HOST`, interface, subnet or address")
	f.BoolVar(&denied, "denied", false, "only flows that are not delivered")
	return cmd
}

func newMetrics() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "metrics",
		Short: "Print the metrics of a running network, as Prometheus reads them",
		Long: `Prints what the running network counts: packets, faults, flows, rules, ports, pools of
source ports, connect times, health probes. 'cerulean up --metrics ADDR' serves the same
to Prometheus.`,
		Example: "  cerulean metrics\n  cerulean metrics | grep snat",
		Args:    cobra.NoArgs,
	}
	with := runningFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return with(func(r *node.Remote) error { return r.Metrics(cmd.Context(), cmd.OutOrStdout()) })
	}
	return cmd
}
