package programs

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azsecrets"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob"
)

// roleVariable makes this test program one of the programs on a host.
const roleVariable = "CERULEAN_TEST_ROLE"

func TestMain(m *testing.M) {
	if os.Getenv(roleVariable) == "sdk" {
		if err := readWithSDK(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// readWithSDK is a program of somebody else's: it knows the names of a vault and
// a storage account, and that its machine has an identity.
func readWithSDK() error {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	identity, err := azidentity.NewManagedIdentityCredential(nil)
	if err != nil {
		return err
	}
	vault, err := azsecrets.NewClient("https://shop-vault.vault.azure.net", identity, nil)
	if err != nil {
		return err
	}
	secret, err := vault.GetSecret(ctx, "db-password", "", nil)
	if err != nil {
		return err
	}
	blobs, err := azblob.NewClient("https://shopfiles.blob.core.windows.net/", identity, nil)
	if err != nil {
		return err
	}
	blob, err := blobs.DownloadStream(ctx, "orders", "first.json", nil)
	if err != nil {
		return err
	}
	defer blob.Body.Close()
	text, err := io.ReadAll(blob.Body)
	fmt.Printf("%s %s\n", *secret.Value, text)
	return err
}

// need skips a test where the system has not what it takes; in CI it fails.
func need(t *testing.T, tools ...string) {
	t.Helper()
	missing := ""
	switch {
	case runtime.GOOS != "linux":
		missing = "Linux"
	case os.Geteuid() != 0:
		missing = "root"
	}
	for _, tool := range tools {
		if _, err := exec.LookPath(tool); err != nil {
			missing = tool
		}
	}
	if slices.Contains(tools, "psql") && missing == "" {
		if found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/postgres"); len(found) == 0 {
			missing = "postgresql"
		}
	}
	switch {
	case missing == "":
	case os.Getenv("CI") == "true" && runtime.GOOS == "linux":
		t.Fatalf("real programs cannot run: %s is missing", missing)
	default:
		t.Skipf("real programs need %s", missing)
	}
}

// build builds the program.
func build(t *testing.T) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "cerulean")
	if out, err := exec.Command("go", "build", "-o", file, "../../cmd/cerulean").CombinedOutput(); err != nil {
		t.Fatalf("building cerulean: %v\n%s", err, strings.TrimSpace(string(out)))
	}
	return file
}
