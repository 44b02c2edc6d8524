package paas

import (
	"crypto/md5"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
)

// Limits of blobs ("Scalability and performance targets for Blob storage",
// "Naming and referencing containers, blobs, and metadata").
const (
	maxBlobName = 1024 // characters
	maxBlocks   = 50_000
	maxBlockID  = 64 // bytes before encoding
)

var containerName = regexp.MustCompile(`^(\$root|\$web|\$logs|[a-z0-9](-?[a-z0-9]){2,62})$`)

// account is what a storage account holds of blobs.
type account struct {
	limits Limits

	mu         sync.Mutex
	containers map[string]*container
	blobs      int   // in all containers
	bytes      int64 // in all blobs and blocks
	changes    uint64
	service    serviceProperties
}

// container is a container of blobs.
type container struct {
	name     string
	metadata map[string]string
	access   string // "", "blob" or "container": what anybody may read
	stamp    stamp
	managed  bool // made through Resource Manager, and gone with what that holds
	blobs    map[string]*blob
	pending  map[string]map[string][]byte // uncommitted blocks by blob and decoded ID
}

// stamp is when something was changed, and the tag that says so.
type stamp struct {
	etag     string // quoted
	modified time.Time
}

// blob is one block blob. It is never changed in place.
type blob struct {
	name     string
	data     []byte
	blocks   []block // as committed; none if it was put whole
	headers  blobHeaders
	metadata map[string]string
	created  time.Time
	stamp    stamp
}

type block struct {
	id   string // decoded
	data []byte
}

// blobHeaders are the system properties that clients set.
type blobHeaders struct {
	contentType, encoding, language, disposition, cache string
	md5                                                 []byte
}

// storageError is an error of the service: its code, status and words ("Blob
// Storage error codes", "Common REST API error codes").
type storageError struct {
	status        int
	code, message string
}

// Error implements error.
func (e *storageError) Error() string { return e.code + ": " + e.message }

// Errors of blobs and containers.
var (
	errNoContainer     = &storageError{404, "ContainerNotFound", "The specified container does not exist."}
	errNoBlob          = &storageError{404, "BlobNotFound", "The specified blob does not exist."}
	errContainerExists = &storageError{409, "ContainerAlreadyExists", "The specified container already exists."}
	errContainerName   = &storageError{400, "InvalidResourceName", "The specified resource name contains invalid characters."}
	errBlobName        = &storageError{400, "InvalidUri", "The requested URI does not represent any resource on the server."}
	errBlockList       = &storageError{400, "InvalidBlockList", "The specified block list is invalid."}
	errBlockID         = &storageError{400, "InvalidBlobOrBlock", "The specified blob or block content is invalid."}
	errBlockCount      = &storageError{409, "BlockCountExceedsLimit", "The uncommitted block count cannot exceed the maximum limit of 100,000 blocks."}
	errAccountFull     = &storageError{507, "InsufficientStorage", "The account is full: it keeps no more here."}
	errMD5             = &storageError{400, "Md5Mismatch", "The MD5 value specified in the request did not match with the MD5 value calculated by the server."}
)

// touch makes a new stamp. The caller holds mu.
func (a *account) touch(now time.Time) stamp {
	a.changes++
	return stamp{fmt.Sprintf("%q", fmt.Sprintf("0x%X%04X", now.UnixNano(), a.changes&0xffff)), now.Truncate(time.Second)}
}

