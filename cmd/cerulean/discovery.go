package main

import (
	"fmt"
	"net/netip"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/ceruleannet/cerulean/internal/node"
)

func newDiscovery() *cobra.Command {
	var o node.RegistryOptions
	var listen, names string
	cmd := &cobra.Command{
		Use:   "discovery",
		Short: "Find services: a registry alone, or the running network's",
		Long: `Runs a registry of services: instances keep a lease, say how they are, and are
watched from a version on, without a lost change. It speaks HTTP to who bears its
token, and with --dns it answers for names: SERVICE.ZONE has the addresses of
instances that are well, _SERVICE._tcp.ZONE their places (RFC 2782). Everything is
in memory: instances register again when it begins anew. Runs until Ctrl-C.

A network that runs ('cerulean up') has one of its own, in which its hosts are by
themselves: 'cerulean discovery list' and 'watch' show it, and its hosts reach it
as discovery.cerulean.internal, port 8500.`,
		Example: `  cerulean discovery --listen 127.0.0.1:8500 --token-file registry.token
  cerulean discovery --listen 127.0.0.1:8500 --dns 127.0.0.1:8600 --zone services.internal
  cerulean discovery list
  cerulean discovery watch invoice -o json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var err error
			if o.Listen, err = netip.ParseAddrPort(listen); err != nil {
				return fmt.Errorf("--listen: %w; write ADDRESS:PORT", err)
			}
			if names != "" {
				if o.DNS, err = netip.ParseAddrPort(names); err != nil {
					return fmt.Errorf("--dns: %w; write ADDRESS:PORT", err)
				}
			}
			say := cmd.ErrOrStderr()
			o.Ready = func(http, dns netip.AddrPort, token string) {
				fmt.Fprintf(say, "a registry at http://%s until Ctrl-C\n", http)
				if dns.IsValid() {
					fmt.Fprintf(say, "names of %s at %s, UDP and TCP\n", o.Zone, dns)
				}
				if token != "" {
					fmt.Fprintf(say, "its token, for this run: %s\n", token)
				}
			}
			return node.RunRegistry(cmd.Context(), o)
		},
	}
	cmd.Flags().StringVar(&listen, "listen", "127.0.0.1:8500", "`ADDRESS` and port of HTTP")
	cmd.Flags().StringVar(&names, "dns", "", "`ADDRESS` and port of DNS; empty for none")
	cmd.Flags().StringVar(&o.Zone, "zone", node.DiscoveryZone, "`ZONE` of the names")
	cmd.Flags().StringVar(&o.TokenFile, "token-file", "", "`FILE` of the token that clients bear; made if it is not there")
	cmd.Flags().IntVar(&o.History, "history", 0, "how many changes are remembered (default 16384)")
	cmd.AddCommand(newDiscoveryList(), newDiscoveryWatch(), newDiscoveryRegister())
	return cmd
}

// registryFlags are those that say which registry is asked.
func registryFlags(cmd *cobra.Command) *node.RegistryTarget {
	t := &node.RegistryTarget{}
	cmd.Flags().StringVarP(&t.Network, "network", "n", "", "name or `PATH` of the running network (default: the only one)")
	cmd.Flags().StringVar(&t.URL, "url", os.Getenv("CERULEAN_DISCOVERY"), "`URL` of a registry in place of a network's (default $CERULEAN_DISCOVERY)")
	cmd.Flags().Lookup("url").DefValue = ""
	cmd.Flags().StringVar(&t.TokenFile, "token-file", "", "`FILE` of its token (default $CERULEAN_DISCOVERY_TOKEN)")
	return t
}

func newDiscoveryList() *cobra.Command {
	cmd := &cobra.Command{
		Use: "list [SERVICE]", Short: "Show the instances of a service, or of all",
		Example: `  cerulean discovery list
  cerulean discovery list invoice -n examples/fiscal -o json
  cerulean discovery list --url http://127.0.0.1:8500 --token-file registry.token`,
		Args: cobra.MaximumNArgs(1),
	}
	t := registryFlags(cmd)
	output := outputFlag(cmd, "text", "json")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		list, err := node.ListServices(cmd.Context(), *t, strings.Join(args, ""))
		if err != nil {
			return err
		}
		if *output == "json" {
			return writeJSON(cmd.OutOrStdout(), list)
		}
		return list.WriteText(cmd.OutOrStdout())
	}
	return cmd
}

func newDiscoveryWatch() *cobra.Command {
	cmd := &cobra.Command{
		Use: "watch [SERVICE]", Short: "Show what changes, a line each, until Ctrl-C",
		Long: `Shows the instances that are there, then every change once: a broken connection
is taken up where it was.`,
		Example: `  cerulean discovery watch
  cerulean discovery watch invoice -o json`,
		Args: cobra.MaximumNArgs(1),
	}
	t := registryFlags(cmd)
	output := outputFlag(cmd, "text", "json")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return node.WatchServices(cmd.Context(), *t, strings.Join(args, ""), cmd.OutOrStdout(), *output == "json")
	}
	return cmd
}

func newDiscoveryRegister() *cobra.Command {
	var lease time.Duration
	var i node.Registration
	cmd := &cobra.Command{
		Use: "register SERVICE/ID ADDRESS:PORT", Short: "Keep an instance registered until Ctrl-C",
		Long: `Registers an instance and renews its lease until Ctrl-C; then it is deregistered.
On a host of a running network ('cerulean exec HOST') the registry and the token are
known; elsewhere name them.`,
		Example: `  cerulean discovery register orders/orders-1 127.0.0.1:8080 --url http://127.0.0.1:8500
  cerulean exec web -- cerulean discovery register orders/web-9000 10.0.0.4:9000`,
		Args: cobra.ExactArgs(2),
	}
	t := registryFlags(cmd)
	cmd.Flags().DurationVar(&lease, "lease", 10*time.Second, "how long it stays without being heard of, 1s to 1h")
	cmd.Flags().StringVar(&i.Region, "region", "", "its `REGION`")
	cmd.Flags().StringVar(&i.Zone, "zone", "", "its availability `ZONE`")
	cmd.Flags().StringVar(&i.Protocol, "protocol", "tcp", "tcp or udp")
	cmd.Flags().IntVar(&i.Weight, "weight", 1, "its weight, 1 to 1000")
	cmd.Flags().StringToStringVar(&i.Metadata, "metadata", nil, "`KEY=VALUE`, several times or with commas")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if t.URL == "" {
			return fmt.Errorf("name the registry with --url: hosts of a running network are in its own by themselves")
		}
		var ok bool
		var err error
		if i.Service, i.ID, ok = strings.Cut(args[0], "/"); !ok {
			return fmt.Errorf("%q is no instance: write SERVICE/ID", args[0])
		}
		if i.At, err = netip.ParseAddrPort(args[1]); err != nil {
			return fmt.Errorf("%q is no place: write ADDRESS:PORT", args[1])
		}
		fmt.Fprintf(cmd.ErrOrStderr(), "registering %s at %s until Ctrl-C\n", args[0], i.At)
		return node.RegisterService(cmd.Context(), *t, i, lease)
	}
	return cmd
}
