package paas

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"github.com/google/uuid"
)

func newVersion() string { return hex.EncodeToString(uuidBytes()) }

func uuidBytes() []byte {
	id := uuid.New()
	return id[:]
}

func newID() string { return uuid.NewString() }

// secretBody is what clients send of a secret (SecretSetParameters,
// SecretUpdateParameters).
type secretBody struct {
	Value       *string           `json:"value"`
	ContentType *string           `json:"contentType"`
	Tags        map[string]string `json:"tags"`
	Attributes  *struct {
		Enabled   *bool  `json:"enabled"`
		NotBefore *int64 `json:"nbf"`
		Expires   *int64 `json:"exp"`
	} `json:"attributes"`
}

// input reads the body of a change; it answers if it is wrong.
func (c *vaultCall) input() (secretInput, bool) {
	var b secretBody
	if !c.body(&b) {
		return secretInput{}, false
	}
	in := secretInput{contentType: b.ContentType, tags: b.Tags}
	if b.Attributes != nil {
		in.enabled, in.notBefore, in.expires = b.Attributes.Enabled, b.Attributes.NotBefore, b.Attributes.Expires
	}
	long := len(b.Tags) > maxSecretTags || b.ContentType != nil && len(*b.ContentType) > maxContentType
	for k, v := range b.Tags {
		long = long || len(k) > maxTagText || len(v) > maxTagText
	}
	switch {
	case long:
		vaultFault(c.w, http.StatusBadRequest, "BadParameter", "", "A secret has at most %d tags of at most %d characters, and a content type of at most %d.", maxSecretTags, maxTagText, maxContentType)
		return in, false
	case in.notBefore != nil && in.expires != nil && *in.expires < *in.notBefore:
		vaultFault(c.w, http.StatusBadRequest, "BadParameter", "", "The expiry of a secret is not before its activation.")
		return in, false
	}
	if b.Value != nil {
		in.value = *b.Value
	} else if c.r.Method == http.MethodPut {
		vaultFault(c.w, http.StatusBadRequest, "BadParameter", "", "The property 'value' is required.")
		return in, false
	}
	return in, true
}

// days is how long the vault keeps deleted secrets.
func (c *vaultCall) days() int {
	p := c.doc.Properties()
	switch n := p["softDeleteRetentionInDays"].(type) {
	case json.Number:
		if days, err := n.Int64(); err == nil && days >= 7 && days <= retention {
			return int(days)
		}
	case float64:
		if n >= 7 && n <= retention {
			return int(n)
		}
	}
	return retention
}

// purgeable reports whether deleted secrets may be purged.
func (c *vaultCall) purgeable() bool {
	protected, _ := c.doc.Properties()["enablePurgeProtection"].(bool)
	return !protected
}

// attributes are SecretAttributes; recoveryLevel says what deletion means here.
func (c *vaultCall) attributes(v *secretVersion) map[string]any {
	level := "Recoverable"
	if c.purgeable() {
		level = "Recoverable+Purgeable"
	}
	a := map[string]any{"enabled": !v.disabled, "created": v.created, "updated": v.updated, "recoveryLevel": level, "recoverableDays": c.days()}
	if v.notBefore != 0 {
		a["nbf"] = v.notBefore
	}
	if v.expires != 0 {
		a["exp"] = v.expires
	}
	return a
}

// item is SecretItem: a secret without its value.
func (c *vaultCall) item(s *secret, v *secretVersion, version bool) map[string]any {
	id := "https://" + c.host() + "/secrets/" + s.name
	if version {
		id += "/" + v.id
	}
	m := map[string]any{"id": id, "attributes": c.attributes(v)}
	if v.contentType != "" {
		m["contentType"] = v.contentType
	}
	if len(v.tags) > 0 {
		m["tags"] = v.tags
	}
	return m
}

// deletedItem adds what a deleted secret says.
func (c *vaultCall) deletedItem(s *secret, version bool) map[string]any {
	m := c.item(s, s.latest(), version)
	m["recoveryId"] = "https://" + c.host() + "/deletedsecrets/" + s.name
	m["deletedDate"], m["scheduledPurgeDate"] = s.deletedAt.Unix(), s.purgeAt.Unix()
	return m
}

func (c *vaultCall) set() {
	in, ok := c.input()
	if !ok {
		return
	}
	v, err := c.v.set(c.path[1], in, c.planes.now())
	if err != nil {
		c.fail(err)
		return
	}
	c.show(v.id, true)
}

// show answers with a version of the secret.
func (c *vaultCall) show(id string, value bool) {
	s, v, err := c.v.get(c.path[1], id)
	if err != nil {
		c.fail(err)
		return
	}
	m := c.item(s, v, true)
	if value {
		m["value"] = v.value
	}
	vaultJSON(c.w, http.StatusOK, m)
}

