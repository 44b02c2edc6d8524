package paas

import (
	"encoding/base64"
	"encoding/xml"
	"net/http"
	"regexp"
	"strconv"
	"strings"
)

func itoa(n int64) string { return strconv.FormatInt(n, 10) }

// maxMetadata is the size of a resource's metadata, in bytes; names are C#
// identifiers ("Setting and retrieving properties and metadata for Blob service
// resources").
const maxMetadata = 8 << 10

var metadataName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

const metadataPrefix = "X-Ms-Meta-"

// metadata reads the metadata of a request.
func (c *blobCall) metadata() (map[string]string, error) {
	var out map[string]string
	size := 0
	for name, list := range c.r.Header {
		if len(name) <= len(metadataPrefix) || !strings.EqualFold(name[:len(metadataPrefix)], metadataPrefix) {
			continue
		}
		key, value := strings.ToLower(name[len(metadataPrefix):]), strings.Join(list, ",")
		if !metadataName.MatchString(key) {
			return nil, &storageError{400, "InvalidMetadata", "The specified metadata is invalid. It includes characters that are not permitted."}
		}
		if size += len(key) + len(value); size > maxMetadata {
			return nil, &storageError{400, "MetadataTooLarge", "The size of the specified metadata exceeds the maximum size permitted."}
		}
		if out == nil {
			out = map[string]string{}
		}
		out[key] = value
	}
	return out, nil
}

func (c *blobCall) showMetadata(m map[string]string) {
	for k, v := range m {
		c.w.Header()[metadataPrefix+k] = []string{v}
	}
}

func (c *blobCall) showStamp(s stamp) {
	c.w.Header().Set("ETag", s.etag)
	c.w.Header().Set("Last-Modified", s.modified.Format(http.TimeFormat))
}

// publicAccess reads x-ms-blob-public-access.
func (c *blobCall) publicAccess() (string, error) {
	switch v := strings.ToLower(c.r.Header.Get("X-Ms-Blob-Public-Access")); v {
	case "":
		return "", nil
	case "blob", "container":
		if open, _ := c.doc.Properties()["allowBlobPublicAccess"].(bool); !open {
			return "", &storageError{409, "PublicAccessNotPermitted", "Public access is not permitted on this storage account."}
		}
		return v, nil
	default:
		return "", invalidHeader("x-ms-blob-public-access", v)
	}
}

func (c *blobCall) createContainer() error {
	metadata, err := c.metadata()
	if err != nil {
		return err
	}
	access, err := c.publicAccess()
	if err != nil {
		return err
	}
	made, err := c.a.create(c.container, access, metadata, c.now)
	if err != nil {
		return err
	}
	c.showStamp(made.stamp)
	c.w.WriteHeader(http.StatusCreated)
	return nil
}

func (c *blobCall) showContainer() error {
	s, err := c.a.container(c.container)
	if err != nil {
		return err
	}
	c.showStamp(s.stamp)
	c.showMetadata(s.metadata)
	h := c.w.Header()
	h.Set("X-Ms-Lease-Status", "unlocked")
	h.Set("X-Ms-Lease-State", "available")
	h.Set("X-Ms-Has-Immutability-Policy", "false")
	h.Set("X-Ms-Has-Legal-Hold", "false")
	if s.access != "" {
		h.Set("X-Ms-Blob-Public-Access", s.access)
	}
	c.w.WriteHeader(http.StatusOK)
	return nil
}

func (c *blobCall) metContainer(s stamp) error { return c.met(&s) }

func (c *blobCall) setContainerMetadata() error {
	metadata, err := c.metadata()
	if err != nil {
		return err
	}
	s, err := c.a.changeContainer(c.container, c.metContainer, func(x *container) { x.metadata = metadata }, c.now)
	if err != nil {
		return err
	}
	c.showStamp(s.stamp)
	c.w.WriteHeader(http.StatusOK)
	return nil
}

