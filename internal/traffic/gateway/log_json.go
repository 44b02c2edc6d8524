package gateway

import (
	"encoding/json"
	"strconv"
	"time"
)

// AppendJSON appends the record as a JSON object: what encoding/json writes, at a
// tenth of its price, as every request is logged.
func (r *Record) AppendJSON(b []byte) []byte {
	text := func(name, v string) {
		b = append(append(append(b, ',', '"'), name...), `":`...)
		b = appendText(b, v)
	}
	number := func(name string, v int64) {
		b = strconv.AppendInt(append(append(append(b, ',', '"'), name...), `":`...), v, 10)
	}
	seconds := func(name string, v float64) {
		b = strconv.AppendFloat(append(append(append(b, ',', '"'), name...), `":`...), v, 'f', -1, 64)
	}
	b = append(r.TimeGenerated.AppendFormat(append(b, `{"TimeGenerated":"`...), time.RFC3339Nano), '"')
	text("TransactionId", r.TransactionID)
	text("ListenerName", r.ListenerName)
	text("RuleName", r.RuleName)
	text("BackendPoolName", r.BackendPoolName)
	text("BackendSettingName", r.BackendSettingName)
	text("ClientIp", r.ClientIP)
	number("ClientPort", int64(r.ClientPort))
	text("HttpMethod", r.HTTPMethod)
	text("HttpVersion", r.HTTPVersion)
	number("HttpStatus", int64(r.HTTPStatus))
	text("Host", r.Host)
	text("OriginalHost", r.OriginalHost)
	text("RequestUri", r.RequestURI)
	text("RequestQuery", r.RequestQuery)
	text("OriginalRequestUriWithArgs", r.OriginalRequestURIWithArgs)
	text("UserAgent", r.UserAgent)
	number("ReceivedBytes", r.ReceivedBytes)
	number("SentBytes", r.SentBytes)
	seconds("TimeTaken", r.TimeTaken)
	text("ServerRouted", r.ServerRouted)
	number("ServerStatus", int64(r.ServerStatus))
	seconds("ServerResponseLatency", r.ServerResponseLatency)
	text("SslEnabled", r.SslEnabled)
	text("SslProtocol", r.SslProtocol)
	text("SslCipher", r.SslCipher)
	if r.WafMode != "" {
		text("WafMode", r.WafMode)
	}
	if r.WafEvaluationTime != 0 {
		seconds("WafEvaluationTime", r.WafEvaluationTime)
	}
	if r.CacheStatus != "" {
		text("CacheStatus", r.CacheStatus)
	}
	if r.ErrorInfo != "" {
		text("ErrorInfo", r.ErrorInfo)
	}
	return append(b, '}')
}

// appendText appends a JSON string.
func appendText(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' {
			quoted, err := json.Marshal(s)
			if err != nil {
				return append(b, `""`...)
			}
			return append(b, quoted...)
		}
	}
	return append(append(append(b, '"'), s...), '"')
}
