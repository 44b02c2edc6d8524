package arm

import (
	"encoding/asn1"
	"encoding/base64"
	"strings"

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
