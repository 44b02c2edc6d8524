package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/ceruleannet/cerulean/internal/node"
)

func newDrill() *cobra.Command {
	var o node.DrillOptions
	var output *string
	cmd := &cobra.Command{
		Use:   "drill region|zone|host|appliance|gateway|link|probe NAME",
		Short: "Take something down in a running network, and see what survives",
		Long: `Makes steady traffic for every expectation that allows some (long-lived
streams, new connections, datagrams; requests through the gateways, where an
expectation has a URL), takes one thing down, and brings it back.
Nobody tells the load balancers: their health probes find out. What each flow did
is held against what the proof predicts of the network without that thing.

  region NAME           everything of a region
  zone REGION/ZONE      what is in one availability zone
  host NAME             one host
  appliance NAME        a host that forwards, or a firewall
  gateway NAME          a VPN or ExpressRoute gateway
  link A B              what goes straight from the one place to the other
  probe BALANCER/HOST   the answers to one member's health probes

SQL failover groups are written to through their names meanwhile: the report tells
when the next commit was acknowledged, and what was acknowledged and lost. Their
grace period is 5 s in a drill, and roles are moved back at its end.

Without a target it lists what can fail. Ctrl-C brings back what is down. Exits
with 1 when the network did worse than predicted.`,
		Example: `  cerulean drill host web-1
  cerulean drill zone westeurope/1 --for 30s --pace 10
  cerulean drill link eastus westeurope -o json -n examples/globojava`,
		Args: cobra.MaximumNArgs(3),
	}
	with := runningFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return with(func(r *node.Remote) error {
			w := cmd.OutOrStdout()
			if len(args) == 0 {
				targets, err := r.DrillTargets(cmd.Context())
				if err != nil {
					return err
				}
				if *output == "json" {
					return writeJSON(w, targets)
				}
				for _, t := range targets {
					fmt.Fprintln(w, t)
				}
				return nil
			}
			o.Target = args
			p := paint(colour(cmd.ErrOrStderr()))
			begin := time.Now()
			result, err := r.Drill(cmd.Context(), o, func(stage, text string) {
				fmt.Fprintf(cmd.ErrOrStderr(), "%s %s %s\n", p.dim(fmt.Sprintf("%7s", took(time.Since(begin)))), p.bold(fmt.Sprintf("%-8s", stage)), text)
			})
			if result != nil && len(result.Report) > 0 {
				if *output == "json" {
					if err := writeJSON(w, result.Report); err != nil {
						return err
					}
				} else {
					fmt.Fprint(w, "\n", result.Text)
				}
			}
			if err != nil {
				return err
			}
			if !result.OK {
				return errFalse
			}
			return nil
		})
	}
	output = outputFlag(cmd, "text", "json")
	f := cmd.Flags()
	f.DurationVar(&o.For, "for", 0, "how long it stays down (default: twice what health probes need to notice)")
	f.DurationVar(&o.Grace, "grace", 0, "how long failover groups wait for their primary (default 5s)")
	f.Float64Var(&o.Pace, "pace", 0, "probe health this many times faster meanwhile (default 1)")
	return cmd
}

func newHealth() *cobra.Command {
	var output *string
	cmd := &cobra.Command{
		Use:   "health [NAME]",
		Short: "Show what health probes find out about members and endpoints",
		Long: `Shows the state of every member that a load balancer of the running network
probes, and of every endpoint of its Traffic Manager profiles: since when, why, and
the latency of its last answer; -o json has the last answers. NAME is a load balancer
or a profile. Exits with 1 when a member is down or an endpoint degraded.`,
		Example: `  cerulean health
  cerulean health shop-front -o json
  cerulean health -n examples/landing-zone`,
		Args: cobra.MaximumNArgs(1),
	}
	with := runningFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return with(func(r *node.Remote) error {
			name := ""
			if len(args) > 0 {
				name = args[0]
			}
			h, err := r.Health(cmd.Context(), name)
			if err != nil {
				return err
			}
			if name != "" && len(h.Members)+len(h.Managers) == 0 {
				return fmt.Errorf("no load balancer or Traffic Manager profile %q probes anything", name)
			}
			if *output == "json" {
				err = writeJSON(cmd.OutOrStdout(), h)
			} else {
				err = h.WriteText(cmd.OutOrStdout(), time.Now())
			}
			if err == nil && h.Failed() {
				err = errFalse
			}
			return err
		})
	}
	output = outputFlag(cmd, "text", "json")
	return cmd
}
