package main

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ceruleannet/cerulean/internal/node"
)

// Exit codes of commands that run another program, whose own codes are passed
// on: those of env(1) and timeout(1) for what goes wrong before it runs.
const (
	exitBefore       = 125
	exitNotInstalled = 127
)

// exitStatus is the exit status of a program that was run.
type exitStatus int

func (s exitStatus) Error() string { return fmt.Sprintf("exit status %d", int(s)) }

// defaultShell returns the shell that most likely reads what is printed.
func defaultShell() string {
	if runtime.GOOS == "windows" {
		return "powershell"
	}
	return "bash"
}

func newEnv() *cobra.Command {
	var dir, shell string
	cmd := &cobra.Command{
		Use:   "env",
		Short: "Print the environment by which other clients reach a running cloud",
		Long: `Prints commands that set what Terraform, the Azure CLI and the Azure SDKs need to
reach the cloud that runs in a folder, or with 'cerulean up', for a shell to
evaluate. If the Azure CLI is installed, it is signed in, once, in a configuration
folder of its own.`,
		Example: `  eval "$(cerulean env)"
  cerulean env --dir ./cloud --shell fish | source
  cerulean env --shell powershell | Invoke-Expression
  cerulean env --shell json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !slices.Contains(node.Shells, shell) {
				return fmt.Errorf("unknown shell %q; use %s", shell, list(node.Shells))
			}
			c, err := node.FindCloud(cmd.Context(), dir)
			if err != nil {
				return falseError{howToStart(err, dir, "")}
			}
			defer c.Close()
			if err := c.SignInAzureCLI(cmd.Context(), cmd.ErrOrStderr()); err != nil && !errors.Is(err, node.ErrNotInstalled) {
				fmt.Fprintln(cmd.ErrOrStderr(), "cerulean: the Azure CLI is not signed in:", err)
			}
			e, err := c.Environment()
			if err != nil {
				return falseError{err}
			}
			return e.Write(cmd.OutOrStdout(), shell)
		},
	}
	cmd.Flags().StringVar(&dir, "dir", "", "folder of the cloud (default .cerulean, else of the network that runs)")
	cmd.Flags().StringVar(&shell, "shell", defaultShell(), "for which shell: "+list(node.Shells))
	_ = cmd.RegisterFlagCompletionFunc("shell", cobra.FixedCompletions(node.Shells, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

// howToStart adds to an error that no cloud runs what to do about it.
func howToStart(err error, dir, more string) error {
	if !errors.Is(err, node.ErrNotRunning) {
		return err
	}
	if dir != "" {
		return fmt.Errorf("%w; start one with: cerulean cloud --dir %s%s", err, dir, more)
	}
	return fmt.Errorf("%w; start one with: cerulean cloud, or cerulean up PATH%s", err, more)
}

// toolHelp is what the help of a command that runs another program says.
type toolHelp struct{ short, long, example string }

var azHelp = toolHelp{
	short: "Run the Azure CLI against a running cloud",
	long: `Runs the installed Azure CLI (az) with a configuration folder of its own, in which
the cloud is registered and signed in to, once. The user's own sign-in to Azure is
neither used nor changed.`,
	example: `  cerulean az -- network vnet list
  cerulean az --dir ./cloud -- group create -n shop -l westeurope
  cerulean az --start -- network vnet list -o table`,
}

var terraformHelp = toolHelp{
	short: "Run Terraform against a running cloud",
	long: `Runs the installed Terraform in this folder, with what the azurerm provider needs
to reach the cloud. Credentials of other clouds are not passed on.`,
	example: `  cerulean terraform -- init
  cerulean terraform -- apply
  cerulean terraform --dir ./cloud --start -- plan -detailed-exitcode`,
}

// newTool makes a command that runs another program against a cloud.
func newTool(name string, help toolHelp) *cobra.Command {
	o := node.ToolOptions{Name: name}
	cmd := &cobra.Command{
		Use:   name + " [flags] -- ARGUMENTS",
		Short: help.short,
		Long: help.long + fmt.Sprintf(`

The exit code is the program's own, 128 and the signal's number if a signal ended
it; %d if it is not installed, %d if something else kept it from running.`, exitNotInstalled, exitBefore),
		Example: help.example,
		Args:    cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			o.Args, o.Stdin, o.Stdout, o.Stderr = args, cmd.InOrStdin(), behind(cmd.OutOrStdout()), cmd.ErrOrStderr()
			status, err := node.RunTool(cmd.Context(), o)
			if err != nil {
				where := ""
				if o.Dir != "" {
					where = " --dir " + o.Dir
				}
				again := fmt.Sprintf(" or let it run during this command: cerulean %s%s --start -- %s", name, where, strings.Join(args, " "))
				fmt.Fprintln(cmd.ErrOrStderr(), "cerulean:", howToStart(err, o.Dir, ","+again))
				if errors.Is(err, node.ErrNotInstalled) {
					return exitStatus(exitNotInstalled)
				}
				return exitStatus(exitBefore)
			}
			if status != exitOK {
				return exitStatus(status)
			}
			return nil
		},
	}
	// What follows the first argument is the program's, with or without "--".
	cmd.Flags().SetInterspersed(false)
	cmd.Flags().StringVar(&o.Dir, "dir", "", "folder of the cloud (default .cerulean, else of the network that runs)")
	cmd.Flags().BoolVar(&o.Start, "start", false, "run the cloud during the command if nobody does")
	cmd.Flags().StringVar(&o.Listen, "listen", "127.0.0.1:0", "where to run it")
	return cmd
}
