package lab_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/ceruleannet/cerulean/lab"
)

// README: begin
func TestShopInOneRegionUsesAnother(t *testing.T) {
	l := lab.Open(t, "../examples/globojava", lab.WithoutServices())
	l.Check() // every expectation of the network, proved for all packets

	// Your own code behind the virtual network interface of a host.
	listener, err := l.Host("shop-prod-westeurope").Listen("tcp", ":443")
	if err != nil {
		t.Fatal(err)
	}
	go http.Serve(listener, http.NotFoundHandler())

	// The name is resolved by the private zone; the packets pass two firewalls.
	response, err := l.Host("shop-prod-eastus").HTTPClient().Get("http://shop.westeurope.globojava.com:443/")
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()

	// What the network denies fails at once and says which rule denied it.
	_, err = l.Host("shop-nonprod-eastus").DialContext(t.Context(), "tcp", "shop.westeurope.globojava.com:443")
	if denial, denied := lab.Denied(err); !denied || !strings.Contains(denial.Text, "prod-nonprod") {
		t.Errorf("nonprod reaches prod: %v", err)
	}
}

// README: end