// create makes a container.
func (a *account) create(name, access string, metadata map[string]string, now time.Time) (*container, error) {
	if !containerName.MatchString(name) {
		return nil, errContainerName
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.createLocked(name, access, metadata, now)
}

func (a *account) createLocked(name, access string, metadata map[string]string, now time.Time) (*container, error) {
	switch {
	case a.containers[name] != nil:
		return nil, errContainerExists
	case len(a.containers) >= a.limits.Containers:
		return nil, errAccountFull
	}
	c := &container{name: name, access: access, metadata: metadata, stamp: a.touch(now), blobs: map[string]*blob{}, pending: map[string]map[string][]byte{}}
	a.containers[name] = c
	return c, nil
}

// fill puts a declared blob, and makes its container if there is none.
func (a *account) fill(name, path string, data []byte, now time.Time) error {
	if !containerName.MatchString(name) {
		return errContainerName
	}
	a.mu.Lock()
	if a.containers[name] == nil {
		if _, err := a.createLocked(name, "", nil, now); err != nil {
			a.mu.Unlock()
			return err
		}
	}
	a.mu.Unlock()
	_, err := a.put(name, &blob{name: path, data: data, headers: blobHeaders{contentType: "text/plain; charset=utf-8"}}, nil, now)
	return err
}

// state is what a container says of itself.
type state struct {
	name, access string
	metadata     map[string]string
	stamp        stamp
}

func (c *container) state() state { return state{c.name, c.access, c.metadata, c.stamp} }

// container returns what a container says of itself.
func (a *account) container(name string) (state, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	c := a.containers[name]
	if c == nil {
		return state{}, errNoContainer
	}
	return c.state(), nil
}

// all returns the containers by name.
func (a *account) all() []state {
	a.mu.Lock()
	defer a.mu.Unlock()
	var out []state
	for _, name := range slices.Sorted(maps.Keys(a.containers)) {
		out = append(out, a.containers[name].state())
	}
	return out
}

// changeContainer changes a container as long as the check, which may be nil,
// says nothing against it.
func (a *account) changeContainer(name string, check func(stamp) error, change func(*container), now time.Time) (state, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	c := a.containers[name]
	if c == nil {
		return state{}, errNoContainer
	}
	if check != nil {
		if err := check(c.stamp); err != nil {
			return state{}, err
		}
	}
	change(c)
	c.stamp = a.touch(now)
	return c.state(), nil
}

// drop deletes a container with all that is in it.
func (a *account) drop(name string, check func(stamp) error) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	c := a.containers[name]
	if c == nil {
		return errNoContainer
	}
	if err := check(c.stamp); err != nil {
		return err
	}
	for _, b := range c.blobs {
		a.bytes -= int64(len(b.data))
		a.blobs--
	}
	for name := range c.pending {
		a.discard(c, name)
	}
	delete(a.containers, name)
	return nil
}

// blob returns a blob.
func (a *account) blob(container, name string) (*blob, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	c := a.containers[container]
	if c == nil {
		return nil, errNoContainer
	}
	b := c.blobs[name]
	if b == nil {
		return nil, errNoBlob
	}
	return b, nil
}

// put stores a blob whole, in place of one of its name. check is asked about
// that one, nil if there is none.
func (a *account) put(container string, b *blob, check func(*blob) error, now time.Time) (*blob, error) {
	if b.name == "" || len(b.name) > maxBlobName {
		return nil, errBlobName
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	c := a.containers[container]
	if c == nil {
		return nil, errNoContainer
	}
	if b.headers.md5 == nil {
		sum := md5.Sum(b.data)
		b.headers.md5 = sum[:]
	}
	if err := a.replace(c, b, check, now); err != nil {
		return nil, err
	}
	a.discard(c, b.name)
	return b, nil
}

// replace puts b where c has another of its name. The caller holds mu.
func (a *account) replace(c *container, b *blob, check func(*blob) error, now time.Time) error {
	old := c.blobs[b.name]
	if check != nil {
		if err := check(old); err != nil {
			return err
		}
	}
	more, one := int64(len(b.data)), 1
	if old != nil {
		more, one = more-int64(len(old.data)), 0
	}
	if a.bytes+more > a.limits.Bytes || a.blobs+one > a.limits.Blobs {
		return errAccountFull
	}
	if b.created = now; old != nil {
		b.created = old.created
	}
	b.stamp = a.touch(now)
	c.blobs[b.name] = b
	a.bytes += more
	a.blobs += one
	return nil
}

// discard forgets the uncommitted blocks of a blob. The caller holds mu.
func (a *account) discard(c *container, name string) {
	for _, data := range c.pending[name] {
		a.bytes -= int64(len(data))
	}
	delete(c.pending, name)
}

// remove deletes a blob.
func (a *account) remove(container, name string, check func(*blob) error) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	c := a.containers[container]
	if c == nil {
		return errNoContainer
	}
	b := c.blobs[name]
	if b == nil {
		return errNoBlob
	}
	if err := check(b); err != nil {
		return err
	}
	a.discard(c, name)
	delete(c.blobs, name)
	a.bytes -= int64(len(b.data))
	a.blobs--
	return nil
}

// amend changes the properties or metadata of a blob.
func (a *account) amend(container, name string, check func(*blob) error, change func(*blob), now time.Time) (*blob, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	c := a.containers[container]
	if c == nil {
		return nil, errNoContainer
	}
	old := c.blobs[name]
	if old == nil {
		return nil, errNoBlob
	}
	if err := check(old); err != nil {
		return nil, err
	}
	b := *old
	change(&b)
	b.stamp = a.touch(now)
	c.blobs[name] = &b
	return &b, nil
}

