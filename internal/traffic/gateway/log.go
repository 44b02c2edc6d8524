package gateway

import (
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"sync/atomic"
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
	r.SslEnabled = "off"
	if req.TLS != nil {
		r.SslEnabled = "on"
		r.SslProtocol, r.SslCipher = tls.VersionName(req.TLS.Version), tls.CipherSuiteName(req.TLS.CipherSuite)
	}
}

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

// countedBody counts what a client sends. It may still be read when the answer has
// ended.
type countedBody struct {
	io.ReadCloser
	bytes atomic.Int64
	broke atomic.Bool // it could not be read to its end
}

func (b *countedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.bytes.Add(int64(n))
	if err != nil && err != io.EOF {
		b.broke.Store(true)
	}
	return n, err
}

// countedWriter counts what a client gets.
type countedWriter struct {
	http.ResponseWriter
	status int
	bytes  int64
}

// Unwrap lets net/http reach what the writer can do beside writing.
func (w *countedWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// WriteHeader implements [http.ResponseWriter].
func (w *countedWriter) WriteHeader(status int) {
	if status >= 200 || status == http.StatusSwitchingProtocols {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write implements [io.Writer].
func (w *countedWriter) Write(p []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	n, err := w.ResponseWriter.Write(p)
	w.bytes += int64(n)
	return n, err
}
