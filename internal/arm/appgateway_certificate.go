package arm

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"slices"
	"strings"

	"github.com/ceruleannet/cerulean/model"
	"golang.org/x/crypto/pkcs12"
)

// Object identifiers of RFC 2315 (PKCS #7): data and signed data.
var (
	oidData       = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 1}
	oidSignedData = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 2}
)

// keepCertificates keeps the key of each certificate of an application gateway
// that the document names without it: answers do not have keys, so a document
// that was read and is written back has none, either. publicCertData is what
// answers have in its place.
func (c *change) keepCertificates() {
	for _, o := range objects(c.props(), "sslCertificates") {
		p := object(o, "properties")
		delete(p, "publicCertData")
		if data := text(p, "data"); data != "" {
			if public := publicCertificate(data, text(p, "password")); public != "" {
				p["publicCertData"] = public
			}
			continue
		}
		old, _ := named(c.oldProps(), "sslCertificates", text(o, "name"))
		was := object(old, "properties")
		if was == nil || text(p, "keyVaultSecretId") != "" {
			continue
		}
		for _, name := range []string{"data", "password", "publicCertData"} {
			if v, ok := was[name]; ok {
				p[name] = v
			}
		}
	}
}

// describeClientCertificates tells of each authority of clients' certificates who
// issued it.
func describeClientCertificates(p map[string]any) {
	for _, o := range objects(p, "trustedClientCertificates") {
		q := object(o, "properties")
		delete(q, "validatedCertData")
		delete(q, "clientCertIssuerDN")
		data, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(text(q, "data")), ""))
		if err != nil {
			continue
		}
		block, _ := pem.Decode(data)
		if block == nil {
			continue
		}
		certificate, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			continue
		}
		q["validatedCertData"] = "-----BEGIN CERTIFICATE-----" + base64.StdEncoding.EncodeToString(block.Bytes) + "-----END CERTIFICATE-----"
		q["clientCertIssuerDN"] = distinguishedName(certificate.RawIssuer)
	}
}

// attributeNames are what the service calls the parts of names (RFC 4519), other
// than by their numbers.
var attributeNames = map[string]string{
	"2.5.4.3": "CN", "2.5.4.6": "C", "2.5.4.7": "L", "2.5.4.8": "S", "2.5.4.10": "O", "2.5.4.11": "OU",
	"0.9.2342.19200300.100.1.25": "DC", "1.2.840.113549.1.9.1": "E",
}

// distinguishedName writes a name in DER as the service does: the last part
// first, and a space after each comma. It returns "" for what is no name.
func distinguishedName(raw []byte) string {
	var sequence pkix.RDNSequence
	if rest, err := asn1.Unmarshal(raw, &sequence); err != nil || len(rest) > 0 {
		return ""
	}
	var parts []string
	for _, set := range slices.Backward(sequence) {
		for _, a := range set {
			name := attributeNames[a.Type.String()]
			if name == "" {
				name = "OID." + a.Type.String()
			}
			value := fmt.Sprint(a.Value)
			if strings.ContainsAny(value, `,+"\<>;=`) {
				value = `"` + strings.ReplaceAll(value, `"`, `""`) + `"`
			}
			parts = append(parts, name+"="+value)
		}
	}
	return strings.Join(parts, ", ")
}

// describeIdentities tells who the identities are that the document has for
// itself.
func (c *change) describeIdentities() {
	assigned := object(object(c.doc, "identity"), "userAssignedIdentities")
	for key := range assigned {
		id, err := model.ParseID(key)
		if err != nil || !id.Is(typeIdentity) {
			continue
		}
		if e, ok := c.tx.Get(id); ok {
			p := e.Resource.Properties()
			assigned[key] = map[string]any{"principalId": text(p, "principalId"), "clientId": text(p, "clientId")}
		}
	}
}

// publicCertificate returns the certificates of a PFX file (RFC 7292) as the
// service shows them: signed data without content or signer, in base64. It
// returns "" if the file or its password is wrong.
func publicCertificate(data, password string) string {
	file, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(data), ""))
	if err != nil {
		return ""
	}
	blocks, err := pkcs12.ToPEM(file, password)
	if err != nil {
		return ""
	}
	var certificates []byte
	for _, b := range blocks {
		if b.Type == "CERTIFICATE" {
			certificates = append(certificates, b.Bytes...)
		}
	}
	if certificates == nil {
		return ""
	}
	empty := asn1.RawValue{Tag: asn1.TagSet, IsCompound: true}
	signed := struct {
		Version      int
		Digests      asn1.RawValue
		Content      struct{ Type asn1.ObjectIdentifier }
		Certificates asn1.RawValue
		Signers      asn1.RawValue
	}{Version: 1, Digests: empty, Signers: empty}
	signed.Content.Type = oidData
	signed.Certificates = asn1.RawValue{Class: asn1.ClassContextSpecific, IsCompound: true, Bytes: certificates}
	inner, err := asn1.Marshal(signed)
	if err != nil {
		return ""
	}
	outer, err := asn1.Marshal(struct {
		Type    asn1.ObjectIdentifier
		Content asn1.RawValue
	}{oidSignedData, asn1.RawValue{Class: asn1.ClassContextSpecific, IsCompound: true, Bytes: inner}})
	if err != nil {
		return ""
	}
	return base64.StdEncoding.EncodeToString(outer)
}
