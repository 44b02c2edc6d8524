package main

import (
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/ceruleannet/cerulean/internal/node"
)

func newDNS() *cobra.Command {
	var o node.DNSOptions
	var listen string
	var clients []string
	cmd := &cobra.Command{
		Use:   "dns -f FILE | -n PATH",
		Short: "Serve zones and Traffic Manager names by DNS",
		Long: `Runs an authoritative DNS server, by UDP and TCP: for master files (-f, several
times), or for a declared network (-n): its private zones, the DNS names of its
public addresses, and its Traffic Manager profiles, which answer by where the client
is. While the network runs ('cerulean up'), names follow what its probes find.
Where clients are is known of Azure's published addresses, of the network's own, and
of what --client says. A file is read again when it changes; a wrong one changes
nothing. Runs until Ctrl-C.`,
		Example: `  cerulean dns -f example.org.zone --listen 127.0.0.1:5353
  cerulean dns -n examples/traffic-manager
  cerulean dns -n examples/traffic-manager --client 127.0.0.0/8=westeurope
  cerulean dns -f example.org.zone --listen 0.0.0.0:53 --rate-limit 200 --metrics 127.0.0.1:9153`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var err error
			if o.Listen, err = netip.ParseAddrPort(listen); err != nil {
				return fmt.Errorf("--listen: %w; write ADDRESS:PORT", err)
			}
			o.Places = map[netip.Prefix]string{}
			for _, c := range clients {
				text, region, ok := strings.Cut(c, "=")
				prefix, err := netip.ParsePrefix(text)
				if !ok || err != nil || !node.IsRegion(region) {
					return fmt.Errorf("--client %s: write PREFIX=REGION, for example 198.51.100.0/24=westeurope", c)
				}
				o.Places[prefix] = region
			}
			say := cmd.ErrOrStderr()
			o.Event = func(text string) { fmt.Fprintln(say, time.Now().Format(time.TimeOnly), text) }
			o.Ready = func(at netip.AddrPort, zones []string, names int) {
				fmt.Fprintf(say, "%s in %s at %s, UDP and TCP, until Ctrl-C\n", count(names, "name"), count(len(zones), "zone"), at)
				for _, z := range zones {
					fmt.Fprintln(say, " ", z)
				}
			}
			return node.RunDNS(cmd.Context(), o)
		},
	}
	cmd.Flags().StringArrayVarP(&o.Files, "file", "f", nil, "master `FILE` of a zone")
	cmd.Flags().StringVarP(&o.Network, "network", "n", "", "`PATH` of a declared network")
	cmd.Flags().StringVar(&o.View, "view", "", "virtual `NETWORK` whose private zones are served (default: all)")
	cmd.Flags().StringVar(&listen, "listen", "127.0.0.1:5353", "`ADDRESS` and port; 0.0.0.0 means all")
	cmd.Flags().StringArrayVar(&clients, "client", nil, "where clients are: `PREFIX=REGION`")
	cmd.Flags().IntVar(&o.RateLimit, "rate-limit", 0, "equal answers to a network (/24, /56) in a second; 0 is no limit")
	cmd.Flags().StringVar(&o.Metrics, "metrics", "", "`ADDRESS:PORT` where Prometheus may scrape")
	return cmd
}
