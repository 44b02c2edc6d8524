package paas

import (
	"bytes"
	"crypto/md5"
	"encoding/base64"
	"encoding/xml"
	"io"
	"net/http"
	"strconv"
	"strings"
)

const blockBlob = "BlockBlob"

// read reads a request body and holds it against its MD5, if there is one.
func (c *blobCall) read() ([]byte, error) {
	data, err := io.ReadAll(http.MaxBytesReader(c.w, c.r.Body, c.planes.limits.Body))
	if err != nil {
		return nil, err
	}
	if text := c.r.Header.Get("Content-Md5"); text != "" {
		sum := md5.Sum(data)
		given, err := base64.StdEncoding.DecodeString(text)
		switch {
		case err != nil || len(given) != len(sum):
			return nil, &storageError{400, "InvalidMd5", "The MD5 value specified in the request is invalid. The MD5 value must be 128 bits and Base64-encoded."}
		case !bytes.Equal(given, sum[:]):
			return nil, errMD5
		}
	}
	return data, nil
}

// headers reads the system properties of a request. Put Blob takes the
// standard headers where the x-ms-blob- ones are absent.
func (c *blobCall) headers(standard bool) (blobHeaders, error) {
	get := func(name string) string {
		v := c.r.Header.Get("X-Ms-Blob-" + name)
		if v == "" && standard {
			v = c.r.Header.Get(name)
		}
		return v
	}
	h := blobHeaders{
		contentType: get("Content-Type"), encoding: get("Content-Encoding"), language: get("Content-Language"),
		disposition: c.r.Header.Get("X-Ms-Blob-Content-Disposition"), cache: get("Cache-Control"),
	}
	if h.contentType == "" {
		h.contentType = "application/octet-stream"
	}
	if text := c.r.Header.Get("X-Ms-Blob-Content-Md5"); text != "" {
		sum, err := base64.StdEncoding.DecodeString(text)
		if err != nil || len(sum) != md5.Size {
			return h, &storageError{400, "InvalidMd5", "The MD5 value specified in the request is invalid. The MD5 value must be 128 bits and Base64-encoded."}
		}
		h.md5 = sum
	}
	return h, nil
}

// write reads what puts of whole blobs and of block lists have in common.
func (c *blobCall) write(standard bool) (*blob, error) {
	h, err := c.headers(standard)
	if err != nil {
		return nil, err
	}
	metadata, err := c.metadata()
	if err != nil {
		return nil, err
	}
	return &blob{name: c.name, headers: h, metadata: metadata}, nil
}

func (c *blobCall) putBlob() error {
	switch kind := c.r.Header.Get("X-Ms-Blob-Type"); {
	case c.r.Header.Get("X-Ms-Copy-Source") != "":
		return notImplemented("copying from a URL")
	case kind == "":
		return missingHeader("x-ms-blob-type")
	case strings.EqualFold(kind, "PageBlob"), strings.EqualFold(kind, "AppendBlob"):
		return notImplemented("blobs of the type " + kind)
	case !strings.EqualFold(kind, blockBlob):
		return invalidHeader("x-ms-blob-type", kind)
	}
	b, err := c.write(true)
	if err != nil {
		return err
	}
	if b.data, err = c.read(); err != nil {
		return err
	}
	if given := b.headers.md5; given != nil {
		if sum := md5.Sum(b.data); !bytes.Equal(given, sum[:]) {
			return errMD5
		}
	}
	made, err := c.a.put(c.container, b, c.metBlob, c.now)
	if err != nil {
		return err
	}
	c.written(made, made.headers.md5)
	return nil
}

// written answers that a blob has been made.
func (c *blobCall) written(b *blob, sum []byte) {
	c.showStamp(b.stamp)
	h := c.w.Header()
	if sum != nil {
		h.Set("Content-MD5", base64.StdEncoding.EncodeToString(sum))
	}
	h.Set("X-Ms-Request-Server-Encrypted", "true")
	c.w.WriteHeader(http.StatusCreated)
}

