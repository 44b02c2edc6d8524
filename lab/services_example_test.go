package lab_test

import (
	"context"
	"fmt"
	"log"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azsecrets"

	"github.com/ceruleannet/cerulean/lab"
)

// A program with the Azure SDK works as on a virtual machine: its managed
// identity gets a token from the metadata service, the vault's name leads to its
// private endpoint, and the role that the file gives the host lets it read.
func Example_managedIdentity() {
	l, err := lab.Start("testdata/services.yaml")
	if err != nil {
		log.Fatal(err)
	}
	defer l.Close()
	options := azcore.ClientOptions{Transport: l.Host("web-1").HTTPClient()}
	identity, err := azidentity.NewManagedIdentityCredential(&azidentity.ManagedIdentityCredentialOptions{ClientOptions: options})
	if err != nil {
		log.Fatal(err)
	}
	client, err := azsecrets.NewClient("https://shop-vault.vault.azure.net", identity, &azsecrets.ClientOptions{ClientOptions: options})
	if err != nil {
		log.Fatal(err)
	}
	secret, err := client.GetSecret(context.Background(), "db-password", "", nil)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(*secret.Value)
	// Output: correct-horse
}
