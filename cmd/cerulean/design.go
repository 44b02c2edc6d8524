package main

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/ceruleannet/cerulean/intent"
	"github.com/ceruleannet/cerulean/internal/node"
)

// pathArg returns the network's path: the argument, or the current folder.
func pathArg(args []string) string {
	if len(args) > 0 {
		return args[0]
	}
	return "."
}

// networkFlag adds -n PATH to a command whose arguments are something else.
func networkFlag(cmd *cobra.Command) *string {
	return cmd.Flags().StringP("network", "n", ".", "the declared network: a file or a folder")
}

// lockMode chooses what happens to the lock file.
func lockMode(frozen bool, otherwise node.Lock) node.Lock {
	if frozen {
		return node.LockFrozen
	}
	return otherwise
}

func newCheck() *cobra.Command {
	var frozen bool
	var certificate, parameters string
	var watch, strict bool
	cmd := &cobra.Command{
		Use:   "check [PATH]",
		Short: "Compile a network and prove its expectations",
		Long: `Compiles the declared network and proves every expectation over all packets.
A broken expectation comes with a witness: a packet that shows it, hop by hop.
Then come limits of Azure that the network approaches or breaks, asymmetric
paths, and routes and groups without effect.
Exits with 1 when an expectation is broken or cannot be decided; with --strict
also when something breaks a limit that Azure enforces.`,
		Example: `  cerulean check examples/globojava
  cerulean check examples/broken -o json
  cerulean check -o sarif . > findings.sarif
  cerulean check --locked .        # in CI: also fail if cerulean.lock is out of date
  cerulean check --watch .         # prove again on every save; Ctrl-C ends it
  cerulean check --certificate proof.json . && cerulean verify-certificate proof.json -n .`,
		Args: cobra.MaximumNArgs(1),
	}
	var output *string
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if watch {
			return watchCheck(cmd, pathArg(args), *output)
		}
		var d *node.Design
		var err error
		if parameters != "" {
			d, err = node.OpenTemplate(pathArg(args), parameters)
		} else {
			d, err = node.Open(pathArg(args), lockMode(frozen, node.LockRead))
		}
		if err != nil {
			return err
		}
		report := d.Check()
		report.Advise(d)
		w := cmd.OutOrStdout()
		switch *output {
		case "json":
			err = report.WriteJSON(w)
		case "junit":
			err = report.WriteJUnit(w)
		case "sarif":
			err = report.WriteSARIF(w)
		default:
			err = report.WriteText(w, colour(w))
		}
		if err == nil && certificate != "" {
			err = certify(cmd, d, certificate)
		}
		if err == nil && (report.Failed() || strict && report.Refused()) {
			err = errFalse
		}
		return err
	}
	output = outputFlag(cmd, "text", "json", "junit", "sarif")
	cmd.Flags().StringVarP(&parameters, "parameters", "p", "", "`FILE` of a template's parameters (default NAME.parameters.json)")
	cmd.Flags().BoolVar(&strict, "strict", false, "fail also on findings of severity error")
	cmd.Flags().BoolVarP(&watch, "watch", "w", false, "prove again whenever a file of the network is saved")
	cmd.Flags().StringVar(&certificate, "certificate", "", "write the proofs of the deny expectations to this file")
	cmd.Flags().BoolVar(&frozen, "locked", false, "fail if cerulean.lock does not record every assigned address")
	return cmd
}

// pollEvery is how often a watched network's files are looked at.
const pollEvery = 200 * time.Millisecond

// watchCheck proves a network again on every save, until it is interrupted.
func watchCheck(cmd *cobra.Command, path, output string) error {
	if output != "text" {
		return fmt.Errorf("--watch writes text only; leave -o %s out", output)
	}
	out := cmd.OutOrStdout()
	watch := node.NewWatch(path)
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		if u := watch.Poll(); u != nil {
			if err := u.WriteText(out, colour(out)); err != nil {
				return err
			}
		}
		select {
		case <-cmd.Context().Done():
			return nil
		case <-tick.C:
		}
	}
}

