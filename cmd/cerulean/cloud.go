package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/ceruleannet/cerulean/internal/node"
)

// cloudFlags are the flags of commands that talk to a cloud.
type cloudFlags struct {
	cloud, dir, listen string
	parallel           int
}

func (f *cloudFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.cloud, "cloud", "local", "where to apply: local (the embedded cloud) or azure")
	cmd.Flags().StringVar(&f.dir, "dir", "", "folder of the embedded cloud's state (default PATH/.cerulean)")
	cmd.Flags().StringVar(&f.listen, "listen", "127.0.0.1:0", "address of the embedded cloud during the command")
	cmd.Flags().IntVar(&f.parallel, "parallel", 16, "how many resources to change at once")
	_ = cmd.RegisterFlagCompletionFunc("cloud", cobra.FixedCompletions([]string{"local", "azure"}, cobra.ShellCompDirectiveNoFileComp))
}

// open opens the design and the cloud of a command.
func (f *cloudFlags) open(cmd *cobra.Command, path string) (*node.Design, *node.Cloud, error) {
	d, err := node.Open(path, node.LockWrite)
	if err != nil {
		return nil, nil, err
	}
	options := node.CloudOptions{Dir: f.dir, Listen: f.listen, Subscription: d.Network().Subscription}
	switch f.cloud {
	case "local":
		if options.Dir == "" {
			options.Dir = node.StateDir(path)
		}
	case "azure":
		options.Azure = true
	default:
		return nil, nil, fmt.Errorf("unknown cloud %q; use local or azure", f.cloud)
	}
	if f.parallel < 1 {
		return nil, nil, fmt.Errorf("--parallel %d: at least 1", f.parallel)
	}
	c, err := node.OpenCloud(cmd.Context(), options)
	if err != nil {
		return nil, nil, err
	}
	return d, c, nil
}

func newPlan() *cobra.Command {
	var f cloudFlags
	cmd := &cobra.Command{
		Use:   "plan [PATH]",
		Short: "Show what apply would change",
		Long: `Compares the declared network with what the cloud has and prints what apply would
create, update, delete and commit, property by property. Nothing is changed.`,
		Example: `  cerulean plan examples/globojava
  cerulean plan examples/globojava --dir /tmp/cloud -o json`,
		Args: cobra.MaximumNArgs(1),
	}
	f.add(cmd)
	var output *string
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		d, c, err := f.open(cmd, pathArg(args))
		if err != nil {
			return err
		}
		defer c.Close()
		p, err := c.Plan(cmd.Context(), d)
		if err != nil {
			return falseError{err}
		}
		w := cmd.OutOrStdout()
		return p.Write(w, *output == "json", colour(w))
	}
	output = outputFlag(cmd, "text", "json")
	return cmd
}

func newApply() *cobra.Command {
	var f cloudFlags
	var unproved bool
	var output *string
	cmd := &cobra.Command{
		Use:   "apply [PATH]",
		Short: "Bring a cloud to what is declared",
		Long: `Proves the network's expectations, plans against what the cloud has, and applies
the plan through the cloud's Resource Manager API. Refuses a network with a
broken expectation. Interrupted at any moment, the next apply does the rest.`,
		Example: `  cerulean apply examples/globojava
  cerulean apply examples/globojava --dir /tmp/cloud`,
		Args: cobra.MaximumNArgs(1),
	}
	f.add(cmd)
	cmd.Flags().BoolVar(&unproved, "even-if-broken", false, "apply although an expectation is broken")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		d, c, err := f.open(cmd, pathArg(args))
		if err != nil {
			return err
		}
		defer c.Close()
		w := cmd.OutOrStdout()
		if report := d.Check(); report.Failed() && !unproved {
			if *output == "json" {
				err = report.WriteJSON(w)
			} else {
				err = report.WriteText(w, colour(w))
			}
			if err != nil {
				return err
			}
			fmt.Fprintln(cmd.ErrOrStderr(), "cerulean: nothing was applied; correct the network, or use --even-if-broken")
			return errFalse
		}
		p, err := c.Plan(cmd.Context(), d)
		if err != nil {
			return falseError{err}
		}
		return runPlan(cmd, c, p, f.parallel, *output == "json")
	}
	output = outputFlag(cmd, "text", "json")
	return cmd
}

