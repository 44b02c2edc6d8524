package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ceruleannet/cerulean/internal/node"
)

func newCapture() *cobra.Command {
	var (
		ask      node.CaptureAsk
		all      bool
		file     string
		maxSize  int64
		maxFiles int
	)
	cmd := &cobra.Command{
		Use:   "capture [NIC|HOST|SUBNET|VNET|internet]...",
		Short: "Capture packets of a running network, with verdicts and rules",
		Long: `Shows the packets of a running network at the named places, or at all of them. A packet
is seen where it enters and where it leaves, translated; one that is denied is seen where
it enters, with the rule that denied it.

With -w it writes pcapng, which Wireshark and tshark read: an interface for each port, and
for each packet comments with the verdict, the rules it met, the resource and the declared
line. "-w -" writes to standard output. Without -w it prints a line for each sighting.

--filter takes a subset of pcap-filter(7): host, net, port, portrange with src and dst, ip,
ip6, tcp, udp, icmp, icmp6, proto, less, greater, inbound, outbound, and, or, not and
parentheses; and what the network knows: verdict allow|deny|unknown, fault [NAME], reason
CODE, rule NAME (with * for any text), nic NAME, flow NUMBER. Hosts may be named.
Addresses and ports mean a packet before or after its translation.`,
		Example: `  cerulean capture db-prod-eastus
  cerulean capture --denied
  cerulean capture -w all.pcapng --filter 'tcp port 5432 and host shop-prod-eastus'
  cerulean capture -w - | wireshark -k -i -
  cerulean capture -w ring.pcapng --max-size 100 --max-files 10 --duration 1h
  cerulean capture --filter 'verdict deny and rule nothing-else' -c 10`,
	}
	with := runningFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		switch {
		case all && len(args) > 0:
			return errors.New("--all takes no names")
		case file == "" && (maxSize > 0 || maxFiles > 0):
			return errors.New("--max-size and --max-files need -w FILE")
		case file == "-" && (maxSize > 0 || maxFiles > 0):
			return errors.New("standard output is one file; leave --max-size and --max-files out")
		case maxFiles > 0 && maxSize <= 0:
			return errors.New("--max-files needs --max-size")
		case maxSize < 0 || maxFiles < 0 || ask.Duration < 0 || ask.SnapLen < 0 || ask.Buffer < 0:
			return errors.New("limits are not negative")
		}
		ask.At, ask.Text = args, file == ""
		return with(func(r *node.Remote) error { return capture(cmd, r, ask, file, maxSize<<20, maxFiles) })
	}
	f := cmd.Flags()
	f.StringVarP(&file, "write", "w", "", "write pcapng to `FILE`; - is standard output")
	f.StringVar(&ask.Filter, "filter", "", "which packets, as `EXPRESSION`")
	f.BoolVar(&all, "all", false, "at every place, as without names")
	f.BoolVar(&ask.Denied, "denied", false, "only packets that are not delivered")
	f.Uint64VarP(&ask.Count, "count", "c", 0, "end after `N` packets")
	f.DurationVar(&ask.Duration, "duration", 0, "end after this time")
	f.IntVarP(&ask.SnapLen, "snaplen", "s", 0, "keep at most `BYTES` of each packet (default 262144)")
	f.IntVarP(&ask.Buffer, "buffer", "B", 0, "`PACKETS` that may wait; more are dropped (default 4096)")
	f.Int64Var(&maxSize, "max-size", 0, "begin another file after `MEGABYTES`")
	f.IntVar(&maxFiles, "max-files", 0, "keep only the last `N` files")
	return cmd
}

// capture takes packets to where they are wanted, and says what was counted.
func capture(cmd *cobra.Command, r *node.Remote, ask node.CaptureAsk, file string, maxSize int64, maxFiles int) error {
	messages := cmd.ErrOrStderr()
	out := cmd.OutOrStdout()
	finish := func() error { return nil }
	switch file {
	case "":
	case "-":
		if isTerminal(cmd.OutOrStdout()) {
			return errors.New("pcapng is not for terminals; write to a file or a pipe")
		}
		out = behind(cmd.OutOrStdout())
	default:
		files := node.CaptureFiles(file, maxSize, maxFiles)
		out, finish = files, files.Close
	}
	ask.Begun = func() { fmt.Fprintf(messages, "capturing at %s; Ctrl-C ends it\n", places(ask.At)) }
	counts, err := r.Capture(cmd.Context(), ask, out)
	if closed := finish(); err == nil {
		err = closed
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(messages, "%d packets captured\n%d packets seen there\n%d packets dropped, because they were not read fast enough\n",
		counts.Accepted-counts.Dropped, counts.Seen, counts.Dropped)
	return nil
}

func places(at []string) string {
	if len(at) == 0 {
		return "every interface"
	}
	return strings.Join(at, ", ")
}
