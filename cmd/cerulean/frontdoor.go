package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/ceruleannet/cerulean/internal/node"
)

func newFrontDoor() *cobra.Command {
	var file string
	var drain time.Duration
	cmd := &cobra.Command{
		Use:   "frontdoor -f FILE",
		Short: "Run a front door: edges in regions before origins in others",
		Long: `Runs the edges of a front door as Azure's standard and premium ones work: routes by
domain and path, rule sets, kept answers, and origins that are healthy, preferred,
near and weighted. Each edge has an address of its own. Runs until Ctrl-C.`,
		Example: `  cerulean frontdoor -f frontdoor.yaml
  cerulean frontdoor check -f frontdoor.yaml
  cerulean frontdoor nearest -f frontdoor.yaml westeurope`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if file == "" {
				return fmt.Errorf("name the front door's file with -f FILE")
			}
			say := cmd.ErrOrStderr()
			return node.RunFrontDoor(cmd.Context(), file, drain,
				func(at []string) { fmt.Fprintf(say, "listening at %s until Ctrl-C\n", strings.Join(at, ", ")) },
				func(text string) { fmt.Fprintln(say, time.Now().Format(time.TimeOnly), text) })
		},
	}
	cmd.PersistentFlags().StringVarP(&file, "file", "f", "", "`FILE` of the front door")
	cmd.Flags().DurationVar(&drain, "drain", 10*time.Second, "how long requests under way may take at the end")
	cmd.AddCommand(&cobra.Command{
		Use: "check -f FILE", Short: "Report everything wrong with a front door's file",
		Example: "  cerulean frontdoor check -f frontdoor.yaml",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			edges, routes, err := node.CheckFrontDoor(file)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s: %s, %s\n", file, count(edges, "edge"), count(routes, "route"))
			return err
		},
	}, &cobra.Command{
		Use: "nearest -f FILE REGION", Short: "Say which edge a client in a region reaches",
		Example: "  cerulean frontdoor nearest -f frontdoor.yaml westeurope",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			edge, in, rtt, err := node.NearestEdge(file, args[0])
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s in %s, %s away\n", edge, in, rtt.Round(time.Millisecond))
			return err
		},
	})
	return cmd
}
