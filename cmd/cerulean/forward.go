package main

import (
	"errors"
	"fmt"
	"sync"

	"github.com/spf13/cobra"

	"github.com/ceruleannet/cerulean/internal/node"
)

func newForward() *cobra.Command {
	var from, socks string
	cmd := &cobra.Command{
		Use:   "forward [LOCAL:]HOST:PORT...",
		Short: "Reach the network from this machine",
		Long: `Opens ports on 127.0.0.1 that lead to hosts of the network, without any privilege
and on every system. A connection is made inside the network: from the target
itself, as a shell on it would make it, or from the host named with --from, and
then it meets the rules on the way.

With --socks it also serves SOCKS5: connections are made from the host named with
--from, and names are those of the network.`,
		Example: `  cerulean forward web:8080
  cerulean forward 5433:db:5432 app:8080 --from jump
  cerulean forward --socks 127.0.0.1:1080 --from jump
  curl --proxy socks5h://127.0.0.1:1080 http://web.internal/`,
	}
	with := runningFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 && socks == "" {
			return errors.New("name what to reach, as HOST:PORT, or a port for SOCKS with --socks")
		}
		if socks != "" && from == "" {
			return errors.New("--socks needs --from HOST: the host that its connections come from")
		}
		forwards := make([]node.Forward, len(args))
		for i, a := range args {
			var err error
			if forwards[i], err = node.ParseForward(a); err != nil {
				return err
			}
		}
		return with(func(r *node.Remote) error {
			var mu sync.Mutex
			b := r.Bridge(func(err error) {
				mu.Lock()
				defer mu.Unlock()
				fmt.Fprintln(cmd.ErrOrStderr(), "cerulean:", err)
			})
			err := func() error {
				w := cmd.OutOrStdout()
				for i, f := range forwards {
					at, err := b.Forward(f, from)
					if err != nil {
						return fmt.Errorf("%s: %w; choose another port of this machine with LOCAL:HOST:PORT", args[i], err)
					}
					source := from
					if source == "" {
						source = "itself"
					}
					fmt.Fprintf(w, "%s -> %s port %d, from %s\n", at, f.Host, f.Port, source)
				}
				if socks != "" {
					at, err := b.SOCKS(socks, from)
					if err != nil {
						return fmt.Errorf("--socks: %w", err)
					}
					fmt.Fprintf(w, "%s -> SOCKS5, from %s\n", at, from)
				}
				return r.Wait(cmd.Context())
			}()
			return errors.Join(err, b.Close())
		})
	}
	cmd.Flags().StringVar(&from, "from", "", "`HOST` that the connections come from (default: the target itself)")
	cmd.Flags().StringVar(&socks, "socks", "", "serve SOCKS5 at this `ADDRESS`, for example 127.0.0.1:1080")
	return cmd
}