// certify writes a certificate and says what is not in it.
func certify(cmd *cobra.Command, d *node.Design, path string) error {
	left, err := d.Certify(path)
	for _, u := range left {
		fmt.Fprintf(cmd.ErrOrStderr(), "not in %s: %s: %s\n", path, u.Name, u.Why)
	}
	return err
}

func newVerifyCertificate() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "verify-certificate FILE",
		Short: "Check the proofs that 'check --certificate' wrote, without the prover",
		Long: `Checks a certificate against the network with a checker that shares no code with the prover:
that the boxes of each claim are all packets of the claim, none of them twice, and that each
box ends where the certificate says. Exits with an error if anything of it is not so.`,
		Example: `  cerulean check --certificate proof.json examples/globojava
  cerulean verify-certificate proof.json -n examples/globojava`,
		Args: cobra.ExactArgs(1),
	}
	network := networkFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		d, err := node.Open(*network, node.LockRead)
		if err != nil {
			return err
		}
		return d.VerifyCertificate(args[0], cmd.OutOrStdout())
	}
	return cmd
}

func newExplain() *cobra.Command {
	var rules, all, live bool
	var asker string
	var ask node.Ask
	cmd := &cobra.Command{
		Use:   "explain FROM TO[:PORT]",
		Short: "Show the path between two places, what decides on it, and every blocker",
		Long: `FROM and TO are a host, a subnet ("app in prod-westeurope"), a virtual network, a
group, an address, or "internet". TO may be a DNS name, too: what it means to FROM, as
the listener of a failover group does. TO may end in a port (":5432", which means TCP) or
a protocol and port (":udp/53", ":icmp").

Of traffic that is blocked it shows the fewest changes that open it, tried on a copy of the
network, and all that they would open besides. Of traffic that works, --close shows the
changes that stop it, and what each would stop besides. --all follows every packet between
the two places and says what becomes of which. --live asks the running network what it did
with a flow, by its number in 'cerulean flows' or by its two ends, and holds that against the
design. Of a Traffic Manager name, with or without a place before it, it says which endpoint
it means there and why the others not, with the states of the network if it runs.
Of a URL it says where its name leads, what its packets meet, and which listener, rule,
path, pool and member of an application gateway take it, and why the others not.
Exits with 1 when the traffic does not get there and back.`,
		Example: `  cerulean explain shop-prod-eastus db-prod-westeurope:5432 -n examples/globojava
  cerulean explain shop-prod-eastus db-prod-westeurope:5432 --close -n examples/globojava
  cerulean explain all-prod-spokes all-nonprod-spokes --all -n examples/globojava
  cerulean explain internet edge-westeurope:22 --rules -n examples/globojava
  cerulean explain internet edge-westeurope:22 -n examples/globojava -o json
  cerulean explain invoice fiscal-data.database.windows.net:1433 -n examples/fiscal
  cerulean explain shop.trafficmanager.net -n examples/traffic-manager
  cerulean explain https://api.shop.example/orders/7 --from internet -n examples/api-gateway
  cerulean explain --live shop-prod-eastus db-prod-eastus:5432 -n examples/globojava`,
		Args: cobra.RangeArgs(1, 2),
	}
	network := networkFlag(cmd)
	var output *string
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		switch {
		case live:
			name := ""
			if cmd.Flags().Changed("network") {
				name = *network
			}
			return explainLive(cmd, name, args, *output)
		case node.IsURL(args[len(args)-1]):
			return explainURL(cmd, *network, args, asker, *output)
		case node.IsManagedName(args[len(args)-1]):
			return explainName(cmd, *network, args, *output)
		case len(args) != 2:
			return errors.New("name two places: FROM TO[:PORT]; only --live takes the number of a flow")
		}
		d, err := node.Open(*network, node.LockRead)
		if err != nil {
			return err
		}
		if all {
			return explainAll(cmd, d, args, *output)
		}
		x, err := d.Explain(args[0], args[1], ask)
		if err != nil {
			return err
		}
		w := cmd.OutOrStdout()
		if *output == "json" {
			err = x.WriteJSON(w)
		} else {
			err = x.WriteText(w, rules, colour(w))
		}
		if err == nil && !x.Works() {
			err = errFalse
		}
		return err
	}
	output = outputFlag(cmd, "text", "json")
	cmd.Flags().StringVar(&asker, "from", "", "who asks for a URL; FROM before it means the same")
	cmd.Flags().BoolVar(&live, "live", false, "what a running network did, and whether the design agrees")
	cmd.Flags().BoolVar(&all, "all", false, "follow all packets between the two places, not one flow")
	cmd.Flags().BoolVar(&ask.Close, "close", false, "of traffic that works: show the changes that would stop it")
	cmd.Flags().BoolVar(&rules, "rules", false, "show every rule that was asked, and which of its fields did not match")
	cmd.MarkFlagsMutuallyExclusive("live", "all")
	cmd.MarkFlagsMutuallyExclusive("live", "close")
	cmd.MarkFlagsMutuallyExclusive("live", "rules")
	return cmd
}

