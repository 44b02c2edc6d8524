package main

import (
	"time"

	"github.com/spf13/cobra"

	"github.com/ceruleannet/cerulean/internal/node"
)

func newFailover() *cobra.Command {
	var o node.FailoverOptions
	var output *string
	cmd := &cobra.Command{
		Use:   "failover [GROUP]",
		Short: "Move the primary of a failover group, or list the groups",
		Long: `Makes another server the primary of a SQL failover group of a running network.
The names GROUP.database.windows.net and GROUP.secondary.database.windows.net follow;
resolvers keep what they have for the TTL of 30 s.

A planned failover (the default) stops writes, waits until the other server has every
commit, and loses nothing; it needs both servers. With --allow-data-loss the other
server takes over at once, and what had not arrived there is lost; the old primary is
seeded anew when it can be reached.

Without a group it lists them: roles, and how far each secondary is behind.`,
		Example: `  cerulean failover
  cerulean failover fiscal-data
  cerulean failover fiscal-data --to fiscal-sql-northeurope --allow-data-loss -o json`,
		Args: cobra.MaximumNArgs(1),
	}
	with := runningFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return with(func(r *node.Remote) error {
			w := cmd.OutOrStdout()
			if len(args) == 0 {
				groups, err := r.FailoverGroups(cmd.Context())
				if err != nil {
					return err
				}
				if *output == "json" {
					return writeJSON(w, groups)
				}
				return node.WriteFailoverGroups(w, groups, time.Now())
			}
			o.Group = args[0]
			report, err := r.Failover(cmd.Context(), o)
			if err != nil {
				return err
			}
			if *output == "json" {
				return writeJSON(w, report)
			}
			return report.WriteText(w)
		})
	}
	output = outputFlag(cmd, "text", "json")
	f := cmd.Flags()
	f.StringVar(&o.To, "to", "", "`SERVER` that is to be the primary (default: the first secondary)")
	f.BoolVar(&o.AllowDataLoss, "allow-data-loss", false, "do not wait for what has not arrived: it is lost")
	return cmd
}