func (c *blobCall) setContainerAccess() error {
	if c.r.ContentLength > 0 {
		var ids struct {
			XMLName xml.Name   `xml:"SignedIdentifiers"`
			List    []struct{} `xml:"SignedIdentifier"`
		}
		if err := xml.NewDecoder(http.MaxBytesReader(c.w, c.r.Body, maxMetadata)).Decode(&ids); err != nil {
			return &storageError{400, "InvalidXmlDocument", "The specified XML is not syntactically valid."}
		}
		if len(ids.List) > 0 {
			return notImplemented("stored access policies")
		}
	}
	access, err := c.publicAccess()
	if err != nil {
		return err
	}
	s, err := c.a.changeContainer(c.container, c.metContainer, func(x *container) { x.access = access }, c.now)
	if err != nil {
		return err
	}
	c.showStamp(s.stamp)
	c.w.WriteHeader(http.StatusOK)
	return nil
}

func (c *blobCall) containerAccess() error {
	s, err := c.a.container(c.container)
	if err != nil {
		return err
	}
	c.showStamp(s.stamp)
	if s.access != "" {
		c.w.Header().Set("X-Ms-Blob-Public-Access", s.access)
	}
	c.xml(http.StatusOK, struct {
		XMLName xml.Name `xml:"SignedIdentifiers"`
	}{})
	return nil
}

func (c *blobCall) dropContainer() error {
	if err := c.a.drop(c.container, c.metContainer); err != nil {
		return err
	}
	c.w.WriteHeader(http.StatusAccepted)
	return nil
}

// maxResults is the largest page of a listing ("List Blobs").
const maxResults = 5000

func (c *blobCall) pageSize() (int, error) {
	text := c.q.Get("maxresults")
	if text == "" {
		return maxResults, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		return 0, &storageError{400, "OutOfRangeQueryParameterValue", "One of the query parameters specified in the request URI is outside the permissible range: maxresults."}
	}
	return min(n, maxResults), nil
}

// includes reports whether a listing is to include something.
func (c *blobCall) includes(what string) bool {
	for _, list := range c.q["include"] {
		for part := range strings.SplitSeq(list, ",") {
			if strings.EqualFold(part, what) {
				return true
			}
		}
	}
	return false
}

// xmlMetadata marshals metadata as elements of their names.
type xmlMetadata map[string]string

// MarshalXML implements xml.Marshaler.
func (m xmlMetadata) MarshalXML(e *xml.Encoder, start xml.StartElement) error {
	if err := e.EncodeToken(start); err != nil {
		return err
	}
	for _, k := range sortedKeys(m) {
		if err := e.EncodeElement(m[k], xml.StartElement{Name: xml.Name{Local: k}}); err != nil {
			return err
		}
	}
	return e.EncodeToken(start.End())
}

type xmlContainer struct {
	Name       string
	Properties struct {
		LastModified string `xml:"Last-Modified"`
		Etag         string
		LeaseStatus  string
		LeaseState   string
		PublicAccess string `xml:",omitempty"`
	}
	Metadata xmlMetadata `xml:",omitempty"`
}

func (c *blobCall) listContainers() error {
	limit, err := c.pageSize()
	if err != nil {
		return err
	}
	prefix, marker := c.q.Get("prefix"), c.q.Get("marker")
	out := struct {
		XMLName    xml.Name `xml:"EnumerationResults"`
		Endpoint   string   `xml:"ServiceEndpoint,attr"`
		Prefix     string   `xml:",omitempty"`
		Marker     string   `xml:",omitempty"`
		MaxResults int      `xml:",omitempty"`
		Containers struct {
			Container []xmlContainer
		}
		NextMarker string
	}{Endpoint: "https://" + c.host() + "/", Prefix: prefix, Marker: marker}
	for _, s := range c.a.all() {
		if !strings.HasPrefix(s.name, prefix) || s.name < marker {
			continue
		}
		if len(out.Containers.Container) == limit {
			out.NextMarker = s.name
			break
		}
		x := xmlContainer{Name: s.name}
		x.Properties.LastModified, x.Properties.Etag = s.stamp.modified.Format(http.TimeFormat), strings.Trim(s.stamp.etag, `"`)
		x.Properties.LeaseStatus, x.Properties.LeaseState, x.Properties.PublicAccess = "unlocked", "available", s.access
		if c.includes("metadata") {
			x.Metadata = s.metadata
		}
		out.Containers.Container = append(out.Containers.Container, x)
	}
	c.xml(http.StatusOK, out)
	return nil
}