// explainURL says what becomes of a request.
func explainURL(cmd *cobra.Command, network string, args []string, from, output string) error {
	switch {
	case len(args) == 2 && from != "":
		return errors.New("name who asks once: FROM URL, or URL --from FROM")
	case len(args) == 2:
		from = args[0]
	case from == "":
		return errors.New("say who asks: FROM URL, or URL --from FROM")
	}
	d, err := node.Open(network, node.LockRead)
	if err != nil {
		return err
	}
	x, err := d.ExplainURL(from, args[len(args)-1])
	if err != nil {
		return err
	}
	w := cmd.OutOrStdout()
	if output == "json" {
		err = x.WriteJSON(w)
	} else {
		err = x.WriteText(w)
	}
	if err == nil && !x.OK {
		err = errFalse
	}
	return err
}

// explainName says what a Traffic Manager name means, and why.
func explainName(cmd *cobra.Command, network string, args []string, output string) error {
	d, err := node.Open(network, node.LockRead)
	if err != nil {
		return err
	}
	from := ""
	if len(args) == 2 {
		from = args[0]
	}
	x, err := d.ExplainName(cmd.Context(), network, args[len(args)-1], from)
	if err != nil {
		return err
	}
	if output == "json" {
		return x.WriteJSON(cmd.OutOrStdout())
	}
	return x.WriteText(cmd.OutOrStdout())
}

// explainLive says what a running network did with a flow.
func explainLive(cmd *cobra.Command, network string, args []string, output string) error {
	r, done, err := reach(cmd, network)
	if err != nil {
		return err
	}
	defer done()
	x, err := r.ExplainLive(cmd.Context(), args...)
	if err != nil {
		return err
	}
	if w := cmd.OutOrStdout(); output == "json" {
		err = x.WriteJSON(w)
	} else {
		err = x.WriteText(w)
	}
	if err == nil && !x.Same {
		err = errFalse
	}
	return err
}

// explainAll says what becomes of all packets between two places.
func explainAll(cmd *cobra.Command, d *node.Design, args []string, output string) error {
	f, err := d.ExplainAll(args[0], args[1])
	if err != nil {
		return err
	}
	w := cmd.OutOrStdout()
	if output == "json" {
		err = f.WriteJSON(w)
	} else {
		err = f.WriteText(w, colour(w))
	}
	if err == nil && !f.Works() {
		err = errFalse
	}
	return err
}

func newDiff() *cobra.Command {
	var from, to string
	cmd := &cobra.Command{
		Use:   "diff BEFORE AFTER",
		Short: "Show which traffic appears and disappears between two versions of a network",
		Long: `Compares what two versions of a network do with all packets, and shows what appears and
what disappears, grouped by the rule or route that decides, with one packet each.
Exits with 1 when anything changed.`,
		Example: `  git worktree add /tmp/main main && cerulean diff /tmp/main/network network
  cerulean diff examples/globojava examples/broken --from internet
  cerulean diff examples/globojava examples/broken -o json`,
		Args: cobra.ExactArgs(2),
	}
	var output *string
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		var designs [2]*node.Design
		for i, path := range args {
			var err error
			if designs[i], err = node.Open(path, node.LockRead); err != nil {
				return err
			}
		}
		d, err := node.Compare(designs[0], designs[1], from, to)
		if err != nil {
			return err
		}
		w := cmd.OutOrStdout()
		if *output == "json" {
			err = d.WriteJSON(w)
		} else {
			err = d.WriteText(w, colour(w))
		}
		if err == nil && !d.Same() {
			err = errFalse
		}
		return err
	}
	output = outputFlag(cmd, "text", "json")
	cmd.Flags().StringVar(&from, "from", "", "only traffic from here (as in expectations)")
	cmd.Flags().StringVar(&to, "to", "", "only traffic to here (as in expectations)")
	return cmd
}

