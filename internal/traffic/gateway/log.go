package gateway

import (
	"crypto/tls"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"sync"
	"time"
)

// Record is one request, with the columns of the table AGWAccessLogs ("Azure
// Monitor Logs reference - AGWAccessLogs"). Times are in seconds.
type Record struct {
	TimeGenerated              time.Time
	TransactionID              string `json:"TransactionId"`
	ListenerName               string
	RuleName                   string
	BackendPoolName            string
	BackendSettingName         string
	ClientIP                   string `json:"ClientIp"`
	ClientPort                 int
	HTTPMethod                 string `json:"HttpMethod"`
	HTTPVersion                string `json:"HttpVersion"`
	HTTPStatus                 int    `json:"HttpStatus"`
	Host                       string
	OriginalHost               string
	RequestURI                 string `json:"RequestUri"`
	RequestQuery               string
	OriginalRequestURIWithArgs string `json:"OriginalRequestUriWithArgs"`
	UserAgent                  string
	ReceivedBytes              int64
	SentBytes                  int64
	TimeTaken                  float64
	ServerRouted               string
	ServerStatus               int
	ServerResponseLatency      float64
	SslEnabled                 string
	SslProtocol                string
	SslCipher                  string
	WafMode                    string  `json:",omitempty"`
	WafEvaluationTime          float64 `json:",omitempty"`
	CacheStatus                string  `json:",omitempty"` // RFC 9211; ours
	ErrorInfo                  string  `json:",omitempty"`

	gone bool // the client went away
}

// clientClosed is the status in the log of a request whose client went away
// (nginx's).
const clientClosed = 499

func (r *Record) begin(now time.Time, at netip.AddrPort, req *http.Request) {
	r.TimeGenerated = now.UTC()
	r.TransactionID = transaction()
	host, port, _ := net.SplitHostPort(req.RemoteAddr)
	r.ClientIP = host
	r.ClientPort, _ = strconv.Atoi(port)
	r.HTTPMethod, r.HTTPVersion = req.Method, req.Proto
	r.OriginalHost, r.UserAgent = req.Host, req.UserAgent()
	r.OriginalRequestURIWithArgs = req.URL.RequestURI()
	r.secured(req.TLS)
}

// secured notes the client's TLS; nil for none.
func (r *Record) secured(t *tls.ConnectionState) {
	r.SslEnabled = "off"
	if t != nil {
		r.SslEnabled = "on"
		r.SslProtocol, r.SslCipher = tls.VersionName(t.Version), cipherName(t.CipherSuite)
	}
}

// cipherName is [tls.CipherSuiteName], which makes the list of all ciphers at each call.
func cipherName(id uint16) string {
	if name, ok := cipherNames()[id]; ok {
		return name
	}
	return tls.CipherSuiteName(id)
}

var cipherNames = sync.OnceValue(func() map[uint16]string {
	out := map[uint16]string{}
	for _, c := range append(tls.CipherSuites(), tls.InsecureCipherSuites()...) {
		out[c.ID] = c.Name
	}
	return out
})

// asked notes a member's answer.
func (r *Record) asked(e endpoint, resp *http.Response, took time.Duration) {
	r.ServerRouted, r.ServerResponseLatency, r.ServerStatus = e.String(), took.Seconds(), 0
	if resp != nil {
		r.ServerStatus = resp.StatusCode
	}
}

func (r *Record) end(x *exchange, w *countedWriter, body *countedBody, took time.Duration) {
	d := &x.decision
	r.ListenerName, r.RuleName = d.Listener, d.Rule
	r.BackendPoolName, r.BackendSettingName = d.Pool, d.Settings
	req := x.scope.req
	r.Host, r.RequestURI, r.RequestQuery = req.Host, req.URL.EscapedPath(), req.URL.RawQuery
	r.HTTPStatus, r.SentBytes, r.ReceivedBytes = w.status, w.bytes, body.bytes.Load()
	if r.gone {
		r.HTTPStatus = clientClosed
	}
	if x.failed != nil {
		r.ErrorInfo = explainError(x.failed)
	}
	r.TimeTaken = took.Seconds()
}
