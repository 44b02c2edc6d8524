package arm_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	azurearm "github.com/Azure/azure-sdk-for-go/sdk/azcore/arm"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/network/armnetwork/v9"
)

// The names the typed tests work with.
const (
	groupName      = "Net"
	subscriptionID = "11111111-1111-1111-1111-111111111111"
	region         = "westeurope"
)

var ctx = context.Background()

// life is one resource's life through Microsoft's typed clients. Each step is
// one call of the SDK; a nil step is one the type does not have.
type life struct {
	id     string
	create func() (any, error)
	get    func() (any, error)
	lists  []func() ([]string, error) // the IDs listed
	tag    func() (any, error)        // sets the tag "team" to "net"
	check  func(*testing.T, any)      // looks at what get gave
	remove func() (any, error)
	noEtag bool // the type has no etag
	stays  bool // removed along with its parent
}

// live runs lives: it creates and checks them in order and deletes them in
// reverse.
func live(t *testing.T, lives []life) {
	t.Helper()
	for _, l := range lives {
		if _, err := l.create(); err != nil {
			t.Fatalf("creating %s: %v", l.id, err)
		}
		first, err := l.get()
		if err != nil {
			t.Fatalf("getting %s: %v", l.id, err)
		}
		if l.tag != nil {
			if _, err := l.tag(); err != nil {
				t.Errorf("tagging %s: %v", l.id, err)
			} else if tagged, err := l.get(); err != nil || tagOf(tagged) != "net" {
				t.Errorf("%s has the tag %q, %v", l.id, tagOf(tagged), err)
			}
		}
		if _, err := l.create(); err != nil {
			t.Errorf("writing %s again: %v", l.id, err)
		}
		l.checkHead(t, first)
		for i, list := range l.lists {
			if ids, err := list(); err != nil || !slices.Contains(ids, l.id) {
				t.Errorf("list %d of %s has %v, %v", i, l.id, ids, err)
			}
		}
	}
	for _, l := range lives {
		if l.check == nil {
			continue
		}
		t.Run(l.id[strings.LastIndex(l.id, "providers/")+len("providers/"):], func(t *testing.T) {
			defer func() {
				if r := recover(); r != nil {
					t.Errorf("the check met an absent field: %v\n%s", r, debug.Stack())
				}
			}()
			got, err := l.get()
			if err != nil {
				t.Fatal(err)
			}
			l.check(t, got)
		})
	}
	for _, l := range slices.Backward(lives) {
		if l.stays {
			continue
		}
		for range 2 { // deleting what is gone is no error
			if _, err := l.remove(); err != nil {
				t.Fatalf("deleting %s: %v", l.id, err)
			}
		}
		if _, err := l.get(); statusOf(err) != 404 {
			t.Errorf("%s after its deletion: %v", l.id, err)
		}
	}
}

// checkHead looks at what every resource has: ID, name, type, etag and the end
// of its provisioning.
func (l life) checkHead(t *testing.T, got any) {
	t.Helper()
	name := l.id[strings.LastIndexByte(l.id, '/')+1:]
	if id := textField(got, "ID"); id != l.id {
		t.Errorf("ID %s, want %s", id, l.id)
	}
	if field(got, "Name").IsValid() && textField(got, "Name") != name {
		t.Errorf("%s: name %q", l.id, textField(got, "Name"))
	}
	// Some types are spelled otherwise than in IDs: Microsoft.Network/dnszones.
	if rid, err := azurearm.ParseResourceID(l.id); err != nil || field(got, "Type").IsValid() && !strings.EqualFold(textField(got, "Type"), rid.ResourceType.String()) {
		t.Errorf("%s: type %q, %v", l.id, textField(got, "Type"), err)
	}
	if etag := field(got, "Etag"); etag.IsValid() && etag.IsNil() != l.noEtag {
		t.Errorf("%s: etag %v", l.id, etag)
	}
	if p := field(got, "Properties"); p.IsValid() && !p.IsNil() {
		if state := p.Elem().FieldByName("ProvisioningState"); state.IsValid() && (state.IsNil() || state.Elem().String() != "Succeeded") {
			t.Errorf("%s: provisioning state %v", l.id, state)
		}
		if guid := p.Elem().FieldByName("ResourceGUID"); guid.IsValid() && guid.IsNil() {
			t.Errorf("%s has no resource GUID", l.id)
		}
	}
}

// field returns a field of a response, or of the resource it embeds.
func field(v any, name string) reflect.Value {
	r := reflect.ValueOf(v)
	for r.Kind() == reflect.Pointer {
		r = r.Elem()
	}
	if !r.IsValid() {
		return r
	}
	return r.FieldByName(name)
}

func textField(v any, name string) string {
	f := field(v, name)
	if !f.IsValid() || f.Kind() == reflect.Pointer && f.IsNil() {
		return ""
	}
	return reflect.Indirect(f).String()
}

func tagOf(v any) string {
	tags, _ := field(v, "Tags").Interface().(map[string]*string)
	if tags["team"] == nil {
		return ""
	}
	return *tags["team"]
}

func statusOf(err error) int {
	var e *azcore.ResponseError
	if errors.As(err, &e) {
		return e.StatusCode
	}
	return 0
}

func codeOf(err error) string {
	var e *azcore.ResponseError
	if errors.As(err, &e) {
		return e.ErrorCode
	}
	return ""
}

