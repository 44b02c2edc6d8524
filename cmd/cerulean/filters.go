package main

import (
	"github.com/spf13/cobra"

	"github.com/ceruleannet/cerulean/internal/node"
)

func newFilters() *cobra.Command {
	var ask node.FilterAsk
	cmd := &cobra.Command{
		Use:   "filters FILE [OTHER]",
		Short: "Analyse a filter set in ClassBench's format over all packets",
		Long: `Reads a filter set, a rule a line as ClassBench writes them, and finds every shadowed and
redundant rule. With --from, --to or --port it says whether any such TCP packet passes; with
a second file, whether both do the same with every packet. Filter sets have no actions:
every third rule denies unless --deny-every says otherwise, and what no rule matches is
denied. Exits with 1 when the two files differ.`,
		Example: `  cerulean filters acl1_1k
  cerulean filters acl1_1k --from 10.0.0.0/8 --port 22
  cerulean filters acl1_1k acl1_1k.new -o json`,
		Args: cobra.RangeArgs(1, 2),
	}
	var output *string
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) > 1 {
			ask.Other = args[1]
		}
		r, err := node.Filters(args[0], ask)
		if err != nil {
			return err
		}
		w := cmd.OutOrStdout()
		if *output == "json" {
			err = r.WriteJSON(w)
		} else {
			err = r.WriteText(w)
		}
		if err == nil && r.Diff != nil && r.Diff.Status != "absent" {
			err = errFalse
		}
		return err
	}
	output = outputFlag(cmd, "text", "json")
	cmd.Flags().IntVar(&ask.DenyEvery, "deny-every", 3, "which rules deny: every n-th; 0 for none")
	cmd.Flags().StringVar(&ask.From, "from", "", "ask about packets from this prefix")
	cmd.Flags().StringVar(&ask.To, "to", "", "ask about packets to this prefix")
	cmd.Flags().Uint16Var(&ask.Port, "port", 0, "ask about packets to this port")
	return cmd
}
