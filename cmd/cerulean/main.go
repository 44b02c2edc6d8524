// Command cerulean declares, proves, applies and runs Azure virtual networks.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/ceruleannet/cerulean/internal/node"
	"github.com/ceruleannet/cerulean/model"
)

// Exit codes. Scripts and pipelines rely on them.
const (
	exitOK    = 0
	exitFalse = 1 // a claim is false: a broken expectation, a failed apply
	exitUsage = 2 // wrong arguments or wrong input
)

// errFalse means a claim is false and everything about it was already printed.
var errFalse = errors.New("a claim is false")

// falseError is a failure that is not the input's fault.
type falseError struct{ err error }

func (e falseError) Error() string { return e.err.Error() }
func (e falseError) Unwrap() error { return e.err }

// gcPercent lets the heap grow to five times what is live before it is
// collected. Most commands end before that, and what lives is small: 25 MB for
// a thousand spokes. With Go's default, `up` of examples/globojava takes a
// fifth longer. GOGC in the environment wins.
const gcPercent = 400

func main() {
	if code, is := node.Child(os.Args); is {
		os.Exit(code) // this process is one that another of this program started
	}
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// The first interrupt asks for an orderly end, the next one ends the process.
	context.AfterFunc(ctx, stop)
	code := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run is main without the process: what tests call.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	root := newRoot()
	root.SetArgs(append([]string{}, args...)) // not nil: cobra would take those of this process
	root.SetIn(stdin)
	out := &checkedWriter{w: stdout}
	root.SetOut(out)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	var problems model.Problems
	var status exitStatus
	switch {
	case out.err != nil: // what was printed is not all there is to say
		fmt.Fprintln(stderr, "cerulean:", out.err)
		return exitFalse
	case err == nil:
		return exitOK
	case errors.Is(err, errFalse):
		return exitFalse
	case errors.As(err, &status):
		return int(status)
	case errors.As(err, &problems):
		for _, p := range problems {
			fmt.Fprintln(stderr, p.Error())
		}
		fmt.Fprintf(stderr, "%s: nothing was changed\n", count(len(problems), "problem"))
		return exitUsage
	case errors.As(err, &falseError{}), ctx.Err() != nil: // an interrupt is not the input's fault
		fmt.Fprintln(stderr, "cerulean:", err)
		return exitFalse
	default:
		fmt.Fprintln(stderr, "cerulean:", err)
		return exitUsage
	}
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "cerulean",
		Short: "An Azure virtual network you can prove, plan and run",
		Long: `Cerulean compiles a declared global network, proves what can and cannot talk
and why, applies it to its embedded Azure-compatible cloud, and runs it: real
packets through real rules, routes and firewalls, in one process.

Exit codes: 0 success, 1 a claim is false, 2 wrong usage or wrong input.`,
		Example: `  cerulean up examples/globojava
  cerulean check examples/broken
  cerulean explain shop-prod-eastus db-prod-westeurope:5432 -n examples/globojava`,
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          cobra.NoArgs,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.AddGroup(
		&cobra.Group{ID: "design", Title: "Understand a network:"},
		&cobra.Group{ID: "cloud", Title: "Apply it:"},
		&cobra.Group{ID: "run", Title: "Run it:"},
	)
	for _, c := range []*cobra.Command{newCheck(), newExplain(), newDiff(), newVerifyCertificate(), newCoverage(), newFilters(), newRoutes(), newRules(), newShow(), newSchema()} {
		c.GroupID = "design"
		root.AddCommand(c)
	}
	for _, c := range []*cobra.Command{newPlan(), newApply(), newDestroy(), newCloud(), newEnv(), newTool("az", azHelp), newTool("terraform", terraformHelp)} {
		c.GroupID = "cloud"
		root.AddCommand(c)
	}
	for _, c := range []*cobra.Command{newUp(), newStatus(), newCapture(), newFlows(), newMetrics(), newExec(), newForward(), newHealth(), newDrill(), newFailover(), newDoctor(), newGateway(), newFrontDoor(), newDNS(), newDiscovery(), newBench()} {
		c.GroupID = "run"
		root.AddCommand(c)
	}
	root.AddCommand(newVersion())
	root.CompletionOptions.HiddenDefaultCmd = true
	return root
}

// count returns "1 problem" or "3 problems".
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	if len(noun) > 1 && noun[len(noun)-1] == 'y' {
		return fmt.Sprintf("%d %sies", n, noun[:len(noun)-1])
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