func (c *blobCall) putBlock() error {
	id, err := decodeBlockID(c.q.Get("blockid"))
	if err != nil {
		return err
	}
	if c.r.Header.Get("X-Ms-Copy-Source") != "" {
		return notImplemented("blocks from a URL")
	}
	data, err := c.read()
	if err != nil {
		return err
	}
	if err := c.a.stage(c.container, c.name, id, data); err != nil {
		return err
	}
	sum := md5.Sum(data)
	c.w.Header().Set("Content-MD5", base64.StdEncoding.EncodeToString(sum[:]))
	c.w.Header().Set("X-Ms-Request-Server-Encrypted", "true")
	c.w.WriteHeader(http.StatusCreated)
	return nil
}

func (c *blobCall) putBlockList() error {
	body, err := c.read()
	if err != nil {
		return err
	}
	list, err := parseBlockList(body)
	if err != nil {
		return err
	}
	b, err := c.write(false)
	if err != nil {
		return err
	}
	made, err := c.a.commit(c.container, b, list, c.metBlob, c.now)
	if err != nil {
		return err
	}
	c.written(made, nil)
	return nil
}

// parseBlockList reads the body of Put Block List.
func parseBlockList(body []byte) ([]blockRef, error) {
	wrong := &storageError{400, "InvalidXmlDocument", "The specified XML is not syntactically valid."}
	d := xml.NewDecoder(bytes.NewReader(body))
	var list []blockRef
	inside := false
	for {
		t, err := d.Token()
		if err == io.EOF && inside {
			return list, nil
		}
		if err != nil {
			return nil, wrong
		}
		start, ok := t.(xml.StartElement)
		switch {
		case !ok:
		case !inside && start.Name.Local == "BlockList":
			inside = true
		case inside && (start.Name.Local == "Committed" || start.Name.Local == "Uncommitted" || start.Name.Local == "Latest"):
			var text string
			if d.DecodeElement(&text, &start) != nil {
				return nil, wrong
			}
			id, err := decodeBlockID(strings.TrimSpace(text))
			if err != nil {
				return nil, errBlockList
			}
			if list = append(list, blockRef{start.Name.Local, id}); len(list) > maxBlocks {
				return nil, &storageError{400, "BlockListTooLong", "The block list may not contain more than 50,000 blocks."}
			}
		default:
			return nil, wrong
		}
	}
}

type xmlBlock struct {
	Name string
	Size int
}

func (c *blobCall) getBlockList() error {
	b, committed, staged, err := c.a.blockLists(c.container, c.name)
	if err != nil {
		return err
	}
	type blocks struct{ Block []xmlBlock }
	out := struct {
		XMLName           xml.Name `xml:"BlockList"`
		CommittedBlocks   *blocks  `xml:",omitempty"`
		UncommittedBlocks *blocks  `xml:",omitempty"`
	}{}
	show := func(list []block) *blocks {
		x := &blocks{}
		for _, e := range list {
			x.Block = append(x.Block, xmlBlock{base64.StdEncoding.EncodeToString([]byte(e.id)), len(e.data)})
		}
		return x
	}
	kind := strings.ToLower(c.q.Get("blocklisttype"))
	if kind == "" || kind == "committed" || kind == "all" {
		out.CommittedBlocks = show(committed)
	}
	if kind == "uncommitted" || kind == "all" {
		out.UncommittedBlocks = show(staged)
	}
	if b != nil {
		c.showStamp(b.stamp)
		c.w.Header().Set("X-Ms-Blob-Content-Length", strconv.Itoa(len(b.data)))
	}
	c.xml(http.StatusOK, out)
	return nil
}

// span reads the range of a request, which x-ms-range says before Range
// ("Specifying the range header for Blob service operations").
func span(h http.Header, size int) (from, to int, partial bool, err error) {
	text := h.Get("X-Ms-Range")
	if text == "" {
		text = h.Get("Range")
	}
	rest, ok := strings.CutPrefix(text, "bytes=")
	if text == "" || !ok {
		return 0, size, false, nil
	}
	first, last, ok := strings.Cut(rest, "-")
	if from, err = strconv.Atoi(first); err != nil || !ok || from < 0 {
		return 0, size, false, nil // one it does not know is ignored (RFC 9110 section 14.2)
	}
	to = size
	if last != "" {
		n, err := strconv.Atoi(last)
		if err != nil || n < from {
			return 0, size, false, nil
		}
		to = min(size, n+1)
	}
	if from >= size {
		return 0, 0, false, errWrongRange
	}
	return from, to, true, nil
}

