package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/ceruleannet/cerulean/internal/node"
)

func newGateway() *cobra.Command {
	var file, log, firewallLog string
	var drain time.Duration
	cmd := &cobra.Command{
		Use:   "gateway -f FILE",
		Short: "Run an application gateway in front of any service",
		Long: `Runs an HTTP reverse proxy that routes by host, path and priority as Azure
Application Gateway does: listeners with TLS and client certificates, path maps,
rewrites, redirects, cookie affinity, probes, draining, end-to-end TLS, HTTP/2,
HTTP/3, WebSocket, gRPC, a cache and a web application firewall. It reads the file
again when that changes: a good one takes over without a connection lost, a wrong
one changes nothing. Runs until Ctrl-C.`,
		Example: `  cerulean gateway -f gateway.yaml
  cerulean gateway -f gateway.yaml --log access.json --waf-log waf.json
  cerulean gateway check -f gateway.yaml
  cerulean gateway explain -f gateway.yaml https://shop.example/images/1
  cerulean gateway status`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if file == "" {
				return fmt.Errorf("name the gateway's file with -f FILE")
			}
			to, done, err := logFile(cmd, log)
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
			return node.RunGateway(cmd.Context(), file, node.GatewayOptions{
				Log: to, WAF: matched, Drain: drain,
				Event: func(text string) { fmt.Fprintln(say, time.Now().Format(time.TimeOnly), text) },
				Ready: func(at []string) { fmt.Fprintf(say, "listening at %s until Ctrl-C\n", strings.Join(at, ", ")) },
			})
		},
	}
	cmd.PersistentFlags().StringVarP(&file, "file", "f", "", "`FILE` of the gateway")
	cmd.Flags().StringVar(&log, "log", "", "`FILE` that gets a JSON line for each request; - is standard output")
	cmd.Flags().StringVar(&firewallLog, "waf-log", "", "`FILE` that gets a JSON line for each firewall rule that matched")
	cmd.Flags().DurationVar(&drain, "drain", 10*time.Second, "how long requests under way may take at the end")
	cmd.AddCommand(newGatewayCheck(&file), newGatewayExplain(&file), newGatewayStatus(), newGatewayPurge())
	return cmd
}

// logFile opens what a log is written to: nothing, standard output or a file.
func logFile(cmd *cobra.Command, path string) (to io.Writer, done func(), err error) {
	switch path {
	case "":
		return nil, func() {}, nil
	case "-":
		return cmd.OutOrStdout(), func() {}, nil
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, nil, err
	}
	return f, func() { f.Close() }, nil
}

func newGatewayCheck(file *string) *cobra.Command {
	return &cobra.Command{
		Use: "check -f FILE", Short: "Report everything wrong with a gateway's file",
		Example: "  cerulean gateway check -f gateway.yaml",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			listeners, rules, err := node.CheckGateway(*file)
			if err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s: %s, %s\n", *file, count(listeners, "listener"), count(rules, "rule"))
			return nil
		},
	}
}

func newGatewayExplain(file *string) *cobra.Command {
	var output *string
	cmd := &cobra.Command{
		Use: "explain -f FILE URL", Short: "Say which listener, rule, path and pool take a URL, and why not others",
		Example: "  cerulean gateway explain -f gateway.yaml https://shop.example/images/1",
		Args:    cobra.ExactArgs(1),
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		r, err := node.ExplainGateway(*file, args[0])
		if err != nil {
			return err
		}
		if *output == "json" {
			err = writeJSON(cmd.OutOrStdout(), r)
		} else {
			err = r.Write(cmd.OutOrStdout())
		}
		if err == nil && r.Decision.Rule == "" {
			return errFalse
		}
		return err
	}
	output = outputFlag(cmd, "text", "json")
	return cmd
}

func newGatewayPurge() *cobra.Command {
	var gateway string
	cmd := &cobra.Command{
		Use: "purge [HOST]/PATH", Short: "Make running gateways forget kept answers",
		Long: `Makes running gateways forget what they keep of a path, whatever its query and
case. A path that ends with * is a prefix. Without a host it is for all of them.`,
		Example: "  cerulean gateway purge '/images/*'\n  cerulean gateway purge shop.example/index.html",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			host, path, found := strings.Cut(args[0], "/")
			if !found {
				return fmt.Errorf("%q has no path; write %s/* for everything of a host", args[0], args[0])
			}
			done, err := node.PurgeGateways(cmd.Context(), gateway, node.GatewayPurge{Host: host, Path: "/" + path})
			for _, d := range done {
				fmt.Fprintf(cmd.OutOrStdout(), "%s: %s forgotten\n", d.Gateway, count(d.Forgotten, "answer"))
			}
			return err
		},
	}
	cmd.Flags().StringVar(&gateway, "gateway", "", "`NAME` of one gateway; all of them without")
	return cmd
}

func newGatewayStatus() *cobra.Command {
	var output *string
	cmd := &cobra.Command{
		Use: "status", Short: "List the gateways that run, and the health of their members",
		Example: "  cerulean gateway status\n  cerulean gateway status -o json",
		Args:    cobra.NoArgs,
	}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		list, err := node.Gateways(cmd.Context())
		if err != nil {
			return err
		}
		if *output == "json" {
			return writeJSON(cmd.OutOrStdout(), list)
		}
		if len(list) == 0 {
			fmt.Fprintln(cmd.OutOrStdout(), "no gateway is running; start one with 'cerulean gateway -f FILE'")
			return nil
		}
		return node.WriteGateways(cmd.OutOrStdout(), list)
	}
	output = outputFlag(cmd, "text", "json")
	return cmd
}
