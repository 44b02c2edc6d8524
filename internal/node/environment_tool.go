package node

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"

	"golang.org/x/term"
)

// tools are the clients `cerulean` runs, and how to get them.
var tools = map[string]string{
	"az": "apt-get install azure-cli (Debian, Ubuntu), brew install azure-cli (macOS), winget install Microsoft.AzureCLI (Windows), or https://learn.microsoft.com/cli/azure/install-azure-cli",
	"terraform": "brew install hashicorp/tap/terraform (macOS), winget install Hashicorp.Terraform (Windows), " +
		"or https://developer.hashicorp.com/terraform/install",
}

// ErrNotInstalled says that a client is not on this machine.
var ErrNotInstalled = errors.New("not installed")

// ToolOptions say which client to run against which embedded cloud.
type ToolOptions struct {
	Name   string // "az" or "terraform"
	Args   []string
	Dir    string // the cloud's directory, as [FindCloud] takes it
	Start  bool   // run the cloud during the command if nobody does
	Listen string // where, then

	Stdin          io.Reader
	Stdout, Stderr io.Writer
}

// RunTool runs an installed client against the embedded cloud of a directory
// and returns its exit status, 128 and the signal's number if one ended it. What
// the environment says of other clouds and other credentials is not passed on.
// Errors are about what comes before the client runs: [ErrNotRunning] if nobody
// serves the cloud, [ErrNotInstalled] if there is no such client.
func RunTool(ctx context.Context, o ToolOptions) (status int, err error) {
	path, err := findTool(o.Name)
	if err != nil {
		return 0, err
	}
	c, err := FindCloud(ctx, o.Dir)
	if errors.Is(err, ErrNotRunning) && o.Start {
		c, err = OpenCloud(ctx, CloudOptions{Dir: cmp.Or(o.Dir, DefaultDir), Listen: o.Listen, Serve: true})
	}
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	e, err := c.Environment()
	if err != nil {
		return 0, err
	}
	if o.Name == "az" {
		if err := c.SignInAzureCLI(ctx, o.Stderr); err != nil {
			return 0, err
		}
	}
	cmd := exec.Command(path, o.Args...)
	cmd.Env = append(withoutOtherClouds(os.Environ()), e.Pairs()...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = o.Stdin, o.Stdout, o.Stderr
	return runPassingSignals(cmd)
}

// findTool returns where a client is installed.
func findTool(name string) (string, error) {
	path, err := exec.LookPath(name)
	if errors.Is(err, exec.ErrNotFound) {
		return "", fmt.Errorf("%s is %w; get it with: %s", name, ErrNotInstalled, tools[name])
	}
	return path, err
}

// withoutOtherClouds returns an environment without what tells a client of a
// cloud or of credentials.
func withoutOtherClouds(environment []string) []string {
	var out []string
	for _, pair := range environment {
		name, _, _ := strings.Cut(pair, "=")
		switch {
		case strings.HasPrefix(name, "ARM_"), strings.HasPrefix(name, "AZURE_CLIENT_"),
			name == "AZURE_CLOUD_NAME", name == "AZURE_USERNAME", name == "AZURE_PASSWORD",
			name == "AZURE_ADDITIONALLY_ALLOWED_TENANTS", name == "AZURE_FEDERATED_TOKEN_FILE":
		default:
			out = append(out, pair)
		}
	}
	return out
}

// runPassingSignals runs a client to its end. An interrupt is the client's to
// act on: one typed at a terminal reaches it from there, because it is in the
// same group of processes; any other, and a request to terminate, is passed on.
func runPassingSignals(cmd *exec.Cmd) (int, error) {
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(signals)
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	typed := term.IsTerminal(int(os.Stdin.Fd()))
	for {
		select {
		case s := <-signals:
			if s != os.Interrupt || !typed {
				_ = cmd.Process.Signal(s) // it may have ended
			}
		case err := <-ended:
			var exit *exec.ExitError
			if err != nil && !errors.As(err, &exit) {
				return 0, err
			}
			return exitStatus(cmd.ProcessState), nil
		}
	}
}

// exitStatus is a process's status as shells give it.
func exitStatus(p *os.ProcessState) int {
	if w, ok := p.Sys().(syscall.WaitStatus); ok && w.Signaled() {
		return 128 + int(w.Signal())
	}
	return p.ExitCode()
}

// hostOf returns the host of a URL, without its port.
func hostOf(endpoint string) string {
	u, err := url.Parse(endpoint)
	if err != nil {
		return endpoint
	}
	return u.Hostname()
}