type xmlBlob struct {
	Name       string
	Properties struct {
		CreationTime       string `xml:"Creation-Time"`
		LastModified       string `xml:"Last-Modified"`
		Etag               string
		ContentLength      int    `xml:"Content-Length"`
		ContentType        string `xml:"Content-Type"`
		ContentEncoding    string `xml:"Content-Encoding"`
		ContentLanguage    string `xml:"Content-Language"`
		ContentMD5         string `xml:"Content-MD5"`
		CacheControl       string `xml:"Cache-Control"`
		ContentDisposition string `xml:"Content-Disposition"`
		BlobType           string
		AccessTier         string
		AccessTierInferred bool
		LeaseStatus        string
		LeaseState         string
		ServerEncrypted    bool
	}
	Metadata xmlMetadata `xml:",omitempty"`
}

func (c *blobCall) listBlobs() error {
	limit, err := c.pageSize()
	if err != nil {
		return err
	}
	prefix, delimiter, marker := c.q.Get("prefix"), c.q.Get("delimiter"), c.q.Get("marker")
	from := marker
	if marker != "" {
		raw, err := base64.RawURLEncoding.DecodeString(marker)
		if err != nil {
			return &storageError{400, "InvalidQueryParameterValue", "Value for one of the query parameters specified in the request URI is invalid: marker."}
		}
		from = string(raw)
	}
	list, err := c.a.list(c.container, prefix, delimiter, from, limit)
	if err != nil {
		return err
	}
	out := struct {
		XMLName    xml.Name `xml:"EnumerationResults"`
		Endpoint   string   `xml:"ServiceEndpoint,attr"`
		Container  string   `xml:"ContainerName,attr"`
		Prefix     string   `xml:",omitempty"`
		Marker     string   `xml:",omitempty"`
		MaxResults int      `xml:",omitempty"`
		Delimiter  string   `xml:",omitempty"`
		Blobs      struct {
			Blob       []xmlBlob
			BlobPrefix []struct{ Name string }
		}
		NextMarker string
	}{Endpoint: "https://" + c.host() + "/", Container: c.container, Prefix: prefix, Marker: marker, MaxResults: limit, Delimiter: delimiter}
	for _, b := range list.blobs {
		x := xmlBlob{Name: b.name}
		p, h := &x.Properties, &b.headers
		p.CreationTime, p.LastModified, p.Etag = b.created.Format(http.TimeFormat), b.stamp.modified.Format(http.TimeFormat), strings.Trim(b.stamp.etag, `"`)
		p.ContentLength, p.ContentType, p.ContentEncoding, p.ContentLanguage = len(b.data), h.contentType, h.encoding, h.language
		p.ContentMD5, p.CacheControl, p.ContentDisposition = base64.StdEncoding.EncodeToString(h.md5), h.cache, h.disposition
		p.BlobType, p.AccessTier, p.AccessTierInferred, p.LeaseStatus, p.LeaseState, p.ServerEncrypted = blockBlob, "Hot", true, "unlocked", "available", true
		if c.includes("metadata") {
			x.Metadata = b.metadata
		}
		out.Blobs.Blob = append(out.Blobs.Blob, x)
	}
	for _, name := range list.prefixes {
		out.Blobs.BlobPrefix = append(out.Blobs.BlobPrefix, struct{ Name string }{name})
	}
	if list.next != "" {
		out.NextMarker = base64.RawURLEncoding.EncodeToString([]byte(list.next))
	}
	c.xml(http.StatusOK, out)
	return nil
}
