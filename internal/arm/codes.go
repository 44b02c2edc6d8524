package arm

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/ceruleannet/cerulean/model"
	"github.com/ceruleannet/cerulean/model/wire"
)

// Error codes no document of Azure's confirms for the case we use them in.
const (
	codeFirewallSubnet       = "AzureFirewallSubnetNameInvalid"             // unconfirmed
	codeFirewallPolicyInUse  = "FirewallPolicyInUse"                        // unconfirmed
	codeIPGroupInUse         = "IpGroupInUse"                               // unconfirmed
	codeASGInUse             = "ApplicationSecurityGroupInUse"              // unconfirmed
	codeGroupInUse           = "NetworkGroupInUse"                          // unconfirmed
	codePolicyInUse          = "PolicyDefinitionInUse"                      // unconfirmed
	codeDuplicateRoutePrefix = "RouteConflict"                              // unconfirmed
	codeNextHop              = "InvalidNextHop"                             // unconfirmed
	codeRulePrefix           = "SecurityRuleInvalidAddressPrefix"           // unconfirmed
	codeRulePorts            = "SecurityRuleInvalidPortRange"               // unconfirmed
	codeConfigDeployed       = "ConfigurationDeployedCannotBeDeleted"       // unconfirmed
	codeTooManyAdminConfigs  = "OnlyOneSecurityAdminConfigurationPerRegion" // unconfirmed
	codePublicIPInUse        = "PublicIPAddressInUse"
	codePublicIPDuplicate    = "PublicIPAddressIsAllocated"          // unconfirmed
	codePeeringSelf          = "InvalidVnetPeering"                  // unconfirmed
	codeResourceInUse        = "InUseResourceCannotBeDeleted"        // unconfirmed
	codeFrontendSource       = "LoadBalancerFrontendIPConfigInvalid" // unconfirmed
	codeFrontendPort         = "RulesUseSameFrontendPortProtocol"    // unconfirmed
	codePrefixFull           = "PublicIPPrefixOutOfIpAddresses"      // unconfirmed
	codeTooManyChildren      = "ChildResourceCountLimitReached"      // unconfirmed
	codeTooManyPrefixes      = "AddressPrefixCountLimitReached"      // unconfirmed
	codeFloatingPort         = "FloatingIPRulePortsMustMatch"        // unconfirmed
)

// codeNoBody refuses a request without the body it needs.
const codeNoBody = "MissingRequestBody"

// Fault is an error of the API: an HTTP status and Azure's error.
type Fault struct {
	Status int
	Err    wire.Error
	// Allow are the methods that are possible; set with 405 only (RFC 9110
	// section 15.5.6).
	Allow []string
}

func (f *Fault) Error() string { return fmt.Sprintf("%d %s: %s", f.Status, f.Err.Code, f.Err.Message) }

func fault(status int, code, format string, args ...any) *Fault {
	return &Fault{Status: status, Err: wire.Error{Code: code, Message: fmt.Sprintf(format, args...)}}
}

func badRequest(code, format string, args ...any) *Fault {
	return fault(http.StatusBadRequest, code, format, args...)
}

// notFound is the answer of Resource Manager for types of its own level, and of
// the network provider for children.
func notFound(id model.ID, child bool) *Fault {
	switch {
	case id.Is(model.TypeResourceGroup):
		return fault(http.StatusNotFound, "ResourceGroupNotFound", "Resource group '%s' could not be found.", id.Name())
	case child:
		f := fault(http.StatusNotFound, "NotFound", "Resource %s not found.", id)
		f.Err.Details = []wire.Error{}
		return f
	case id.ResourceGroup() == "":
		return fault(http.StatusNotFound, "ResourceNotFound", "The Resource '%s/%s' was not found.", id.Type(), id.Name())
	default:
		return fault(http.StatusNotFound, "ResourceNotFound",
			"The Resource '%s' under resource group '%s' was not found. For more details please go to https://aka.ms/ARMResourceNotFoundFix",
			id.String()[strings.LastIndex(id.Key(), "/providers/")+len("/providers/"):], id.ResourceGroup())
	}
}

func parentNotFound(parent model.ID) *Fault {
	return fault(http.StatusNotFound, "ParentResourceNotFound",
		"Failed to perform operation on nested resource. The parent resource '%s' was not found.", parent)
}

func invalidReference(id model.ID, target string) *Fault {
	return badRequest("InvalidResourceReference",
		"Resource %s referenced by resource %s was not found. Please make sure that the referenced resource exists, and that both resources are in the same region.",
		target, id)
}

func invalidProperty(id model.ID, property string, value any, want string) *Fault {
	f := badRequest("InvalidRequestFormat", "Cannot parse the request: property '%s' of resource %s has the value %s; %s.", property, id, show(value), want)
	f.Err.Target = property
	return f
}

func preconditionFailed(id model.ID, header, got, want string) *Fault {
	f := fault(http.StatusPreconditionFailed, "PreconditionFailed", "Precondition failed.")
	f.Err.Details = []wire.Error{{
		Code:    "PreconditionFailedEtagMismatch",
		Message: fmt.Sprintf("Etag provided in %s header %s does not match etag %s of resource %s in NRP data store.", header, got, want, id),
	}}
	return f
}

func methodNotAllowed(method string, allowed ...string) *Fault {
	f := fault(http.StatusMethodNotAllowed, "MethodNotAllowed", "The requested resource does not support http method '%s'.", method)
	f.Allow = allowed
	return f
}