func newDestroy() *cobra.Command {
	var f cloudFlags
	var output *string
	cmd := &cobra.Command{
		Use:   "destroy [PATH]",
		Short: "Delete everything of a network from a cloud",
		Long: `Deletes what the network owns: its resource groups (tagged cerulean-network) and
what is in them. Resources elsewhere are never touched.`,
		Example: `  cerulean destroy examples/globojava --dir /tmp/cloud`,
		Args:    cobra.MaximumNArgs(1),
	}
	f.add(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		d, c, err := f.open(cmd, pathArg(args))
		if err != nil {
			return err
		}
		defer c.Close()
		p, err := c.PlanDestroy(cmd.Context(), d)
		if err != nil {
			return falseError{err}
		}
		return runPlan(cmd, c, p, f.parallel, *output == "json")
	}
	output = outputFlag(cmd, "text", "json")
	return cmd
}

// runPlan prints and applies a plan with progress.
func runPlan(cmd *cobra.Command, c *node.Cloud, p *node.Plan, parallel int, asJSON bool) error {
	w := cmd.OutOrStdout()
	if !asJSON {
		if err := p.Write(w, false, colour(w)); err != nil || p.Empty() {
			return err
		}
	}
	bar := newProgress(cmd.ErrOrStderr(), "apply")
	applied, err := c.Apply(cmd.Context(), p, parallel, bar.update)
	bar.clear()
	var werr error
	if asJSON {
		werr = writeJSON(w, applied)
	} else {
		_, werr = fmt.Fprintln(w, applied)
	}
	if err != nil {
		return falseError{err}
	}
	return werr
}

func newCloud() *cobra.Command {
	var dir, listen string
	var names []string
	var slow time.Duration
	var pace float64
	var planes bool
	cmd := &cobra.Command{
		Use:   "cloud",
		Short: "Run only the embedded cloud, for other clients",
		Long: `Serves the Azure Resource Manager API over HTTPS until interrupted, and prints the
environment other clients need. The certificate authority, the credentials and
the keys are made for this folder and stay in it.

With --data-planes, the secrets of key vaults and the blobs of storage accounts
are served too, by the names that Azure gives them. Clients get there through a
proxy on this machine that the environment names; it passes everything else on.
What is written there lives in memory.`,
		Example: `  cerulean cloud --dir ./cloud --listen 127.0.0.1:8443
  cerulean cloud --dir ./cloud --data-planes
  cerulean cloud --dir ./cloud --listen 0.0.0.0:8443 --name cloud.test`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if slow < 0 || slow > time.Hour {
				return fmt.Errorf("--operation-time %v: from 0 to 1h", slow)
			}
			if pace < 0 || pace > 10 {
				return fmt.Errorf("--realistic-timing %v: from 0 to 10", pace)
			}
			c, err := node.OpenCloud(cmd.Context(), node.CloudOptions{Dir: dir, Listen: listen, Names: names, OperationTime: slow, TimingScale: pace, DataPlanes: planes, Serve: true})
			if err != nil {
				return err
			}
			defer c.Close()
			e, err := c.Environment()
			if err != nil {
				return falseError{err}
			}
			w := cmd.OutOrStdout()
			fmt.Fprintf(w, `# The embedded cloud is at %s. Ctrl-C stops it. In another window:
#   cerulean az --dir %[2]s -- network vnet list
#   cerulean terraform --dir %[2]s -- plan
# or any other client, with this environment (cerulean env --dir %[2]s prints it):
`, c.Endpoint, dir)
			if err := e.Write(w, defaultShell()); err != nil {
				return err
			}
			return c.Wait(cmd.Context())
		},
	}
	cmd.Flags().StringVar(&dir, "dir", ".cerulean", "folder of state, keys, authority")
	cmd.Flags().StringVar(&listen, "listen", "127.0.0.1:0", "address to listen on")
	cmd.Flags().StringSliceVar(&names, "name", nil, "further name or address by which clients reach it")
	cmd.Flags().DurationVar(&slow, "operation-time", 0, "how long operations show as under way, such as 2s")
	cmd.Flags().Float64Var(&pace, "realistic-timing", 0, "operations take Azure's time, times this (at most 10)")
	cmd.Flags().BoolVar(&planes, "data-planes", false, "serve the insides of key vaults and storage accounts")
	cmd.Flags().Lookup("realistic-timing").NoOptDefVal = "1"
	cmd.AddCommand(newPrincipal(), newCloudExport(), newCloudImport())
	return cmd
}
