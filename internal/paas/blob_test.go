package paas_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/bloberror"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blockblob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/service"

	"github.com/ceruleannet/cerulean/internal/paas"
	"github.com/ceruleannet/cerulean/model"
)

const storeURL = "https://shopfiles.blob.core.windows.net/"

func (w *world) blobs(t *testing.T, who string) *azblob.Client {
	t.Helper()
	c, err := azblob.NewClient(storeURL, credential(who), &azblob.ClientOptions{ClientOptions: w.options()})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

const containers = "Microsoft.Storage/storageAccounts/blobServices/containers"

var owner = []string{containers + "/* " + storeID, "data:" + containers + "/blobs/* " + storeID}

// The life of blobs as the SDK leads it: containers, uploads whole and in
// blocks, ranges, metadata, listings, deletion.
func TestBlobs(t *testing.T) {
	w := newWorld(t, paas.Limits{})
	w.cloud.rights["owner"] = owner
	c, ctx := w.blobs(t, "owner"), t.Context()
	if _, err := c.CreateContainer(ctx, "orders", &azblob.CreateContainerOptions{Metadata: map[string]*string{"purpose": to.Ptr("tests")}}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.CreateContainer(ctx, "orders", nil); !bloberror.HasCode(err, bloberror.ContainerAlreadyExists) {
		t.Errorf("twice: %v", err)
	}
	if _, err := c.UploadBuffer(ctx, "missing", "x", nil, nil); !bloberror.HasCode(err, bloberror.ContainerNotFound) {
		t.Errorf("into nothing: %v", err)
	}
	small := []byte("the first order")
	if _, err := c.UploadBuffer(ctx, "orders", "2026/first order.txt", small, &azblob.UploadBufferOptions{
		HTTPHeaders: &blob.HTTPHeaders{BlobContentType: to.Ptr("text/plain")}, Metadata: map[string]*string{"Number": to.Ptr("1")},
	}); err != nil {
		t.Fatal(err)
	}
	big := bytes.Repeat([]byte("0123456789abcdef"), 1<<16) // 1 MiB, in blocks of 256 KiB
	if _, err := c.UploadStream(ctx, "orders", "big", bytes.NewReader(big), &azblob.UploadStreamOptions{BlockSize: 256 << 10, Concurrency: 3}); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string][]byte{"2026/first order.txt": small, "big": big} {
		got := make([]byte, len(want))
		if _, err := c.DownloadBuffer(ctx, "orders", name, got, &azblob.DownloadBufferOptions{BlockSize: 100_000, Concurrency: 3}); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	res, err := c.DownloadStream(ctx, "orders", "2026/first order.txt", &azblob.DownloadStreamOptions{Range: azblob.HTTPRange{Offset: 4, Count: 5}})
	if err != nil {
		t.Fatal(err)
	}
	part, err := io.ReadAll(res.Body)
	res.Body.Close()
	if err != nil || string(part) != "first" || *res.ContentRange != "bytes 4-8/15" || *res.ContentType != "text/plain" || *res.Metadata["Number"] != "1" {
		t.Errorf("%q %v %v %v, %v", part, res.ContentRange, *res.ContentType, res.Metadata, err)
	}
	list := func(o *container.ListBlobsFlatOptions) (names []string, pages int) {
		for p := c.ServiceClient().NewContainerClient("orders").NewListBlobsFlatPager(o); p.More(); pages++ {
			page, err := p.NextPage(ctx)
			if err != nil {
				t.Fatal(err)
			}
			for _, b := range page.Segment.BlobItems {
				names = append(names, *b.Name)
				if o != nil && o.Include.Metadata && *b.Name != "big" && *b.Metadata["number"] != "1" {
					t.Errorf("metadata of %s: %v", *b.Name, b.Metadata)
				}
			}
		}
		return names, pages
	}
	if names, _ := list(&container.ListBlobsFlatOptions{Include: container.ListBlobsInclude{Metadata: true}}); strings.Join(names, " ") != "2026/first order.txt big" {
		t.Errorf("%q", names)
	}
	if names, pages := list(&container.ListBlobsFlatOptions{MaxResults: to.Ptr(int32(1))}); len(names) != 2 || pages != 2 {
		t.Errorf("%q in %d pages", names, pages)
	}
	tree := c.ServiceClient().NewContainerClient("orders").NewListBlobsHierarchyPager("/", nil)
	page, err := tree.NextPage(ctx)
	if err != nil || len(page.Segment.BlobPrefixes) != 1 || *page.Segment.BlobPrefixes[0].Name != "2026/" || len(page.Segment.BlobItems) != 1 {
		t.Errorf("%+v, %v", page.Segment, err)
	}
	properties, err := c.ServiceClient().NewContainerClient("orders").GetProperties(ctx, nil)
	if err != nil || *properties.Metadata["Purpose"] != "tests" {
		t.Errorf("%v, %v", properties.Metadata, err)
	}
	one := c.ServiceClient().NewContainerClient("orders").NewBlobClient("big")
	if _, err := one.SetMetadata(ctx, map[string]*string{"k": to.Ptr("v")}, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := one.SetHTTPHeaders(ctx, blob.HTTPHeaders{BlobCacheControl: to.Ptr("no-store")}, nil); err != nil {
		t.Fatal(err)
	}
	p, err := one.GetProperties(ctx, nil)
	if err != nil || *p.ContentLength != int64(len(big)) || *p.Metadata["K"] != "v" || *p.CacheControl != "no-store" {
		t.Errorf("%+v, %v", p, err)
	}
	if _, err := c.DeleteBlob(ctx, "orders", "big", nil); err != nil {
		t.Fatal(err)
	}
	if _, err := one.GetProperties(ctx, nil); !bloberror.HasCode(err, bloberror.BlobNotFound) {
		t.Errorf("deleted: %v", err)
	}
	if _, err := c.DeleteContainer(ctx, "orders", nil); err != nil {
		t.Fatal(err)
	}
	if pager := c.NewListContainersPager(nil); pager.More() {
		if page, err := pager.NextPage(ctx); err != nil || len(page.ContainerItems) != 0 {
			t.Errorf("%+v, %v", page, err)
		}
	}
}

// Blocks: committed, uncommitted and the latest; a list that names one which is
// not there is refused ("Put Block List").
func TestBlockLists(t *testing.T) {
	w := newWorld(t, paas.Limits{Bytes: 1000})
	w.cloud.rights["owner"] = owner
	c, ctx := w.blobs(t, "owner"), t.Context()
	if _, err := c.CreateContainer(ctx, "box", nil); err != nil {
		t.Fatal(err)
	}
	b := c.ServiceClient().NewContainerClient("box").NewBlockBlobClient("b")
	id := func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
	stage := func(name, text string) error {
		_, err := b.StageBlock(ctx, id(name), readSeekCloser{strings.NewReader(text)}, nil)
		return err
	}
	for name, text := range map[string]string{"1": "one ", "2": "two ", "3": "three"} {
		if err := stage(name, text); err != nil {
			t.Fatal(err)
		}
	}
	if err := stage("long", "x"); !bloberror.HasCode(err, bloberror.InvalidBlobOrBlock) {
		t.Errorf("identifiers of two lengths: %v", err)
	}
	if _, err := b.CommitBlockList(ctx, []string{id("1"), id("9")}, nil); !bloberror.HasCode(err, bloberror.InvalidBlockList) {
		t.Errorf("a block that is not there: %v", err)
	}
	if _, err := b.CommitBlockList(ctx, []string{id("2"), id("1")}, nil); err != nil {
		t.Fatal(err)
	}
	read := func() string {
		res, err := b.DownloadStream(ctx, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		text, _ := io.ReadAll(res.Body)
		return string(text)
	}
	if got := read(); got != "two one " {
		t.Errorf("%q", got)
	}
	if err := stage("1", "uno "); err != nil {
		t.Fatal(err)
	}
	lists, err := b.GetBlockList(ctx, blockblob.BlockListTypeAll, nil)
	if err != nil || len(lists.CommittedBlocks) != 2 || len(lists.UncommittedBlocks) != 1 || *lists.UncommittedBlocks[0].Name != id("1") {
		t.Errorf("%+v, %v", lists.BlockList, err)
	}
	if _, err := b.CommitBlockList(ctx, []string{id("1"), id("2")}, nil); err != nil {
		t.Fatal(err)
	}
	if got := read(); got != "uno two " {
		t.Errorf("%q", got)
	}
	if err := stage("4", strings.Repeat("x", 2000)); err == nil {
		t.Error("more than the account takes")
	}
}

type readSeekCloser struct{ io.ReadSeeker }

func (readSeekCloser) Close() error { return nil }

// Conditions hold reads, writes and deletions ("Specifying conditional headers
// for Blob service operations").
func TestConditions(t *testing.T) {
	w := newWorld(t, paas.Limits{})
	w.cloud.rights["owner"] = owner
	c, ctx := w.blobs(t, "owner"), t.Context()
	if _, err := c.CreateContainer(ctx, "box", nil); err != nil {
		t.Fatal(err)
	}
	first, err := c.UploadBuffer(ctx, "box", "b", []byte("1"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.UploadBuffer(ctx, "box", "b", []byte("2"), nil); err != nil {
		t.Fatal(err)
	}
	b := c.ServiceClient().NewContainerClient("box").NewBlockBlobClient("b")
	conditions := func(m blob.ModifiedAccessConditions) *blob.AccessConditions {
		return &blob.AccessConditions{ModifiedAccessConditions: &m}
	}
	now, err := b.GetProperties(ctx, nil)
	if err != nil {
		t.Fatal(err)
	}
	any := azcore.ETagAny
	later := now.LastModified.Add(time.Second)
	for name, tt := range map[string]struct {
		if_  blob.ModifiedAccessConditions
		want bloberror.Code
	}{
		"the old tag":           {blob.ModifiedAccessConditions{IfMatch: first.ETag}, bloberror.ConditionNotMet},
		"its tag":               {blob.ModifiedAccessConditions{IfMatch: now.ETag}, ""},
		"if it is not there":    {blob.ModifiedAccessConditions{IfNoneMatch: &any}, bloberror.BlobAlreadyExists},
		"unmodified since then": {blob.ModifiedAccessConditions{IfUnmodifiedSince: to.Ptr(now.LastModified.Add(-time.Hour))}, bloberror.ConditionNotMet},
		"modified since later":  {blob.ModifiedAccessConditions{IfModifiedSince: &later}, bloberror.ConditionNotMet},
	} {
		_, err := b.SetMetadata(ctx, nil, &blob.SetMetadataOptions{AccessConditions: conditions(tt.if_)})
		if tt.want == "" && err != nil || tt.want != "" && !bloberror.HasCode(err, tt.want) {
			t.Errorf("%s: %v", name, err)
		}
		now.ETag, now.LastModified = tagOf(t, ctx, b)
	}
	// The SDK takes 304 for an answer.
	known, err := b.DownloadStream(ctx, &blob.DownloadStreamOptions{AccessConditions: conditions(blob.ModifiedAccessConditions{IfNoneMatch: now.ETag})})
	if err != nil || known.ErrorCode == nil || *known.ErrorCode != string(bloberror.ConditionNotMet) {
		t.Errorf("a read of what is known: %+v, %v", known, err)
	}
	_, err = b.DownloadStream(ctx, &blob.DownloadStreamOptions{Range: blob.HTTPRange{Offset: 10}})
	if !bloberror.HasCode(err, bloberror.InvalidRange) {
		t.Errorf("a range beyond: %v", err)
	}
}

func tagOf(t *testing.T, ctx context.Context, b *blockblob.Client) (*azcore.ETag, *time.Time) {
	t.Helper()
	p, err := b.GetProperties(ctx, nil)
	if err != nil {
		t.Fatal(err)
	}
	return p.ETag, p.LastModified
}

// The account's key opens everything, and nothing else opens by a signature
// ("Authorize with Shared Key").
func TestSharedKey(t *testing.T) {
	w := newWorld(t, paas.Limits{})
	ctx := t.Context()
	client := func(key string) *azblob.Client {
		credential, err := azblob.NewSharedKeyCredential("shopfiles", key)
		if err != nil {
			t.Fatal(err)
		}
		c, err := azblob.NewClientWithSharedKeyCredential(storeURL, credential, &azblob.ClientOptions{ClientOptions: w.options()})
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	c := client(keyText())
	if _, err := c.CreateContainer(ctx, "box", nil); err != nil {
		t.Fatal(err)
	}
	if _, err := c.UploadBuffer(ctx, "box", "a b/ü+%.txt", []byte("text"), nil); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, 4)
	if _, err := c.DownloadBuffer(ctx, "box", "a b/ü+%.txt", got, nil); err != nil || string(got) != "text" {
		t.Errorf("%q, %v", got, err)
	}
	if page, err := c.NewListBlobsFlatPager("box", &azblob.ListBlobsFlatOptions{Prefix: to.Ptr("a "), Include: azblob.ListBlobsInclude{Metadata: true}}).NextPage(ctx); err != nil || len(page.Segment.BlobItems) != 1 {
		t.Errorf("%v", err)
	}
	_, err := client(base64.StdEncoding.EncodeToString([]byte("guessed"))).DownloadBuffer(ctx, "box", "x", got, nil)
	if !bloberror.HasCode(err, bloberror.AuthenticationFailed) {
		t.Errorf("another key: %v", err)
	}
	w.now.add(time.Hour)
	if _, err := c.CreateContainer(ctx, "late", nil); !bloberror.HasCode(err, bloberror.AuthenticationFailed) {
		t.Errorf("an old signature: %v", err)
	}
	w.now.add(-time.Hour)
	w.cloud.put(storeID, `{"properties":{"allowSharedKeyAccess":false}}`)
	_, err = c.CreateContainer(ctx, "more", nil)
	if s, code := status(err); s != 403 || code != "KeyBasedAuthenticationNotPermitted" {
		t.Errorf("keys switched off: %v", err)
	}
}

// Roles and the firewall refuse, each in its own words.
func TestBlobRefusals(t *testing.T) {
	w := newWorld(t, paas.Limits{})
	w.cloud.rights["reader"] = []string{containers + "/read " + storeID, "data:" + containers + "/blobs/read " + storeID + "/blobServices/default/containers/open"}
	if err := w.planes.Fill([]model.Contents{{Service: model.MustParseID(storeID), Blobs: map[string]string{"open/a.txt": "a", "shut/b.txt": "b"}}}); err != nil {
		t.Fatal(err)
	}
	ctx, got := t.Context(), make([]byte, 1)
	reader := w.blobs(t, "reader")
	if _, err := reader.DownloadBuffer(ctx, "open", "a.txt", got, nil); err != nil || string(got) != "a" {
		t.Fatalf("%q, %v", got, err)
	}
	for name, do := range map[string]func() error{
		"another container": func() error { _, err := reader.DownloadBuffer(ctx, "shut", "b.txt", got, nil); return err },
		"a write":           func() error { _, err := reader.UploadBuffer(ctx, "open", "a.txt", got, nil); return err },
		"a deletion":        func() error { _, err := reader.DeleteBlob(ctx, "open", "a.txt", nil); return err },
		"a new container":   func() error { _, err := reader.CreateContainer(ctx, "mine", nil); return err },
	} {
		// HEAD answers have no body, so that the code is told by a header.
		if err := do(); !bloberror.HasCode(err, bloberror.AuthorizationPermissionMismatch) {
			t.Errorf("%s: %v", name, err)
		}
	}
	anonymous, err := azblob.NewClientWithNoCredential(storeURL, &azblob.ClientOptions{ClientOptions: w.options()})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := anonymous.DownloadStream(ctx, "open", "a.txt", nil); !bloberror.HasCode(err, "NoAuthenticationInformation") {
		t.Errorf("nobody: %v", err)
	}
	w.refuse = true
	if _, err := reader.DownloadStream(ctx, "open", "a.txt", nil); !bloberror.HasCode(err, bloberror.AuthorizationFailure) {
		t.Errorf("by the firewall: %v", err)
	}
}

// A container that was made through Resource Manager ("Blob Containers - Create")
// is there, as it was made, and goes with it.
func TestManagedContainers(t *testing.T) {
	w := newWorld(t, paas.Limits{})
	w.cloud.rights["owner"] = owner
	c, ctx, got := w.blobs(t, "owner"), t.Context(), make([]byte, 1)
	if _, err := c.UploadBuffer(ctx, "made", "x", []byte("x"), nil); !bloberror.HasCode(err, bloberror.ContainerNotFound) {
		t.Errorf("before: %v", err)
	}
	id := storeID + "/blobServices/default/containers/made"
	w.cloud.put(id, `{"properties":{"publicAccess":"Blob","metadata":{"purpose":"tests"}}}`)
	if _, err := c.UploadBuffer(ctx, "made", "x", []byte("x"), nil); err != nil {
		t.Fatal(err)
	}
	p, err := c.ServiceClient().NewContainerClient("made").GetProperties(ctx, nil)
	if err != nil || p.BlobPublicAccess == nil || *p.BlobPublicAccess != container.PublicAccessTypeBlob || p.Metadata["Purpose"] == nil || *p.Metadata["Purpose"] != "tests" {
		t.Errorf("%+v, %v", p, err)
	}
	if _, err := c.DownloadBuffer(ctx, "made", "x", got, nil); err != nil || string(got) != "x" {
		t.Errorf("%q, %v", got, err)
	}
	w.cloud.remove(id)
	if _, err := c.DownloadStream(ctx, "made", "x", nil); !bloberror.HasCode(err, bloberror.ContainerNotFound) {
		t.Errorf("after: %v", err)
	}
}

// Settings of the service: what a request leaves out stays as it is ("Set Blob
// Service Properties").
func TestBlobServiceProperties(t *testing.T) {
	w := newWorld(t, paas.Limits{})
	w.cloud.rights["owner"] = append([]string{"Microsoft.Storage/storageAccounts/blobServices/* " + storeID}, owner...)
	c, ctx := w.blobs(t, "owner").ServiceClient(), t.Context()
	if _, err := c.SetProperties(ctx, &service.SetPropertiesOptions{StaticWebsite: &service.StaticWebsite{Enabled: to.Ptr(true), IndexDocument: to.Ptr("a&b.html")}}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.SetProperties(ctx, &service.SetPropertiesOptions{DeleteRetentionPolicy: &service.RetentionPolicy{Enabled: to.Ptr(true), Days: to.Ptr(int32(7))}}); err != nil {
		t.Fatal(err)
	}
	p, err := c.GetProperties(ctx, nil)
	if err != nil {
		t.Fatal(err)
	}
	if s := p.StaticWebsite; s == nil || !*s.Enabled || *s.IndexDocument != "a&b.html" {
		t.Errorf("static website: %+v", s)
	}
	if d := p.DeleteRetentionPolicy; d == nil || !*d.Enabled || *d.Days != 7 {
		t.Errorf("retention: %+v", d)
	}
	if l := p.Logging; l == nil || *l.Read || len(p.CORS) != 0 {
		t.Errorf("what was never set: %+v, %v", l, p.CORS)
	}
	w.cloud.rights["reader"] = owner
	if _, err := w.blobs(t, "reader").ServiceClient().GetProperties(ctx, nil); !bloberror.HasCode(err, bloberror.AuthorizationPermissionMismatch) {
		t.Errorf("without the right: %v", err)
	}
}

// FuzzBlobs sends requests of any shape to an account: none makes it panic or
// answer with an internal error.
func FuzzBlobs(f *testing.F) {
	for _, seed := range []struct{ method, target, header, value, body string }{
		{"PUT", "/?restype=service&comp=properties", "", "", "<StorageServiceProperties><StaticWebsite><Enabled>true</Enabled></StaticWebsite></StorageServiceProperties>"},
		{"PUT", "/box/b?comp=blocklist", "X-Ms-Meta-A", "1", "<BlockList><Latest>MQ==</Latest></BlockList>"},
		{"GET", "/box?restype=container&comp=list&prefix=a&delimiter=/&maxresults=1", "", "", ""},
		{"GET", "/box/b", "X-Ms-Range", "bytes=1-", ""},
		{"PUT", "/box/b?comp=block&blockid=MQ==", "Content-Md5", "AA==", "x"},
		{"PUT", "/box/b", "X-Ms-Blob-Type", "BlockBlob", "text"},
		{"GET", "/?comp=list", "Authorization", "SharedKey shopfiles:AA==", ""},
		{"DELETE", "//..%2f?restype=container", "If-Match", "*", ""},
	} {
		f.Add(seed.method, seed.target, seed.header, seed.value, seed.body)
	}
	cloud := &fakeCloud{rights: map[string][]string{"owner": owner}}
	cloud.put(storeID, `{"properties":{}}`)
	planes := paas.New(cloud, func() time.Time { return start }, paas.Limits{Bytes: 1 << 16, Blobs: 50})
	if err := planes.Fill([]model.Contents{{Service: model.MustParseID(storeID), Blobs: map[string]string{"box/b": "text"}}}); err != nil {
		f.Fatal(err)
	}
	h := planes.Service(model.MustParseID(storeID))
	f.Fuzz(func(t *testing.T, method, target, header, value, body string) {
		req, err := http.NewRequest(method, "https://shopfiles.blob.core.windows.net"+target, strings.NewReader(body))
		if err != nil {
			return
		}
		req.Header.Set("Authorization", "Bearer owner@https://storage.azure.com")
		req.Header.Set("X-Ms-Version", "2025-11-05")
		req.Header[http.CanonicalHeaderKey(header)] = []string{value}
		res := serve(h, req)
		if res.StatusCode == 500 || res.StatusCode >= 400 && res.Header.Get("X-Ms-Error-Code") == "" {
			t.Errorf("%s %s: %s", method, target, res.Status)
		}
	})
}
