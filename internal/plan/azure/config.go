package azure

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/arm"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
)

// Azure's public endpoints, the defaults of [Config].
const (
	PublicEndpoint  = "https://management.azure.com"
	PublicAuthority = "https://login.microsoftonline.com"
)

// Config says which cloud to talk to and as whom.
type Config struct {
	// Endpoint is the base URL of Resource Manager, https only; "" is Azure's.
	Endpoint string
	// Authority is the base URL that gives out tokens; "" is Azure's. It is not
	// used with Credential.
	Authority string
	// Audience is the resource tokens are asked for; "" is the endpoint.
	Audience string
	// RootCAs are the certificate authorities to trust; nil is the system's.
	RootCAs *x509.CertPool
	// Transport sends the requests; nil is a client of its own that trusts
	// RootCAs.
	Transport policy.Transporter

	// Credential gives out tokens. Without one, Tenant, ClientID and
	// ClientSecret name a service principal; without those either, the usual
	// places are searched (environment, workload and managed identity, az).
	Credential                     azcore.TokenCredential
	Tenant, ClientID, ClientSecret string

	// Subscription is the subscription to observe; required.
	Subscription string
	// Concurrency is the number of requests of [Client.Observe] at the same
	// time; below 1 means 16.
	Concurrency int
}

// Client talks to one cloud. It may be used by many goroutines at once.
type Client struct {
	endpoint     *url.URL
	pipeline     runtime.Pipeline
	subscription string
	room         chan struct{} // one token per request of Observe under way
}

const (
	moduleName      = "cerulean"
	moduleVersion   = "v0.1.0" // of the user agent; must be a semantic version
	defaultRoom     = 16
	dialTimeout     = 10 * time.Second
	idleConnections = 32 // at least the concurrency of an execution
)

// New returns a client. It makes no request.
func New(cfg Config) (*Client, error) {
	if cfg.Subscription == "" {
		return nil, errors.New("no subscription: name the Azure subscription the network lives in")
	}
	if cfg.Endpoint == "" {
		cfg.Endpoint = PublicEndpoint
	}
	cfg.Endpoint = strings.TrimSuffix(cfg.Endpoint, "/")
	endpoint, err := url.Parse(cfg.Endpoint)
	if err != nil || endpoint.Scheme != "https" || endpoint.Host == "" {
		return nil, fmt.Errorf("endpoint %q is not an https URL such as %s", cfg.Endpoint, PublicEndpoint)
	}
	if cfg.Audience == "" {
		cfg.Audience = cfg.Endpoint
	}
	public := cfg.Authority == "" || strings.TrimSuffix(cfg.Authority, "/") == PublicAuthority
	if cfg.Authority == "" {
		cfg.Authority = PublicAuthority
	}
	if cfg.Transport == nil {
		cfg.Transport = newTransport(cfg.RootCAs)
	}
	options := policy.ClientOptions{
		Cloud: cloud.Configuration{
			ActiveDirectoryAuthorityHost: cfg.Authority,
			Services: map[cloud.ServiceName]cloud.ServiceConfiguration{
				cloud.ResourceManager: {Endpoint: cfg.Endpoint, Audience: cfg.Audience},
			},
		},
		Retry:     retries(),
		Telemetry: policy.TelemetryOptions{ApplicationID: moduleName},
		Transport: cfg.Transport,
	}
	credential, err := credentialOf(cfg, options, public)
	if err != nil {
		return nil, err
	}
	client, err := arm.NewClient(moduleName, moduleVersion, credential, &arm.ClientOptions{ClientOptions: options})
	if err != nil {
		return nil, fmt.Errorf("endpoint %s: %w", cfg.Endpoint, err)
	}
	if cfg.Concurrency < 1 {
		cfg.Concurrency = defaultRoom
	}
	return &Client{
		endpoint: endpoint, pipeline: client.Pipeline(), subscription: cfg.Subscription,
		room: make(chan struct{}, cfg.Concurrency),
	}, nil
}

func credentialOf(cfg Config, options policy.ClientOptions, public bool) (azcore.TokenCredential, error) {
	switch {
	case cfg.Credential != nil:
		return cfg.Credential, nil
	case cfg.ClientID != "" || cfg.ClientSecret != "" || cfg.Tenant != "":
		c, err := azidentity.NewClientSecretCredential(cfg.Tenant, cfg.ClientID, cfg.ClientSecret,
			&azidentity.ClientSecretCredentialOptions{
				ClientOptions: options,
				// Instance discovery asks Microsoft about the authority, which
				// knows nothing of a private one.
				DisableInstanceDiscovery: !public,
			})
		if err != nil {
			return nil, fmt.Errorf("service principal %s of tenant %s: %w", cfg.ClientID, cfg.Tenant, err)
		}
		return c, nil
	default:
		c, err := azidentity.NewDefaultAzureCredential(&azidentity.DefaultAzureCredentialOptions{
			ClientOptions: options, DisableInstanceDiscovery: !public,
		})
		if err != nil {
			return nil, fmt.Errorf("no credential: log in with az, or set AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET: %w", err)
		}
		return c, nil
	}
}

func newTransport(roots *x509.CertPool) *http.Client {
	dialer := &net.Dialer{Timeout: dialTimeout}
	return &http.Client{Transport: &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		DialContext:         dialer.DialContext,
		TLSClientConfig:     &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout: dialTimeout,
		ForceAttemptHTTP2:   true,
		MaxIdleConnsPerHost: idleConnections,
		IdleConnTimeout:     90 * time.Second,
	}}
}
