package node

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Names in the cloud's directory of what the Azure CLI has there.
const (
	azureCLIDir   = "azure"          // its configuration folder
	azureCLIMark  = "signed-in.json" // in it: to which cloud and as whom
	azureCLICloud = "Cerulean"       // the cloud's name in it
	azurePython   = "azure-python"   // what its interpreter loads first
)

// completeSDK is loaded by the Azure CLI's interpreter where a distribution's
// package of the CLI and its package of Azure's SDK do not fit.
//
//go:embed environment_az.py
var completeSDK []byte

// azureCLIVariables returns what the Azure CLI needs besides the authorities,
// for a cloud's directory. Its configuration folder is its own, so that the
// user's sign-in to Azure is neither used nor lost; the extensions are the
// user's.
func azureCLIVariables(dir string) ([]Variable, error) {
	extensions := os.Getenv("AZURE_EXTENSION_DIR")
	if extensions == "" {
		config := os.Getenv("AZURE_CONFIG_DIR")
		if home, err := os.UserHomeDir(); config == "" && err == nil {
			config = filepath.Join(home, ".azure")
		}
		extensions = filepath.Join(config, "cliextensions")
	}
	variables := []Variable{
		{"AZURE_CONFIG_DIR", filepath.Join(dir, azureCLIDir)},
		{"AZURE_EXTENSION_DIR", extensions},
		{"AZURE_CORE_COLLECT_TELEMETRY", "false"},
	}
	if az, err := exec.LookPath("az"); err != nil || !pythonScript(az) {
		return variables, nil
	}
	python := filepath.Join(dir, azurePython)
	if err := os.MkdirAll(python, 0o700); err != nil {
		return nil, err
	}
	module := filepath.Join(python, "sitecustomize.py")
	if b, err := os.ReadFile(module); err != nil || !bytes.Equal(b, completeSDK) {
		if err := replaceFile(module, completeSDK); err != nil {
			return nil, err
		}
	}
	for _, p := range filepath.SplitList(os.Getenv("PYTHONPATH")) {
		if p != "" && filepath.Base(p) != azurePython {
			python += string(filepath.ListSeparator) + p
		}
	}
	return append(variables, Variable{"PYTHONPATH", python}), nil
}

// pythonScript reports whether a program is a script for the system's Python, as
// in the packages of distributions. Microsoft's own packages bring a Python with
// the SDK that fits.
func pythonScript(program string) bool {
	f, err := os.Open(program)
	if err != nil {
		return false
	}
	defer f.Close()
	line, err := bufio.NewReaderSize(io.LimitReader(f, 256), 256).ReadString('\n')
	return err == nil && strings.HasPrefix(line, "#!") && strings.Contains(line, "python")
}

// signIn is what a configuration folder was made for.
type signIn struct {
	Endpoint     string `json:"endpoint"`
	Tenant       string `json:"tenant"`
	Client       string `json:"client"`
	Subscription string `json:"subscription"`
	Hash         string `json:"hash"` // of the secret and of what was registered
}

// azureCLIRegistration returns the cloud as `az cloud show` prints clouds, made
// of the metadata the cloud publishes. The authority ends in /adfs: for one of
// that kind the CLI's library asks no public host whether to trust it (MSAL for
// Python, authority.py). Services the cloud does not have keep the names they
// have in the metadata: the CLI refuses some commands without them.
func (c *Cloud) azureCLIRegistration(ctx context.Context) ([]byte, error) {
	var m struct {
		ResourceManager string `json:"resourceManager"`
		MicrosoftGraph  string `json:"microsoftGraphResourceId"`
		Graph           string `json:"graph"`
		Batch           string `json:"batch"`
		SQLManagement   string `json:"sqlManagement"`
		Gallery         string `json:"gallery"`
		LogAnalytics    string `json:"logAnalyticsResourceId"`
		Authentication  struct {
			Audiences []string `json:"audiences"`
		} `json:"authentication"`
		Suffixes struct {
			Storage  string `json:"storage"`
			KeyVault string `json:"keyVaultDns"`
			Registry string `json:"acrLoginServer"`
			SQL      string `json:"sqlServerHostname"`
		} `json:"suffixes"`
	}
	if err := c.getMetadata(ctx, &m); err != nil {
		return nil, fmt.Errorf("the metadata of %s: %w", c.Endpoint, err)
	}
	if len(m.Authentication.Audiences) == 0 {
		return nil, fmt.Errorf("the metadata of %s names no audience", c.Endpoint)
	}
	return json.MarshalIndent(map[string]any{
		"endpoints": map[string]string{
			"resourceManager": m.ResourceManager, "management": m.ResourceManager,
			"activeDirectory": c.Endpoint + "/adfs", "activeDirectoryResourceId": m.Authentication.Audiences[0],
			"activeDirectoryGraphResourceId": m.Graph, "microsoftGraphResourceId": m.MicrosoftGraph,
			"batchResourceId": m.Batch, "sqlManagement": m.SQLManagement, "gallery": m.Gallery, "logAnalyticsResourceId": m.LogAnalytics,
		},
		"suffixes": map[string]string{
			"storageEndpoint": m.Suffixes.Storage, "keyvaultDns": "." + m.Suffixes.KeyVault,
			"acrLoginServerEndpoint": "." + m.Suffixes.Registry, "sqlServerHostname": "." + m.Suffixes.SQL,
		},
	}, "", "  ")
}

