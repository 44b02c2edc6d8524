package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/ceruleannet/cerulean/internal/node"
)

// runningFlag adds -n to a command that works on a running network, and returns
// what reaches it: the one that runs, or with -n PATH one that is started for as
// long as the function works on it.
func runningFlag(cmd *cobra.Command) (with func(func(*node.Remote) error) error) {
	name := cmd.Flags().StringP("network", "n", "", "`NAME` or path of the network (default: the one that runs)")
	return func(f func(*node.Remote) error) error {
		r, done, err := reach(cmd, *name)
		if err != nil {
			return err
		}
		err = f(r)
		if e := done(); e != nil {
			return errors.Join(err, falseError{e})
		}
		return err
	}
}

func reach(cmd *cobra.Command, name string) (*node.Remote, func() error, error) {
	ctx := cmd.Context()
	r, err := node.Connect(ctx, name)
	if err == nil {
		return r, func() error { r.Close(); return nil }, nil
	}
	if name == "" || !errors.Is(err, node.ErrNoNetwork) {
		return nil, nil, err
	}
	if _, missing := os.Stat(name); missing != nil {
		return nil, nil, fmt.Errorf("%w, and there is no such file or folder to declare one", err)
	}
	bar := newProgress(cmd.ErrOrStderr(), "")
	system, err := node.Up(ctx, name, node.UpOptions{Listen: "127.0.0.1:0", Control: true, NoProbe: true, Output: cmd.ErrOrStderr()}, func(e node.Event) {
		if e.Total > 0 {
			bar.title = e.Stage
			bar.update(e.Completed, e.Total, e.Text)
		}
	})
	bar.clear()
	if err != nil {
		return nil, nil, err
	}
	r = system.Remote()
	return r, func() error { r.Close(); return system.Close() }, nil
}

func newStatus() *cobra.Command {
	var output *string
	cmd := &cobra.Command{
		Use:   "status",
		Short: "List the networks that run",
		Long: `Lists the networks that this user runs with 'cerulean up', and the servers of their
SQL failover groups: roles, and how far each secondary is behind.`,
		Example: "  cerulean status\n  cerulean status -o json",
		Args:    cobra.NoArgs,
	}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		ctx, cancel := context.WithTimeout(cmd.Context(), 30*time.Second)
		defer cancel()
		all, err := node.Running(ctx)
		if err != nil {
			return err
		}
		list := make([]node.Status, len(all))
		for i, r := range all {
			list[i] = r.Status
			r.Close()
		}
		w := cmd.OutOrStdout()
		if *output == "json" {
			return writeJSON(w, list)
		}
		if len(list) == 0 {
			fmt.Fprintln(w, "no network is running; start one with 'cerulean up PATH'")
			return nil
		}
		t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
		fmt.Fprintln(t, "NETWORK\tHOSTS\tFLOWS\tUP\tPID\tPATH")
		for _, s := range list {
			fmt.Fprintf(t, "%s\t%d\t%d\t%s\t%d\t%s\n", s.Network, s.Hosts, s.Flows, time.Since(s.Started).Round(time.Second), s.PID, s.Path)
		}
		if err := t.Flush(); err != nil {
			return err
		}
		for _, s := range list {
			if len(s.Groups) == 0 {
				continue
			}
			fmt.Fprintf(w, "\nFailover groups of %s\n", s.Network)
			if err := node.WriteFailoverGroups(w, s.Groups, time.Now()); err != nil {
				return err
			}
		}
		return nil
	}
	output = outputFlag(cmd, "text", "json")
	return cmd
}
