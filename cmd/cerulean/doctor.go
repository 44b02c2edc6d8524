package main

import (
	"github.com/spf13/cobra"

	"github.com/ceruleannet/cerulean/internal/node"
)

func newDoctor() *cobra.Command {
	var output *string
	cmd := &cobra.Command{
		Use:   "doctor FROM TO:PORT|URL",
		Short: "Find out why a host does not reach something",
		Long: `Walks the way from a host to a target of the running network: the name is
really asked for, with every alias; the routes and rules that decide are named with
the line they come from; the TCP connection is really made, and TLS where the
server speaks it. If something is wrong it names the cause and the smallest fix.

TO is the name of a host, private endpoint, service, load balancer or site, a DNS
name, or an address. Of a URL it says which rule and pool of an application gateway take
it, how the members are, and asks for it. Exits with 1 when the target cannot be reached.`,
		Example: `  cerulean doctor app database:1433
  cerulean doctor app database:1433 -n examples/unreachable-database/nsg-denies
  cerulean doctor app http://api.shop.example/orders/7 -n examples/api-gateway
  cerulean doctor web-1 orders-sql.database.windows.net:1433 -o json`,
		Args: cobra.ExactArgs(2),
	}
	with := runningFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return with(func(r *node.Remote) error {
			d, err := r.Doctor(cmd.Context(), args[0], args[1])
			if err != nil {
				return err
			}
			w := cmd.OutOrStdout()
			if *output == "json" {
				err = writeJSON(w, d)
			} else {
				p := paint(colour(w))
				err = d.WriteText(w, func(state, text string) string {
					switch state {
					case "fails":
						return p.bold(text)
					case "skipped":
						return p.dim(text)
					}
					return text
				})
			}
			if err == nil && !d.OK {
				err = errFalse
			}
			return err
		})
	}
	output = outputFlag(cmd, "text", "json")
	return cmd
}