// stage keeps a block until it is committed. All identifiers of a blob have one
// length ("Put Block").
func (a *account) stage(container, name, id string, data []byte) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	c := a.containers[container]
	if c == nil {
		return errNoContainer
	}
	staged := c.pending[name]
	for other := range staged {
		if len(other) != len(id) {
			return errBlockID
		}
	}
	more := int64(len(data) - len(staged[id]))
	switch {
	case staged[id] == nil && len(staged) >= 2*maxBlocks:
		return errBlockCount
	case a.bytes+more > a.limits.Bytes:
		return errAccountFull
	}
	if staged == nil {
		staged = map[string][]byte{}
		c.pending[name] = staged
	}
	staged[id] = data
	a.bytes += more
	return nil
}

// blockRef is an element of a block list.
type blockRef struct {
	from string // Committed, Uncommitted or Latest
	id   string // decoded
}

// commit makes a blob of blocks ("Put Block List").
func (a *account) commit(container string, b *blob, list []blockRef, check func(*blob) error, now time.Time) (*blob, error) {
	if b.name == "" || len(b.name) > maxBlobName {
		return nil, errBlobName
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	c := a.containers[container]
	if c == nil {
		return nil, errNoContainer
	}
	committed := map[string][]byte{}
	if old := c.blobs[b.name]; old != nil {
		for _, x := range old.blocks {
			committed[x.id] = x.data
		}
	}
	staged := c.pending[b.name]
	var size int64
	for _, ref := range list {
		data, ok := staged[ref.id]
		switch ref.from {
		case "Committed":
			data, ok = committed[ref.id]
		case "Latest":
			if !ok {
				data, ok = committed[ref.id]
			}
		}
		if size += int64(len(data)); !ok || size > a.limits.Bytes {
			return nil, errBlockList
		}
		b.blocks = append(b.blocks, block{ref.id, data})
	}
	b.data = make([]byte, 0, size)
	for i := range b.blocks {
		from := len(b.data)
		b.data = append(b.data, b.blocks[i].data...)
		b.blocks[i].data = b.data[from:len(b.data):len(b.data)]
	}
	if err := a.replace(c, b, check, now); err != nil {
		return nil, err
	}
	a.discard(c, b.name)
	return b, nil
}

// blockLists returns the committed and the uncommitted blocks of a blob.
func (a *account) blockLists(container, name string) (b *blob, committed, staged []block, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	c := a.containers[container]
	if c == nil {
		return nil, nil, nil, errNoContainer
	}
	b = c.blobs[name]
	if b == nil && c.pending[name] == nil {
		return nil, nil, nil, errNoBlob
	}
	if b != nil {
		committed = b.blocks
	}
	for _, id := range slices.Sorted(maps.Keys(c.pending[name])) {
		staged = append(staged, block{id, c.pending[name][id]})
	}
	return b, committed, staged, nil
}

// listing is a page of blobs: names and prefixes in one order.
type listing struct {
	blobs    []*blob
	prefixes []string
	next     string // marker of what follows, "" at the end
}

// list returns up to limit blobs and prefixes at or after a marker.
func (a *account) list(container, prefix, delimiter, marker string, limit int) (listing, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	c := a.containers[container]
	if c == nil {
		return listing{}, errNoContainer
	}
	var names []string
	for name := range c.blobs {
		if strings.HasPrefix(name, prefix) && name >= marker {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	var out listing
	last := ""
	for _, name := range names {
		group := ""
		if delimiter != "" {
			if i := strings.Index(name[len(prefix):], delimiter); i >= 0 {
				group = name[:len(prefix)+i+len(delimiter)]
			}
		}
		if group != "" && group == last {
			continue
		}
		if len(out.blobs)+len(out.prefixes) == limit {
			out.next = name
			return out, nil
		}
		if group != "" {
			out.prefixes = append(out.prefixes, group)
			last = group
			continue
		}
		out.blobs = append(out.blobs, c.blobs[name])
	}
	return out, nil
}

// decodeBlockID reads the identifier of a block, which is Base64.
func decodeBlockID(text string) (string, error) {
	raw, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(raw) == 0 || len(raw) > maxBlockID {
		return "", &storageError{400, "InvalidQueryParameterValue", "Value for one of the query parameters specified in the request URI is invalid."}
	}
	return string(raw), nil
}

var _ error = (*storageError)(nil)

// asStorageError returns the service's error in err.
func asStorageError(err error) *storageError {
	var e *storageError
	if errors.As(err, &e) {
		return e
	}
	return &storageError{500, "InternalError", "The server encountered an internal error. Please retry the request."}
}
