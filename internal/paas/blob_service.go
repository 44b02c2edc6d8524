package paas

import (
	"encoding/xml"
	"net/http"
	"strings"
	"time"
)

// followManaged makes the container of a request be there if it was made through
// Resource Manager ("Blob Containers - Create"), and be gone with it. Containers
// of the data plane are left alone.
func (c *blobCall) followManaged() {
	if !containerName.MatchString(c.container) {
		return
	}
	doc, ok := c.planes.cloud.Resource(c.id.Child("blobServices", "default").Child("containers", c.container))
	if !ok {
		c.a.forget(c.container)
		return
	}
	access, _ := doc.Properties()["publicAccess"].(string)
	access = strings.ToLower(access)
	if access == "none" {
		access = ""
	}
	metadata := map[string]string{}
	given, _ := doc.Properties()["metadata"].(map[string]any)
	for name, v := range given {
		if text, ok := v.(string); ok {
			metadata[name] = text
		}
	}
	c.a.hold(c.container, access, metadata, c.now)
}

// hold makes a container of Resource Manager, if there is none of the name and the
// account has room for it.
func (a *account) hold(name, access string, metadata map[string]string, now time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if c, err := a.createLocked(name, access, metadata, now); err == nil {
		c.managed = true
	}
}

// forget drops a container that Resource Manager held.
func (a *account) forget(name string) {
	a.mu.Lock()
	managed := a.containers[name] != nil && a.containers[name].managed
	a.mu.Unlock()
	if managed {
		_ = a.drop(name, func(stamp) error { return nil }) // gone meanwhile is as good
	}
}

// serviceProperties are the settings of an account's blobs ("Set Blob Service
// Properties"). They are kept and told back; of what they turn on, nothing is
// done here.
type serviceProperties struct {
	XMLName               xml.Name `xml:"StorageServiceProperties"`
	Logging               *section
	HourMetrics           *section
	MinuteMetrics         *section
	Cors                  *section
	DefaultServiceVersion *string `xml:",omitempty"`
	DeleteRetentionPolicy *section
	StaticWebsite         *section
}

// section is one of the settings, as it was written.
type section struct {
	Inner string `xml:",innerxml"`
}

// maxServiceProperties is the largest body of settings, in bytes.
const maxServiceProperties = 64 << 10

// setServiceProperties is "Set Blob Service Properties": what the request leaves
// out stays as it is.
func (c *blobCall) setServiceProperties() error {
	if !strings.EqualFold(c.q.Get("restype"), "service") {
		return errServiceOnly
	}
	var set serviceProperties
	if err := xml.NewDecoder(http.MaxBytesReader(c.w, c.r.Body, maxServiceProperties)).Decode(&set); err != nil {
		return &storageError{400, "InvalidXmlDocument", "XML specified is not syntactically valid."}
	}
	c.a.mu.Lock()
	s := &c.a.service
	for _, f := range []struct{ have, given **section }{
		{&s.Logging, &set.Logging},
		{&s.HourMetrics, &set.HourMetrics},
		{&s.MinuteMetrics, &set.MinuteMetrics},
		{&s.Cors, &set.Cors},
		{&s.DeleteRetentionPolicy, &set.DeleteRetentionPolicy},
		{&s.StaticWebsite, &set.StaticWebsite},
	} {
		if *f.given != nil {
			*f.have = *f.given
		}
	}
	if set.DefaultServiceVersion != nil {
		s.DefaultServiceVersion = set.DefaultServiceVersion
	}
	c.a.mu.Unlock()
	c.w.WriteHeader(http.StatusAccepted)
	return nil
}

// serviceProperties is "Get Blob Service Properties".
func (c *blobCall) serviceProperties() error {
	if !strings.EqualFold(c.q.Get("restype"), "service") {
		return errServiceOnly
	}
	c.a.mu.Lock()
	s := c.a.service
	c.a.mu.Unlock()
	const off = "<Version>1.0</Version><Enabled>false</Enabled><RetentionPolicy><Enabled>false</Enabled></RetentionPolicy>"
	for _, f := range []struct {
		have      **section
		otherwise string
	}{
		{&s.Logging, "<Version>1.0</Version><Read>false</Read><Write>false</Write><Delete>false</Delete><RetentionPolicy><Enabled>false</Enabled></RetentionPolicy>"},
		{&s.HourMetrics, off},
		{&s.MinuteMetrics, off},
		{&s.Cors, ""},
		{&s.DeleteRetentionPolicy, "<Enabled>false</Enabled>"},
		{&s.StaticWebsite, "<Enabled>false</Enabled>"},
	} {
		if *f.have == nil {
			*f.have = &section{f.otherwise}
		}
	}
	c.xml(http.StatusOK, s)
	return nil
}

var errServiceOnly = &storageError{400, "InvalidQueryParameterValue", "Value for one of the query parameters specified in the request URI is invalid: restype."}
