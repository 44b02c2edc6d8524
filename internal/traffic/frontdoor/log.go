package frontdoor

import "time"

// Record is a line of the access log, with the columns of FrontDoorAccessLog
// ("Monitor metrics and logs in Azure Front Door").
type Record struct {
	Time                time.Time `json:"time"`
	TrackingReference   string    `json:"trackingReference"`
	HTTPMethod          string    `json:"httpMethod"`
	HTTPVersion         string    `json:"httpVersion"`
	RequestURI          string    `json:"requestUri"`
	HostName            string    `json:"hostName"`
	RequestBytes        int64     `json:"requestBytes"`
	ResponseBytes       int64     `json:"responseBytes"`
	UserAgent           string    `json:"userAgent"`
	ClientIP            string    `json:"clientIp"`
	ClientPort          string    `json:"clientPort"`
	SocketIP            string    `json:"socketIp"`
	TimeTaken           float64   `json:"timeTaken"`       // seconds to the last byte
	TimeToFirstByte     float64   `json:"timeToFirstByte"` // seconds
	RequestProtocol     string    `json:"requestProtocol"`
	SecurityProtocol    string    `json:"securityProtocol"`
	SecurityCipher      string    `json:"securityCipher"`
	Sni                 string    `json:"sni"`
	Endpoint            string    `json:"endpoint"`
	RouteName           string    `json:"routeName"`
	RulesEngineMatches  []string  `json:"rulesEngineMatchNames"`
	HTTPStatusCode      int       `json:"httpStatusCode"`
	HTTPStatusDetails   int       `json:"httpStatusDetails"`
	Pop                 string    `json:"pop"` // the edge
	CacheStatus         string    `json:"cacheStatus"`
	Referer             string    `json:"referer"`
	OriginURL           string    `json:"originUrl"`
	OriginIP            string    `json:"originIp"`
	OriginName          string    `json:"originName"`
	OriginStatusCode    int       `json:"originStatusCode"`
	ErrorInfo           string    `json:"errorInfo"` // NoError, or what went wrong
	Result              string    `json:"result"`
	WebFirewallDecision string    `json:"wafDecision,omitempty"` // ours: the rule that blocked
	Group               string    `json:"originGroup,omitempty"` // ours
	Error               string    `json:"error,omitempty"`       // ours: of the connection to the origin
}

// ProbeRecord is a line of the health probe log, with the columns of
// FrontDoorHealthProbeLog ("Monitor metrics and logs in Azure Front Door"): of
// probes that failed.
type ProbeRecord struct {
	Time              time.Time `json:"time"`
	HealthProbeID     string    `json:"healthProbeId"`
	Pop               string    `json:"POP"`
	HTTPVerb          string    `json:"httpVerb"`
	Result            string    `json:"result"`
	HTTPStatusCode    int       `json:"httpStatusCode"`
	ProbeURL          string    `json:"probeURL"`
	OriginName        string    `json:"originName"`
	OriginURL         string    `json:"originURL"`
	OriginIP          string    `json:"originIP"`
	TotalLatency      float64   `json:"totalLatencyMilliseconds"`
	ConnectionLatency float64   `json:"connectionLatencyMilliseconds"`

	ok   bool
	said string
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
