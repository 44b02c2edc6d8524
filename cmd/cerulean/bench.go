package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/ceruleannet/cerulean/internal/node"
)

func newBench() *cobra.Command {
	var spokes, size, rounds int
	var sizes node.CloudSizes
	var rules []int
	var path string
	cmd := &cobra.Command{
		Use:   "bench up|prove|engine|cloud|datapath|dns|traffic",
		Short: "Measure this machine: the main job, proofs, packets, the cloud, programs",
		Long: `  up      the main job with latency off, each stage; the median of several rounds
  prove   four sections, on one core but for the first: a generated network of many
          spokes, declared, compiled and proved; isolation over all packets of
          a network with planted faults, and one flow traced; one rule changed;
          long lists of rules, against z3 if it is there. The full size takes
          half a minute and 3.5 GB
  engine  nanoseconds and allocations per packet of an established flow
  cloud   the embedded cloud with many resources: requests per second and the 99th
          percentile of reads and writes, memory, cold start
  datapath  real programs in namespaces: one stream and round trips against Open vSwitch
          and a bare veth pair, connections against HAProxy; a thousand hosts; a
          packet. Linux, as root, with iperf3
  dns     processor time of a query, beside gdnsd. Linux, with dnsperf and gdnsd
  traffic  processor time of a request through the gateway, beside haproxy, nginx, Caddy
          and httputil.ReverseProxy; memory of idle connections. Linux`,
		Example: `  cerulean bench up --network examples/globojava
  cerulean bench prove --spokes 1000 -o json
  cerulean bench prove --size 10000 --rules 1000,9000   (a million rules in security groups)
  cerulean bench cloud --resources 10000 --writers 64`,
		Args:      cobra.ExactArgs(1),
		ValidArgs: []string{"up", "prove", "engine", "cloud", "datapath", "dns", "traffic"},
	}
	var output *string
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if rounds < 1 {
			return fmt.Errorf("--rounds %d: at least 1", rounds)
		}
		var result *node.Bench
		var err error
		w := cmd.OutOrStdout()
		switch args[0] {
		case "up":
			result, err = node.BenchUp(cmd.Context(), path, rounds)
		case "prove":
			return benchSections(w, *output == "json", func(each func(*node.Bench) error) error {
				return node.BenchProofs(cmd.Context(), node.ProveSizes{Spokes: spokes, VNets: size, Rules: rules}, rounds, each)
			})
		case "datapath":
			return benchSections(w, *output == "json", func(each func(*node.Bench) error) error {
				return node.BenchDatapath(cmd.Context(), rounds, each)
			})
		case "traffic":
			return benchSections(w, *output == "json", func(each func(*node.Bench) error) error {
				return node.BenchTraffic(cmd.Context(), rounds, each)
			})
		case "dns":
			result, err = node.BenchDNS(cmd.Context(), rounds)
		case "engine":
			result, err = node.BenchEngine(cmd.Context(), rounds)
		case "cloud":
			result, err = node.BenchCloud(cmd.Context(), sizes, rounds)
		default:
			return fmt.Errorf("unknown benchmark %q; use up, prove, engine, cloud, datapath, dns or traffic", args[0])
		}
		if err != nil {
			return err
		}
		if *output == "json" {
			return writeJSON(w, result)
		}
		return result.WriteText(w)
	}
	output = outputFlag(cmd, "text", "json")
	cmd.AddCommand(&cobra.Command{
		Use: "reverse-proxy ADDRESS MEMBER", Short: "What bench traffic measures beside the gateway", Hidden: true,
		Example: "  cerulean bench reverse-proxy 127.0.0.1:8080 127.0.0.1:8081",
		Args:    cobra.ExactArgs(2),
		RunE:    func(_ *cobra.Command, args []string) error { return node.ServeReverseProxy(args[0], args[1]) },
	})
	cmd.Flags().IntVar(&spokes, "spokes", 1000, "prove: how many spokes to generate")
	cmd.Flags().IntVar(&size, "size", 1000, "prove: virtual networks to isolate, of 10 subnets each")
	cmd.Flags().IntSliceVar(&rules, "rules", []int{1000}, "prove: how long the lists of rules are")
	cmd.Flags().IntVar(&sizes.Resources, "resources", 10000, "cloud: resources that are there")
	cmd.Flags().IntVar(&sizes.Writers, "writers", 64, "cloud: clients at work at once")
	cmd.Flags().IntVar(&sizes.Requests, "requests", 5000, "cloud: requests of each kind and round")
	cmd.Flags().IntVar(&rounds, "rounds", 5, "how often to measure; the median is reported")
	cmd.Flags().StringVarP(&path, "network", "n", "examples/globojava", "up: the network")
	return cmd
}

// benchSections measures section by section and writes each as it is measured; as
// JSON all at once.
func benchSections(w io.Writer, json bool, run func(each func(*node.Bench) error) error) error {
	var all []*node.Bench
	err := run(func(b *node.Bench) error {
		all = append(all, b)
		if json {
			return nil
		}
		if len(all) > 1 {
			fmt.Fprintln(w)
		}
		return b.WriteText(w)
	})
	if err != nil || !json {
		return err
	}
	return writeJSON(w, all)
}
