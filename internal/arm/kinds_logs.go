package arm

import (
	"crypto/hmac"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"regexp"
	"time"

	"github.com/ceruleannet/cerulean/model"
	"github.com/google/uuid"
)

// Types that networks' diagnostics write to and nothing of theirs depends on.
const (
	typeContainer   = model.TypeStorageAccount + "/blobServices/containers"
	typeWorkspaces  = "Microsoft.OperationalInsights/workspaces"
	typeDeletedLogs = "Microsoft.OperationalInsights/deletedWorkspaces"
)

var (
	containerName = regexp.MustCompile(`^(\$root|\$web|[a-z0-9](-?[a-z0-9]){2,62})$`)
	logName       = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9-]{2,61}[A-Za-z0-9]$`)
)

// logKinds are containers of blobs and workspaces of logs.
func logKinds() []*kind {
	return []*kind{
		{
			Type: typeContainer, Name: containerName, Sync: true, SyncDelete: true, MergePatch: true,
			Defaults: []setting{{"publicAccess", "None"}, {"hasImmutabilityPolicy", false}, {"hasLegalHold", false}, {"defaultEncryptionScope", "$account-encryption-key"}, {"denyEncryptionScopeOverride", false}, {"leaseState", "Available"}, {"leaseStatus", "Unlocked"}},
		},
		{
			Type: typeWorkspaces, Place: inGroup, Location: locationRequired, Name: logName, State: true, Sync: true, SyncDelete: true, MergePatch: true,
			Computed: []string{"customerId", "createdDate"},
			Defaults: []setting{
				{"sku.name", "PerGB2018"},
				{"retentionInDays", json.Number("30")},
				{"workspaceCapping.dailyQuotaGb", json.Number("-1")},
				{"publicNetworkAccessForIngestion", "Enabled"},
				{"publicNetworkAccessForQuery", "Enabled"},
				{"features.enableLogAccessUsingOnlyResourcePermissions", true},
			},
			Fill: fillWorkspace,
			Verbs: []verb{{name: "sharedKeys", answer: func(q *question) (any, *Fault) {
				return map[string]any{"primarySharedKey": workspaceKey(q, "1"), "secondarySharedKey": workspaceKey(q, "2")}, nil
			}}},
		},
		// What was deleted is gone at once.
		{
			Type: typeDeletedLogs, Place: inGroup | inSubscription, Location: locationRequired, Name: logName, ReadOnly: true, Untracked: true,
			Derived: &derived{list: func(*reading) []map[string]any { return nil }},
		},
	}
}

// fillWorkspace gives a workspace its identifier and its date.
func fillWorkspace(c *change) *Fault {
	p, had := c.props(), c.oldProps()
	p["customerId"], p["createdDate"] = had["customerId"], had["createdDate"]
	if had == nil {
		p["customerId"], p["createdDate"] = uuid.NewString(), c.by.At.UTC().Format(time.RFC3339Nano)
	}
	return nil
}

// workspaceKey is one of the two keys of a workspace, of this installation.
func workspaceKey(q *question, n string) string {
	m := hmac.New(sha512.New, q.s.identity.hostKey)
	m.Write([]byte("workspace key\x00" + q.on.ID.Key() + "\x00" + n))
	return base64.StdEncoding.EncodeToString(m.Sum(nil))
}
