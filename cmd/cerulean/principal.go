package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/ceruleannet/cerulean/internal/node"
)

// newPrincipal is `cerulean cloud principal`: further clients of the cloud.
func newPrincipal() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "principal",
		Short: "Give further clients access to the embedded cloud",
		Long: `The cloud's first client, whose secret cerulean env prints, is Owner of everything.
Further clients may do what role assignments say. A cloud that is being served
from the folder knows them at once.`,
		Example: `  cerulean cloud principal add ci --role Reader
  cerulean cloud principal list`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newPrincipalAdd(), newPrincipalList(), newPrincipalRemove())
	return cmd
}

func cloudDir(cmd *cobra.Command) *string {
	return cmd.Flags().String("dir", ".cerulean", "folder of the cloud's state, keys and authority")
}

func newPrincipalAdd() *cobra.Command {
	var role string
	var scopes []string
	cmd := &cobra.Command{
		Use:   "add NAME",
		Short: "Make a client, with a role if one is named",
		Long: `Makes a client with a secret of its own, which is shown once and kept nowhere,
and gives it a role: a built-in one by its name, any by its identifier.`,
		Example: `  cerulean cloud principal add ci --role Reader
  cerulean cloud principal add net --role "Network Contributor" \
    --scope /subscriptions/S/resourceGroups/G`,
		Args: cobra.ExactArgs(1),
	}
	dir := cloudDir(cmd)
	cmd.Flags().StringVar(&role, "role", "", "role to give it")
	cmd.Flags().StringArrayVar(&scopes, "scope", nil, "`ID` of what the role is for (default the subscription)")
	output := outputFlag(cmd, "text", "json")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c, err := node.OpenCloud(cmd.Context(), node.CloudOptions{Dir: *dir})
		if err != nil {
			return err
		}
		defer c.Close()
		p, err := c.AddPrincipal(cmd.Context(), args[0], role, scopes)
		switch {
		case err != nil:
			return err
		case *output == "json":
			return writeJSON(cmd.OutOrStdout(), p)
		default:
			return p.Write(cmd.OutOrStdout())
		}
	}
	return cmd
}

func newPrincipalList() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "Show the clients besides the first",
		Long:    `Shows the name, the client and the object of each further client of the cloud.`,
		Example: `  cerulean cloud principal list -o json`,
		Args:    cobra.NoArgs,
	}
	dir := cloudDir(cmd)
	output := outputFlag(cmd, "text", "json")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		all, err := node.Principals(*dir)
		switch {
		case err != nil:
			return err
		case *output == "json":
			return writeJSON(cmd.OutOrStdout(), all)
		default:
			return node.WritePrincipals(cmd.OutOrStdout(), all)
		}
	}
	return cmd
}

func newPrincipalRemove() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "remove NAME",
		Short: "Forget a client",
		Long: `Forgets a client: it signs in no more. A token it has is good until it expires,
within the hour, and its role assignments stay without effect, as in Azure.`,
		Example: `  cerulean cloud principal remove ci`,
		Args:    cobra.ExactArgs(1),
	}
	dir := cloudDir(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := node.RemovePrincipal(*dir, args[0]); err != nil {
			return err
		}
		_, err := fmt.Fprintf(cmd.OutOrStdout(), "%s is removed\n", args[0])
		return err
	}
	return cmd
}
