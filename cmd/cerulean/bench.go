package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/ceruleannet/cerulean/internal/node"
)

func newBench() *cobra.Command {
	var spokes, rounds int
	var path string
	cmd := &cobra.Command{
		Use:   "bench up|prove|engine",
		Short: "Measure this machine: the main job, the proof of a large network, a packet",
		Long: `  up      the main job with latency off, each stage; the median of several rounds
  prove   declare, compile and prove a generated network of many spokes, with memory
  engine  nanoseconds and allocations per packet of an established flow`,
		Example: `  cerulean bench up --network examples/globojava
  cerulean bench prove --spokes 1000 -o json`,
		Args:      cobra.ExactArgs(1),
		ValidArgs: []string{"up", "prove", "engine"},
	}
	var output *string
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if rounds < 1 {
			return fmt.Errorf("--rounds %d: at least 1", rounds)
		}
		var result *node.Bench
		var err error
		switch args[0] {
		case "up":
			result, err = node.BenchUp(cmd.Context(), path, rounds)
		case "prove":
			result, err = node.BenchProve(cmd.Context(), spokes, rounds)
		case "engine":
			result, err = node.BenchEngine(cmd.Context(), rounds)
		default:
			return fmt.Errorf("unknown benchmark %q; use up, prove or engine", args[0])
		}
		if err != nil {
			return err
		}
		w := cmd.OutOrStdout()
		if *output == "json" {
			return writeJSON(w, result)
		}
		return result.WriteText(w)
	}
	output = outputFlag(cmd, "text", "json")
	cmd.Flags().IntVar(&spokes, "spokes", 1000, "prove: how many spokes to generate")
	cmd.Flags().IntVar(&rounds, "rounds", 5, "how often to measure; the median is reported")
	cmd.Flags().StringVarP(&path, "network", "n", "examples/globojava", "up: the network")
	return cmd
}