func (c *blobCall) getBlob() error {
	b, err := c.a.blob(c.container, c.name)
	if err != nil {
		return err
	}
	if err := c.met(&b.stamp); err != nil {
		if err == errNotModified {
			c.showStamp(b.stamp)
		}
		return err
	}
	h := c.w.Header()
	head := c.r.Method == http.MethodHead
	from, to, partial := 0, len(b.data), false
	if !head {
		if from, to, partial, err = span(c.r.Header, len(b.data)); err != nil {
			h.Set("Content-Range", "bytes */"+strconv.Itoa(len(b.data)))
			return err
		}
	}
	c.showStamp(b.stamp)
	c.showMetadata(b.metadata)
	c.showProperties(b)
	h.Set("Accept-Ranges", "bytes")
	h.Set("Content-Length", strconv.Itoa(to-from))
	sum := "Content-MD5"
	status := http.StatusOK
	if partial {
		sum, status = "X-Ms-Blob-Content-MD5", http.StatusPartialContent
		h.Set("Content-Range", "bytes "+strconv.Itoa(from)+"-"+strconv.Itoa(to-1)+"/"+strconv.Itoa(len(b.data)))
		if strings.EqualFold(c.r.Header.Get("X-Ms-Range-Get-Content-Md5"), "true") {
			part := md5.Sum(b.data[from:to])
			h.Set("Content-MD5", base64.StdEncoding.EncodeToString(part[:]))
		}
	}
	if b.headers.md5 != nil {
		h.Set(sum, base64.StdEncoding.EncodeToString(b.headers.md5))
	}
	c.w.WriteHeader(status)
	if !head {
		_, _ = c.w.Write(b.data[from:to]) // a client that is gone does not read it
	}
	return nil
}

func (c *blobCall) showProperties(b *blob) {
	h := c.w.Header()
	for name, v := range map[string]string{
		"Content-Type": b.headers.contentType, "Content-Encoding": b.headers.encoding, "Content-Language": b.headers.language,
		"Content-Disposition": b.headers.disposition, "Cache-Control": b.headers.cache,
		"X-Ms-Blob-Type": blockBlob, "X-Ms-Lease-Status": "unlocked", "X-Ms-Lease-State": "available",
		"X-Ms-Server-Encrypted": "true", "X-Ms-Access-Tier": "Hot", "X-Ms-Access-Tier-Inferred": "true",
		"X-Ms-Creation-Time": b.created.UTC().Format(http.TimeFormat),
	} {
		if v != "" {
			h.Set(name, v)
		}
	}
}

func (c *blobCall) showBlobMetadata() error {
	b, err := c.a.blob(c.container, c.name)
	if err == nil {
		err = c.met(&b.stamp)
	}
	if err != nil {
		return err
	}
	c.showStamp(b.stamp)
	c.showMetadata(b.metadata)
	c.w.WriteHeader(http.StatusOK)
	return nil
}

func (c *blobCall) setBlobMetadata() error {
	metadata, err := c.metadata()
	if err != nil {
		return err
	}
	return c.amended(func(b *blob) { b.metadata = metadata })
}

func (c *blobCall) setBlobProperties() error {
	h, err := c.headers(false)
	if err != nil {
		return err
	}
	return c.amended(func(b *blob) { b.headers = h })
}

func (c *blobCall) amended(change func(*blob)) error {
	b, err := c.a.amend(c.container, c.name, c.metBlob, change, c.now)
	if err != nil {
		return err
	}
	c.showStamp(b.stamp)
	c.w.Header().Set("X-Ms-Request-Server-Encrypted", "true")
	c.w.WriteHeader(http.StatusOK)
	return nil
}

func (c *blobCall) deleteBlob() error {
	if err := c.a.remove(c.container, c.name, c.metBlob); err != nil {
		return err
	}
	c.w.Header().Set("X-Ms-Delete-Type-Permanent", "true")
	c.w.WriteHeader(http.StatusAccepted)
	return nil
}