// wait polls an operation to its end.
func wait[R any](p *runtime.Poller[R], err error) (R, error) {
	if err != nil {
		var none R
		return none, err
	}
	return p.PollUntilDone(ctx, &runtime.PollUntilDoneOptions{Frequency: time.Second})
}

// Forms of the clients' methods, with what they are called with put in. O is
// the type of the options, R that of the response.

func begin[D, O, R any](f func(context.Context, string, string, D, *O) (*runtime.Poller[R], error), a, b string, doc D) func() (any, error) {
	return func() (any, error) { return wait(f(ctx, a, b, doc, nil)) }
}

func beginChild[D, O, R any](f func(context.Context, string, string, string, D, *O) (*runtime.Poller[R], error), a, b, c string, doc D) func() (any, error) {
	return func() (any, error) { return wait(f(ctx, a, b, c, doc, nil)) }
}

func set[D, O, R any](f func(context.Context, string, string, D, *O) (R, error), a, b string, doc D) func() (any, error) {
	return func() (any, error) { return f(ctx, a, b, doc, nil) }
}

func setChild[D, O, R any](f func(context.Context, string, string, string, D, *O) (R, error), a, b, c string, doc D) func() (any, error) {
	return func() (any, error) { return f(ctx, a, b, c, doc, nil) }
}

func call[O, R any](f func(context.Context, string, string, *O) (R, error), a, b string) func() (any, error) {
	return func() (any, error) { return f(ctx, a, b, nil) }
}

func callChild[O, R any](f func(context.Context, string, string, string, *O) (R, error), a, b, c string) func() (any, error) {
	return func() (any, error) { return f(ctx, a, b, c, nil) }
}

func drop[O, R any](f func(context.Context, string, string, *O) (*runtime.Poller[R], error), a, b string) func() (any, error) {
	return func() (any, error) { return wait(f(ctx, a, b, nil)) }
}

func dropChild[O, R any](f func(context.Context, string, string, string, *O) (*runtime.Poller[R], error), a, b, c string) func() (any, error) {
	return func() (any, error) { return wait(f(ctx, a, b, c, nil)) }
}

// pages returns the IDs of all pages of a fresh pager.
func pages[R any](fresh func() *runtime.Pager[R]) func() ([]string, error) {
	return func() ([]string, error) {
		var ids []string
		for p := fresh(); p.More(); {
			page, err := p.NextPage(ctx)
			if err != nil {
				return ids, err
			}
			value := reflect.ValueOf(page).FieldByName("Value")
			for i := range value.Len() {
				ids = append(ids, textField(value.Index(i).Interface(), "ID"))
			}
		}
		return ids, nil
	}
}

func inGroup[O, R any](f func(string, *O) *runtime.Pager[R]) func() ([]string, error) {
	return pages(func() *runtime.Pager[R] { return f(groupName, nil) })
}

func everywhere[O, R any](f func(*O) *runtime.Pager[R]) func() ([]string, error) {
	return pages(func() *runtime.Pager[R] { return f(nil) })
}

func below[O, R any](f func(string, string, *O) *runtime.Pager[R], parent string) func() ([]string, error) {
	return pages(func() *runtime.Pager[R] { return f(groupName, parent, nil) })
}

type idLists = []func() ([]string, error)

// that makes a check of a response of one type.
func that[R any](check func(*testing.T, R)) func(*testing.T, any) {
	return func(t *testing.T, got any) {
		t.Helper()
		r, ok := got.(R)
		if !ok {
			t.Fatalf("the answer is a %T", got)
		}
		check(t, r)
	}
}

// is reports values that differ; pointers are compared by what they point to.
func is[T comparable](t *testing.T, what string, got *T, want T) {
	t.Helper()
	if got == nil {
		t.Errorf("%s is absent, want %v", what, want)
	} else if *got != want {
		t.Errorf("%s is %v, want %v", what, *got, want)
	}
}

// ref is a reference to a resource of the provider Microsoft.Network.
func ref(id string) *armnetwork.SubResource { return &armnetwork.SubResource{ID: to.Ptr(id)} }

var teamTags = map[string]*string{"team": to.Ptr("net")}

var tagsObject = armnetwork.TagsObject{Tags: teamTags}

// doc reads a document of one of the SDK's types; "@" stands for the provider
// Microsoft.Network of the test's group, "~" for the group.
func doc[T any](text string) T {
	var v T
	if err := json.Unmarshal([]byte(expand(text)), &v); err != nil {
		panic(fmt.Sprintf("%v in %s", err, text))
	}
	return v
}

var expand = strings.NewReplacer("@", network, "~", group).Replace

// clients makes a module's client factory.
func clients[F any](s *sdk, fresh func(string, azcore.TokenCredential, *azurearm.ClientOptions) (*F, error)) *F {
	s.t.Helper()
	f, err := fresh(subscriptionID, s.credential, s.options)
	if err != nil {
		s.t.Fatal(err)
	}
	return f
}

// one returns the first of a list that must not be empty.
func one[T any](t *testing.T, list []*T) *T {
	t.Helper()
	if len(list) == 0 {
		t.Fatal("the list is empty")
	}
	return list[0]
}

// lastOf returns the name in an ID.
func lastOf(id string) string { return id[strings.LastIndexByte(id, '/')+1:] }
