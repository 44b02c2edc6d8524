package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/ceruleannet/cerulean/internal/node"
)

func newFrontDoor() *cobra.Command {
	var file, log, probeLog, firewallLog string
	var drain time.Duration
	cmd := &cobra.Command{
		Use:   "frontdoor -f FILE",
		Short: "Run a front door: edges in regions before origins in others",
		Long: `Runs the edges of a front door as Azure's standard and premium ones work: TLS,
routes by domain and path, rule sets, a firewall, kept answers, compression, and
origins that are healthy, preferred, near and weighted. Each edge has an address of
its own. It reads the file again when that changes: a good one takes over without a
connection lost, a wrong one changes nothing. Runs until Ctrl-C. The front doors of
a declared network run with 'cerulean up'; status and purge are for these as well.`,
		Example: `  cerulean frontdoor -f frontdoor.yaml
  cerulean frontdoor -f frontdoor.yaml --log access.json --probe-log probes.json
  cerulean frontdoor check -f frontdoor.yaml
  cerulean frontdoor explain -f frontdoor.yaml --from japaneast https://shop.example/api
  cerulean frontdoor status`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if file == "" {
				return fmt.Errorf("name the front door's file with -f FILE")
			}
			requests, done, err := logFile(cmd, log)
			if err != nil {
				return err
			}
			defer done()
			probes, done, err := logFile(cmd, probeLog)
			if err != nil {
				return err
			}
			defer done()
			matched, done, err := logFile(cmd, firewallLog)
			if err != nil {
				return err
			}
			defer done()
			say := cmd.ErrOrStderr()
			return node.RunFrontDoor(cmd.Context(), file, node.FrontDoorOptions{
				Log: requests, Probes: probes, WAF: matched, Drain: drain,
				Event: func(text string) { fmt.Fprintln(say, time.Now().Format(time.TimeOnly), text) },
				Ready: func(at []string) { fmt.Fprintf(say, "listening at %s until Ctrl-C\n", strings.Join(at, ", ")) },
			})
		},
	}
	cmd.PersistentFlags().StringVarP(&file, "file", "f", "", "`FILE` of the front door")
	cmd.Flags().StringVar(&log, "log", "", "`FILE` that gets a JSON line for each request; - is standard output")
	cmd.Flags().StringVar(&probeLog, "probe-log", "", "`FILE` that gets a JSON line for each health probe that failed")
	cmd.Flags().StringVar(&firewallLog, "waf-log", "", "`FILE` that gets a JSON line for each firewall rule that matched")
	cmd.Flags().DurationVar(&drain, "drain", 10*time.Second, "how long requests under way may take at the end")
	cmd.AddCommand(newFrontDoorCheck(&file), newFrontDoorExplain(&file), newFrontDoorNearest(&file), newFrontDoorStatus(), newFrontDoorPurge())
	return cmd
}

func newFrontDoorCheck(file *string) *cobra.Command {
	return &cobra.Command{
		Use: "check -f FILE", Short: "Report everything wrong with a front door's file",
		Example: "  cerulean frontdoor check -f frontdoor.yaml",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			edges, routes, err := node.CheckFrontDoor(*file)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s: %s, %s\n", *file, count(edges, "edge"), count(routes, "route"))
			return err
		},
	}
}

func newFrontDoorExplain(file *string) *cobra.Command {
	var output *string
	var from string
	cmd := &cobra.Command{
		Use: "explain -f FILE URL", Short: "Say which edge, route, rules and origins take a URL, and why not others",
		Long: `Says what a front door's file makes of a URL, with every origin healthy and as far
away as its region is. 'cerulean explain FROM URL' is for a declared network.`,
		Example: "  cerulean frontdoor explain -f frontdoor.yaml --from japaneast https://shop.example/api",
		Args:    cobra.ExactArgs(1),
	}
	cmd.Flags().StringVar(&from, "from", "", "`REGION` of the client; without it the first edge is asked")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		r, err := node.ExplainFrontDoor(*file, args[0], from)
		if err != nil {
			return err
		}
		if *output == "json" {
			err = writeJSON(cmd.OutOrStdout(), r)
		} else {
			err = r.WriteText(cmd.OutOrStdout())
		}
		if err == nil && r.Decision.Route == "" {
			return errFalse
		}
		return err
	}
	output = outputFlag(cmd, "text", "json")
	return cmd
}

func newFrontDoorNearest(file *string) *cobra.Command {
	return &cobra.Command{
		Use: "nearest -f FILE REGION", Short: "Say which edge a client in a region reaches",
		Example: "  cerulean frontdoor nearest -f frontdoor.yaml westeurope",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			edge, in, rtt, err := node.NearestEdge(*file, args[0])
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s in %s, %s away\n", edge, in, rtt.Round(time.Millisecond))
			return err
		},
	}
}

func newFrontDoorStatus() *cobra.Command {
	var output *string
	cmd := &cobra.Command{
		Use: "status", Short: "List the front doors that run, and how each edge sees the origins",
		Example: "  cerulean frontdoor status\n  cerulean frontdoor status -o json",
		Args:    cobra.NoArgs,
	}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		list, err := node.FrontDoors(cmd.Context())
		if err != nil {
			return err
		}
		if *output == "json" {
			return writeJSON(cmd.OutOrStdout(), list)
		}
		if len(list) == 0 {
			fmt.Fprintln(cmd.OutOrStdout(), "no front door is running; start one with 'cerulean frontdoor -f FILE'")
			return nil
		}
		return node.WriteFrontDoors(cmd.OutOrStdout(), list)
	}
	output = outputFlag(cmd, "text", "json")
	return cmd
}

func newFrontDoorPurge() *cobra.Command {
	var name string
	cmd := &cobra.Command{
		Use: "purge [HOST]/PATH", Short: "Make the edges of running front doors forget kept answers",
		Long: `Makes every edge forget what it keeps of a path that clients asked for, whatever
its query and case. A path that ends with * is a prefix. Without a host it is for
all of them.`,
		Example: "  cerulean frontdoor purge '/images/*'\n  cerulean frontdoor purge shop.example/index.html",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			host, path, found := strings.Cut(args[0], "/")
			if !found {
				return fmt.Errorf("%q has no path; write %s/* for everything of a host", args[0], args[0])
			}
			done, err := node.PurgeFrontDoors(cmd.Context(), name, node.FrontDoorPurge{Host: host, Path: "/" + path})
			for _, d := range done {
				fmt.Fprintf(cmd.OutOrStdout(), "%s: %s forgotten\n", d.FrontDoor, count(d.Forgotten, "answer"))
			}
			return err
		},
	}
	cmd.Flags().StringVar(&name, "front-door", "", "`NAME` of one front door; all of them without")
	return cmd
}
