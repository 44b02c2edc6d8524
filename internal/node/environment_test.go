package node_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/arm"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"

	"github.com/ceruleannet/cerulean/internal/node"
)

// TestFindCloud: a cloud is found where one runs; where none does nothing is
// made.
func TestFindCloud(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	if c, err := node.FindCloud(t.Context(), dir); !errors.Is(err, node.ErrNotRunning) {
		t.Fatalf("%v, %v", c, err)
	}
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("looking made %s: %v", dir, err)
	}
	served := openCloud(t, node.CloudOptions{Dir: dir, Serve: true})
	found, err := node.FindCloud(t.Context(), dir)
	if err != nil || found.Endpoint != served.Endpoint {
		t.Fatalf("%v, %v", found, err)
	}
	if err := errors.Join(found.Close(), served.Close()); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "endpoint.json"), []byte(`{"endpoint":"https://127.0.0.1:1","pid":1}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if c, err := node.FindCloud(t.Context(), dir); !errors.Is(err, node.ErrNotRunning) {
		t.Errorf("%v, %v", c, err)
	}
}

// variables are those of an environment by name.
func variables(t *testing.T, c *node.Cloud) map[string]string {
	t.Helper()
	e, err := c.Environment()
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for _, pair := range e.Pairs() {
		name, value, _ := strings.Cut(pair, "=")
		if _, twice := out[name]; twice {
			t.Errorf("%s is there twice", name)
		}
		out[name] = value
	}
	return out
}

// TestBundle: clients trust the cloud and what the environment trusted before;
// the bundle of another cloud does not come along.
func TestBundle(t *testing.T) {
	own := filepath.Join(t.TempDir(), "own.pem")
	const mark = "-- the user's own authority --\n"
	if err := os.WriteFile(own, []byte(mark), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("SSL_CERT_FILE", own)
	t.Setenv("REQUESTS_CA_BUNDLE", "")
	read := func(dir string) (bundle string, text []byte) {
		t.Helper()
		c := openCloud(t, node.CloudOptions{Dir: dir})
		bundle = variables(t, c)["SSL_CERT_FILE"]
		text, err := os.ReadFile(bundle)
		if err != nil {
			t.Fatal(err)
		}
		authority, err := os.ReadFile(filepath.Join(dir, "ca.pem"))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Contains(text, authority) || bytes.Count(text, authority) != 1 {
			t.Errorf("%s does not have the cloud's authority once", bundle)
		}
		return bundle, text
	}
	first, text := read(t.TempDir())
	if !bytes.Contains(text, []byte(mark)) {
		t.Error("the user's own authority is lost")
	}
	t.Setenv("SSL_CERT_FILE", first)
	if _, text := read(t.TempDir()); bytes.Contains(text, []byte(mark)) || bytes.Count(text, []byte("# Cerulean")) != 1 {
		t.Error("a bundle has another one in it")
	}
}

// TestEnvironmentForSDK: azidentity signs in by the environment alone, and the
// endpoint it names answers.
func TestEnvironmentForSDK(t *testing.T) {
	c := openCloud(t, node.CloudOptions{Dir: t.TempDir(), Serve: true})
	env := variables(t, c)
	for name, value := range env {
		if strings.HasPrefix(name, "AZURE_") {
			t.Setenv(name, value)
		}
	}
	pem, err := os.ReadFile(env["SSL_CERT_FILE"])
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}
	t.Cleanup(transport.CloseIdleConnections)
	options := policy.ClientOptions{
		Transport: &http.Client{Transport: transport},
		Cloud: cloud.Configuration{
			ActiveDirectoryAuthorityHost: os.Getenv("AZURE_AUTHORITY_HOST"),
			Services: map[cloud.ServiceName]cloud.ServiceConfiguration{cloud.ResourceManager: {
				Endpoint: os.Getenv("AZURE_RESOURCE_MANAGER_ENDPOINT"), Audience: os.Getenv("AZURE_RESOURCE_MANAGER_AUDIENCE"),
			}},
		},
	}
	credential, err := azidentity.NewEnvironmentCredential(&azidentity.EnvironmentCredentialOptions{ClientOptions: options, DisableInstanceDiscovery: true})
	if err != nil {
		t.Fatal(err)
	}
	client, err := arm.NewClient("environment", "v1.0.0", credential, &arm.ClientOptions{ClientOptions: options})
	if err != nil {
		t.Fatal(err)
	}
	req, err := runtime.NewRequest(context.Background(), http.MethodGet, runtime.JoinPaths(client.Endpoint(), "subscriptions", os.Getenv("AZURE_SUBSCRIPTION_ID"))+"?api-version=2022-12-01")
	if err != nil {
		t.Fatal(err)
	}
	resp, err := client.Pipeline().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Error(resp.Status)
	}
}

// TestProxy: where the environment names a proxy, clients are told not to ask it
// for the cloud.
func TestProxy(t *testing.T) {
	for _, name := range []string{"HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy"} {
		t.Setenv(name, "")
	}
	c := openCloud(t, node.CloudOptions{Dir: t.TempDir()})
	if v, ok := variables(t, c)["NO_PROXY"]; ok {
		t.Errorf("NO_PROXY=%s without a proxy", v)
	}
	t.Setenv("https_proxy", "http://proxy.example:3128")
	t.Setenv("NO_PROXY", "a.example")
	t.Setenv("no_proxy", "b.example, 127.0.0.1")
	if v := variables(t, c); v["NO_PROXY"] != "a.example,127.0.0.1" || v["no_proxy"] != "b.example, 127.0.0.1" {
		t.Errorf("%q, %q", v["NO_PROXY"], v["no_proxy"])
	}
}

func written(t *testing.T, shell, value string) string {
	t.Helper()
	e := node.Environment{Groups: []node.VariableGroup{{For: "test", Variables: []node.Variable{{Name: "X", Value: value}}}}}
	var out strings.Builder
	if err := e.Write(&out, shell); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// awkward are values that shells would take for something else.
var awkward = []string{"", "plain", "a b", "it's", `"`, `\`, `\'`, "$HOME", "`id`", "$(id)", "a;b", "*", "~", "#", "!", "ü", "‘’", "a\nb", "-n", "%PATH%"}

// TestShellTakesLiterally: what sh makes of a value is the value.
func TestShellTakesLiterally(t *testing.T) {
	sh, err := exec.LookPath("sh")
	if err != nil {
		t.Skip("no sh on this system")
	}
	var script strings.Builder
	for _, v := range awkward {
		script.WriteString(written(t, "bash", v) + "printf '%s\\000' \"$X\"\n")
	}
	cmd := exec.Command(sh)
	cmd.Stdin = strings.NewReader(script.String())
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	if got, want := string(out), strings.Join(awkward, "\x00")+"\x00"; got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	if err := (node.Environment{}).Write(&script, "tcsh"); err == nil {
		t.Error("tcsh is written")
	}
}

// FuzzQuotes: in fish's and PowerShell's single quotes, reading back what was
// written gives the value.
func FuzzQuotes(f *testing.F) {
	for _, v := range awkward {
		f.Add(v)
	}
	f.Fuzz(func(t *testing.T, v string) {
		_, quoted, _ := strings.Cut(written(t, "fish", v), "set -gx X '")
		var fish strings.Builder
		for i := 0; i < len(quoted) && quoted[i] != '\''; i++ {
			// A backslash stands before a quote or another one; else for itself.
			if quoted[i] == '\\' && (quoted[i+1] == '\\' || quoted[i+1] == '\'') {
				i++
			}
			fish.WriteByte(quoted[i])
		}
		if fish.String() != v {
			t.Errorf("fish: %q is %q", v, fish.String())
		}
		_, quoted, _ = strings.Cut(written(t, "powershell", v), "$env:X = '")
		var power strings.Builder
		runes := []rune(strings.TrimSuffix(quoted, "\n"))
		for i := 0; i < len(runes); i++ {
			if strings.ContainsRune("'‘’‚‛", runes[i]) {
				if i+1 == len(runes) {
					break // the closing one
				}
				i++
				if runes[i] != runes[i-1] {
					t.Fatalf("powershell: %q closes early in %q", v, quoted)
				}
			}
			power.WriteRune(runes[i])
		}
		if power.String() != strings.ToValidUTF8(v, "\uFFFD") && power.String() != string([]rune(v)) {
			t.Errorf("powershell: %q is %q", v, power.String())
		}
	})
}
