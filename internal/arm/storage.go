package arm

import (
	"crypto/hmac"
	"crypto/sha512"
	"encoding/base64"
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/ceruleannet/cerulean/model"
)

// storageParts are the services of a storage account, which are there as soon as
// it is, each under the one name "default".
var storageParts = []string{"blobServices", "fileServices", "queueServices", "tableServices"}

var defaultName = regexp.MustCompile(`^(?i:default)$`)

// storageServiceKinds hold the settings of an account's services.
func storageServiceKinds() []*kind {
	var kinds []*kind
	for _, part := range storageParts {
		k := &kind{
			Type: model.TypeStorageAccount + "/" + part, Name: defaultName, NoEtag: true, Sync: true, Created: http.StatusOK,
			Defaults: []setting{{"cors", map[string]any{"corsRules": []any{}}}},
		}
		switch part {
		case "blobServices":
			k.Defaults = append(k.Defaults, setting{"deleteRetentionPolicy", map[string]any{"allowPermanentDelete": false, "enabled": false}})
		case "fileServices":
			k.Defaults = append(k.Defaults,
				setting{"shareDeleteRetentionPolicy", map[string]any{"enabled": false}},
				setting{"protocolSettings", map[string]any{"smb": map[string]any{}}})
		}
		kinds = append(kinds, k)
	}
	return kinds
}

// settleStorageAccount makes the services of a new account.
func settleStorageAccount(c *change) *Fault {
	if c.doc == nil || c.old != nil {
		return nil
	}
	for _, part := range storageParts {
		id := c.id.Child(part, "default")
		made := &change{kinds: c.kinds, tx: c.tx, kind: c.kinds[strings.ToLower(id.Type())], id: id, etag: c.etag, by: c.by, doc: map[string]any{"properties": map[string]any{}}}
		if f := made.complete(); f != nil {
			return f
		}
		if f := made.put(); f != nil {
			return f
		}
	}
	return nil
}

// storageVerbs are the actions of a storage account.
func storageVerbs() []verb {
	return []verb{
		linkResourceVerb(),
		{name: "listKeys", body: maybeBody, answer: func(q *question) (any, *Fault) {
			return map[string]any{"keys": storageKeys(q.s.identity.hostKey, q.on)}, nil
		}},
		{name: "regenerateKey", act: (*call).regenerateKey},
	}
}

// regenerateKey replaces one of an account's keys.
func (c *call) regenerateKey(on *model.Resource) *Fault {
	body, f := readBody(c.w, c.r)
	if f != nil {
		return f
	}
	if f := oneOf(on.ID, "keyName", body["keyName"], "key1", "key2"); f != nil {
		return f
	}
	var changed *model.Resource
	f = c.amend(on.ID, func(ch *change) *Fault {
		object(ch.props(), "keyCreationTime")[strings.ToLower(text(body, "keyName"))] = ch.by.At.UTC().Format(time.RFC3339Nano)
		changed = &model.Resource{ID: ch.id, Doc: ch.doc}
		return nil
	})
	if f != nil {
		return f
	}
	writeJSON(c.w, http.StatusOK, map[string]any{"keys": storageKeys(c.s.identity.hostKey, changed)})
	return nil
}

// storageKeys are the access keys of an account (Storage Accounts - List Keys):
// 512 bits each, of this installation, this account and the time of the key.
func storageKeys(secret []byte, account *model.Resource) []any {
	made := object(account.Properties(), "keyCreationTime")
	var keys []any
	for _, name := range []string{"key1", "key2"} {
		m := hmac.New(sha512.New, secret)
		m.Write([]byte("storage key\x00" + account.ID.Key() + "\x00" + name + "\x00" + text(made, name)))
		keys = append(keys, map[string]any{
			"keyName": name, "permissions": "FULL", "creationTime": made[name], "value": base64.StdEncoding.EncodeToString(m.Sum(nil)),
		})
	}
	return keys
}
