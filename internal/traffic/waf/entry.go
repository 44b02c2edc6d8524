package waf

import (
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/corazawaf/coraza/v3/types"
)

// Entry is one rule that matched, with the columns of the table AGWFirewallLogs
// ("Azure Monitor Logs reference - AGWFirewallLogs").
type Entry struct {
	TimeGenerated   time.Time
	TransactionID   string `json:"TransactionId"`
	OperationName   string // ApplicationGatewayFirewall
	ClientIP        string `json:"ClientIp"`
	ClientPort      int
	RequestURI      string `json:"RequestUri"`
	Hostname        string
	Site            string // Global
	RuleSetType     string // "OWASP CRS", or Custom
	RuleSetVersion  string
	RuleID          string `json:"RuleId"`
	Message         string
	Action          string // Matched, Blocked, Detected, Allowed or Log
	DetailedMessage string
	DetailedData    string
	FileDetails     string // the group of the rule
	LineDetails     string
	PolicyName      string
	// Score is the anomaly score that a mandatory rule found; ours.
	Score int `json:"Score,omitempty"`
}

// maxDetail bounds what of a request a log keeps, in bytes.
const maxDetail = 1024

func newEntry(r *http.Request, id string, now time.Time, policy string) Entry {
	host, port, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		host = r.RemoteAddr
	}
	n, _ := strconv.Atoi(port)
	return Entry{
		TimeGenerated: now.UTC(), TransactionID: id, OperationName: "ApplicationGatewayFirewall",
		ClientIP: host, ClientPort: n, RequestURI: r.RequestURI, Hostname: r.Host, Site: "Global",
		PolicyName: policy,
	}
}

// managed fills in a managed rule that matched.
func (e Entry) managed(m types.MatchedRule, group string, action string) Entry {
	rule := m.Rule()
	e.RuleSetType, e.RuleSetVersion = "OWASP CRS", CoreVersion
	e.RuleID, e.Message, e.Action = strconv.Itoa(rule.ID()), m.Message(), action
	e.FileDetails = group + ".conf"
	if group == "" {
		e.FileDetails = ""
	}
	e.DetailedData = cut(m.Data())
	var names []string
	for _, d := range m.MatchedDatas() {
		name := d.Variable().Name()
		if d.Key() != "" {
			name += ":" + d.Key()
		}
		names = append(names, name)
	}
	e.DetailedMessage = cut("Matched at " + strings.Join(names, ", "))
	return e
}

func cut(s string) string {
	if len(s) > maxDetail {
		return strings.ToValidUTF8(s[:maxDetail], "") + "…"
	}
	return s
}