func newCoverage() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "coverage [PATH]",
		Short: "Show which rules do nothing, and which no expectation speaks of",
		Long: `Follows all packets of the network and says of every declared rule whether it decides any:
shadowed rules (and which rules take their packets), redundant rules, rules that no packet
gets to; and of the others which ones no expectation speaks of.`,
		Example: `  cerulean coverage examples/globojava
  cerulean coverage -o sarif . > coverage.sarif`,
		Args: cobra.MaximumNArgs(1),
	}
	var output *string
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		d, err := node.Open(pathArg(args), node.LockRead)
		if err != nil {
			return err
		}
		c, w := d.Cover(), cmd.OutOrStdout()
		switch *output {
		case "json":
			return c.WriteJSON(w)
		case "sarif":
			return c.WriteSARIF(w)
		default:
			return c.WriteText(w, colour(w))
		}
	}
	output = outputFlag(cmd, "text", "json", "sarif")
	return cmd
}

func newRoutes() *cobra.Command {
	return newEffective("routes HOST|NIC", "Show the effective routes of a network interface",
		"  cerulean routes shop-prod-eastus -n examples/globojava", (*node.Design).WriteRoutes)
}

func newRules() *cobra.Command {
	return newEffective("rules HOST|NIC", "Show the effective security rules of a network interface, in order",
		"  cerulean rules db-prod-eastus -n examples/globojava", (*node.Design).WriteRules)
}

// newEffective makes a command that shows what is in force at one interface.
func newEffective(use, short, example string, write func(d *node.Design, w io.Writer, name string, asJSON bool) error) *cobra.Command {
	cmd := &cobra.Command{Use: use, Short: short, Example: example, Args: cobra.ExactArgs(1)}
	network := networkFlag(cmd)
	var output *string
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		d, err := node.Open(*network, node.LockRead)
		if err != nil {
			return err
		}
		return write(d, cmd.OutOrStdout(), args[0], *output == "json")
	}
	output = outputFlag(cmd, "text", "json")
	return cmd
}

func newShow() *cobra.Command {
	var expanded, image bool
	cmd := &cobra.Command{
		Use:   "show [PATH]",
		Short: "Show what a declared network stands for",
		Long: `Shows the virtual networks, subnets and hosts of a network with their addresses.
With --expanded, every Azure resource that the short form stands for, in its
Resource Manager shape, with the line it came from.`,
		Example: `  cerulean show examples/three-tier
  cerulean show --expanded examples/globojava`,
		Args: cobra.MaximumNArgs(1),
	}
	var output *string
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		d, err := node.Open(pathArg(args), node.LockRead)
		if err != nil {
			return err
		}
		w := cmd.OutOrStdout()
		switch {
		case image:
			return d.Image.Describe(w)
		case expanded:
			return d.WriteExpanded(w, *output == "json")
		default:
			return d.WriteSummary(w, *output == "json")
		}
	}
	output = outputFlag(cmd, "text", "json")
	cmd.Flags().BoolVar(&expanded, "expanded", false, "every resource with every default")
	cmd.Flags().BoolVar(&image, "image", false, "the compiled image, as text")
	cmd.MarkFlagsMutuallyExclusive("expanded", "image")
	return cmd
}

func newSchema() *cobra.Command {
	return &cobra.Command{
		Use:   "schema",
		Short: "Print the JSON Schema of the declared network, for editors",
		Example: `  cerulean schema > network.schema.json
  # yaml-language-server: $schema=network.schema.json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			b, err := intent.Schema()
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s\n", b)
			return err
		},
	}
}