func (c *vaultCall) get() {
	id := ""
	if len(c.path) > 2 {
		id = c.path[2]
	}
	_, v, err := c.v.get(c.path[1], id)
	if err != nil {
		c.fail(err)
		return
	}
	now := c.planes.now().Unix()
	if v.disabled || v.notBefore != 0 && now < v.notBefore {
		// An expired secret may be read; one that is not active yet may not
		// ("About Azure Key Vault secrets").
		vaultFault(c.w, http.StatusForbidden, "Forbidden", "SecretDisabled", "Operation get is not allowed on a disabled secret.")
		return
	}
	c.show(v.id, true)
}

func (c *vaultCall) update() {
	in, ok := c.input()
	if !ok {
		return
	}
	id := ""
	if len(c.path) > 2 {
		id = c.path[2]
	}
	v, err := c.v.update(c.path[1], id, in, c.planes.now())
	if err != nil {
		c.fail(err)
		return
	}
	c.show(v.id, false)
}

func (c *vaultCall) list() {
	var items []any
	for _, s := range c.v.list(false, c.planes.now()) {
		items = append(items, c.item(&s, s.latest(), false))
	}
	c.page(items)
}

func (c *vaultCall) versions() {
	s, _, err := c.v.get(c.path[1], "")
	if err != nil {
		c.fail(err)
		return
	}
	c.v.mu.Lock()
	versions := slices.Clone(s.versions)
	c.v.mu.Unlock()
	var items []any
	for _, v := range versions {
		items = append(items, c.item(s, v, true))
	}
	c.page(items)
}

func (c *vaultCall) remove() {
	s, err := c.v.remove(c.path[1], c.planes.now(), c.days())
	if err != nil {
		c.fail(err)
		return
	}
	vaultJSON(c.w, http.StatusOK, c.deletedItem(s, true))
}

func (c *vaultCall) listDeleted() {
	var items []any
	for _, s := range c.v.list(true, c.planes.now()) {
		items = append(items, c.deletedItem(&s, false))
	}
	c.page(items)
}

func (c *vaultCall) getDeleted() {
	s, err := c.v.removed(c.path[1], c.planes.now())
	if err != nil {
		c.fail(err)
		return
	}
	vaultJSON(c.w, http.StatusOK, c.deletedItem(s, true))
}

func (c *vaultCall) takeBack() {
	s, err := c.v.recover(c.path[1], c.planes.now())
	if err != nil {
		c.fail(err)
		return
	}
	vaultJSON(c.w, http.StatusOK, c.item(s, s.latest(), true))
}

func (c *vaultCall) purge() {
	if !c.purgeable() {
		vaultFault(c.w, http.StatusForbidden, "Forbidden", "", "Operation \"purge\" is not allowed because purge protection is enabled for this vault. Key Vault service will automatically purge it after the retention period has passed.")
		return
	}
	if err := c.v.purge(c.path[1], c.planes.now()); err != nil {
		c.fail(err)
		return
	}
	c.w.WriteHeader(http.StatusNoContent)
}

// backupBody is a backup before it is sealed.
type backupBody struct {
	Name     string
	Versions []backupVersion
}

type backupVersion struct {
	ID, Value, ContentType               string
	Tags                                 map[string]string
	Disabled                             bool
	NotBefore, Expires, Created, Updated int64
}

func (c *vaultCall) backup() {
	s, _, err := c.v.get(c.path[1], "")
	if err != nil {
		c.fail(err)
		return
	}
	b := backupBody{Name: s.name}
	c.v.mu.Lock()
	for _, v := range s.versions {
		b.Versions = append(b.Versions, backupVersion{v.id, v.value, v.contentType, v.tags, v.disabled, v.notBefore, v.expires, v.created, v.updated})
	}
	c.v.mu.Unlock()
	text, err := json.Marshal(b)
	if err != nil {
		c.fail(err)
		return
	}
	vaultJSON(c.w, http.StatusOK, map[string]any{"value": base64.RawURLEncoding.EncodeToString(append(c.planes.seal(text), text...))})
}

// seal authenticates a backup: it is good for the vaults of this process.
func (p *Planes) seal(text []byte) []byte {
	m := hmac.New(sha256.New, p.sealKey)
	m.Write(text)
	return m.Sum(nil)
}

func (c *vaultCall) restore() {
	var in struct {
		Value string `json:"value"`
	}
	if !c.body(&in) {
		return
	}
	raw, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(in.Value, "="))
	var b backupBody
	if err != nil || len(raw) < sha256.Size || !hmac.Equal(raw[:sha256.Size], c.planes.seal(raw[sha256.Size:])) ||
		json.Unmarshal(raw[sha256.Size:], &b) != nil || len(b.Versions) == 0 {
		vaultFault(c.w, http.StatusBadRequest, "BadParameter", "", "The backup is not one of this vault, or it is damaged.")
		return
	}
	s := &secret{name: b.Name}
	for _, v := range b.Versions {
		s.versions = append(s.versions, &secretVersion{v.ID, v.Value, v.ContentType, v.Tags, v.Disabled, v.NotBefore, v.Expires, v.Created, v.Updated})
	}
	c.path = []string{"secrets", b.Name}
	if err := c.v.restore(s, c.planes.now()); err != nil {
		c.fail(err)
		return
	}
	c.show("", false)
}
