package main

import (
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/ceruleannet/cerulean/internal/node"
)

func newCloudExport() *cobra.Command {
	var dir string
	cmd := &cobra.Command{
		Use:   "export FILE",
		Short: "Write all that the cloud holds to a file",
		Long: `Writes every resource group, resource, lock, tag, role definition and role
assignment of a cloud to one file ("-" is the standard output), as of one moment.
The cloud may be running. The file is readable by its owner alone: documents hold
the keys that were set in them. The installation's credentials are not in it.`,
		Example: `  cerulean cloud export backup.jsonl --dir ./cloud
  cerulean cloud import backup.jsonl --dir ./copy`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if args[0] == "-" {
				return node.ExportCloud(cmd.Context(), dir, cmd.OutOrStdout())
			}
			return node.ExportCloudFile(cmd.Context(), dir, args[0])
		},
	}
	cmd.Flags().StringVar(&dir, "dir", ".cerulean", "folder of the cloud")
	return cmd
}

func newCloudImport() *cobra.Command {
	var dir string
	var replace bool
	cmd := &cobra.Command{
		Use:   "import FILE",
		Short: "Fill a cloud with an exported one",
		Long: `Puts what cerulean cloud export wrote ("-" is the standard input) into the cloud of
a folder, all of it or nothing. The cloud must not be running, and must be empty
unless --replace is given: then all that it held is deleted first.`,
		Example: `  cerulean cloud import backup.jsonl --dir ./copy
  cerulean cloud import backup.jsonl --dir ./cloud --replace`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var r io.Reader = cmd.InOrStdin()
			if args[0] != "-" {
				f, err := os.Open(args[0])
				if err != nil {
					return err
				}
				defer f.Close()
				r = f
			}
			n, err := node.ImportCloud(cmd.Context(), dir, r, replace)
			if err != nil {
				return fmt.Errorf("%s: %w", args[0], err)
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%d documents imported into %s\n", n, dir)
			return err
		},
	}
	cmd.Flags().StringVar(&dir, "dir", ".cerulean", "folder of the cloud")
	cmd.Flags().BoolVar(&replace, "replace", false, "delete what the cloud holds first")
	return cmd
}