// SignInAzureCLI registers the cloud with the Azure CLI and signs it in as the
// installation's client, unless that was done before. progress hears that it
// takes a moment. The error is [ErrNotInstalled] if there is no such client.
func (c *Cloud) SignInAzureCLI(ctx context.Context, progress io.Writer) error {
	if c.identity == nil || c.dir == "" {
		return errors.New("the Azure CLI needs an embedded cloud with a directory")
	}
	az, err := findTool("az")
	if err != nil {
		return err
	}
	e, err := c.Environment()
	if err != nil {
		return err
	}
	dir, err := filepath.Abs(c.dir)
	if err != nil {
		return err
	}
	id := c.identity
	registration, err := c.azureCLIRegistration(ctx)
	if err != nil {
		return err
	}
	hash := sha256.Sum256(append(registration, id.ClientSecret...))
	want := signIn{c.Endpoint, id.TenantID, id.ClientID, c.subscription, hex.EncodeToString(hash[:])}
	config := filepath.Join(dir, azureCLIDir)
	if signedIn(config) == want {
		return nil
	}
	fmt.Fprintf(progress, "cerulean: signing the Azure CLI in to %s, once\n", c.Endpoint)
	// What is made is made aside, so that it is there whole or not at all.
	aside, err := os.MkdirTemp(dir, azureCLIDir+"-new-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(aside)
	// The user's own settings outlive a change of the cloud's address.
	if b, err := os.ReadFile(filepath.Join(config, "config")); err == nil {
		if err := os.WriteFile(filepath.Join(aside, "config"), b, 0o600); err != nil {
			return err
		}
	}
	file := filepath.Join(aside, "cloud.json")
	if err := os.WriteFile(file, registration, 0o600); err != nil {
		return err
	}
	environment := append(append(withoutOtherClouds(os.Environ()), e.Pairs()...), "AZURE_CONFIG_DIR="+aside)
	for _, step := range []struct {
		args  []string
		stdin string
	}{
		{args: []string{"cloud", "register", "--name", azureCLICloud, "--cloud-config", "@" + file}},
		{args: []string{"cloud", "set", "--name", azureCLICloud}},
		// "@-" reads the secret from the input: arguments can be seen by others.
		{args: []string{"login", "--service-principal", "--username", id.ClientID, "--password", "@-", "--tenant", id.TenantID}, stdin: id.ClientSecret},
		{args: []string{"account", "set", "--subscription", c.subscription}},
	} {
		cmd := exec.CommandContext(ctx, az, append(step.args, "--only-show-errors", "--output", "none")...)
		var said bytes.Buffer
		cmd.Env, cmd.Stdin, cmd.Stdout, cmd.Stderr = environment, strings.NewReader(step.stdin), &said, &said
		if err := cmd.Run(); err != nil {
			return fmt.Errorf("az %s: %w: %s", strings.Join(step.args[:2], " "), err, bytes.TrimSpace(said.Bytes()))
		}
	}
	mark, err := json.Marshal(want)
	if err != nil {
		return err
	}
	if err := replaceFile(filepath.Join(aside, azureCLIMark), mark); err != nil {
		return err
	}
	if signedIn(config) == want { // by another process, meanwhile
		return nil
	}
	return replaceFolder(config, aside, func() bool { return signedIn(config) == want })
}

// signedIn reads what a configuration folder was made for; nothing if it is not
// one.
func signedIn(config string) signIn {
	var s signIn
	if b, err := os.ReadFile(filepath.Join(config, azureCLIMark)); err == nil {
		_ = json.Unmarshal(b, &s) // what cannot be read is made again
	}
	return s
}

// replaceFolder puts a folder in the place of another. Somebody may have done so
// meanwhile: good says that what is there is as good.
func replaceFolder(path, by string, good func() bool) error {
	old := by + "-old"
	err := os.Rename(path, old)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	defer os.RemoveAll(old)
	if err := os.Rename(by, path); err != nil && !good() {
		return err
	}
	return nil
}
