package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/ceruleannet/cerulean/internal/node"
)

func newExec() *cobra.Command {
	var alone bool
	cmd := &cobra.Command{
		Use:   "exec HOST -- COMMAND [ARGUMENTS]",
		Short: "Run a program of this system on a host of the network",
		Long: `Runs a program in a network namespace whose interface is the host's: every packet
meets the network's rules, routes and firewalls. Names are resolved by the
network, and the certificates of its HTTPS services are trusted. Needs Linux; no
root where the system allows user namespaces. A second program on the same host
shares its interface. When the program ends, or the network, nothing is left.

The host's declared services keep answering; a program that is to have their ports
needs --alone. The exit code is the program's: 125 if it could not be started here,
126 or 127 if it could not be found there.`,
		Example: `  cerulean exec web -- bash
  cerulean exec web -n examples/three-tier -- curl -m 3 https://api/
  cerulean exec db --alone -- nc -l 5432`,
		Args: func(cmd *cobra.Command, args []string) error {
			switch at := cmd.ArgsLenAtDash(); {
			case at == 0 || len(args) == 0:
				return errors.New("name the host: cerulean exec HOST -- COMMAND")
			case at > 1:
				return fmt.Errorf("%q is one host too many: cerulean exec HOST -- COMMAND", args[1])
			case len(args) == 1:
				return fmt.Errorf("name the program: cerulean exec %s -- COMMAND", args[0])
			}
			return nil
		},
	}
	with := runningFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return with(func(r *node.Remote) error {
			code, err := r.Exec(cmd.Context(), node.ExecOptions{
				Host: args[0], Args: args[1:], Env: os.Environ(), Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr,
				Alone: alone, Terminal: term.IsTerminal(int(os.Stdin.Fd())),
				Note: func(text string) { fmt.Fprintln(cmd.ErrOrStderr(), "cerulean:", text) },
			})
			if err != nil {
				fmt.Fprintln(cmd.ErrOrStderr(), "cerulean:", err)
				code = max(code, exitBefore)
			}
			if code != 0 {
				return exitStatus(code)
			}
			return nil
		})
	}
	cmd.Flags().BoolVar(&alone, "alone", false, "stop the host's declared services while the program runs")
	return cmd
}
