package arm

import (
	"strings"

	"github.com/ceruleannet/cerulean/model"
)

// termName indexes public IP addresses by the name their label makes.
const termName = "name:"

// publicName returns the name a public IP address has by its label: one of a
// label and a region, whoever's.
func publicName(doc map[string]any) string {
	label := text(object(object(doc, "properties"), "dnsSettings"), "domainNameLabel")
	if label == "" {
		return ""
	}
	return strings.ToLower(label) + "." + model.NormalizeLocation(text(doc, "location")) + ".cloudapp.azure.com"
}

// fillPublicName gives a public IP address with a label its name.
func (c *change) fillPublicName() *Fault {
	dns := object(c.props(), "dnsSettings")
	name := publicName(c.doc)
	if name == "" {
		delete(dns, "fqdn")
		return nil
	}
	if label := text(dns, "domainNameLabel"); !labelForm.MatchString(strings.ToLower(label)) {
		return badRequest("InvalidDomainNameLabel", "The domain name label %s is invalid. It must conform to the following regular expression: %s.", label, labelForm)
	}
	for _, e := range findExact(c.tx.View, termName+name) {
		if !e.Resource.ID.Equal(c.id) {
			return badRequest("DnsRecordInUse", "DNS record %s is already used by another public IP.", name)
		}
	}
	dns["fqdn"] = name
	return nil
}
