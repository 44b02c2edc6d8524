package arm_test

import (
	"bytes"
	"errors"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/ceruleannet/cerulean/internal/arm"
	"github.com/ceruleannet/cerulean/internal/state"
	"github.com/google/go-cmp/cmp"
)

// dump is all that a store holds, as stored.
func dump(s state.Store) []string {
	var out []string
	for e := range s.View().List("", "") {
		out = append(out, e.Resource.ID.String()+" "+string(e.JSON))
	}
	return out
}

// exported is a cloud with some of everything and its export.
func exported(t testing.TB) (*cloud, string) {
	t.Helper()
	c := newCloud(t).withGroup()
	c.must("PUT", network+"/virtualNetworks/v", vnetBody)
	c.must("PUT", network+"/networkInterfaces/n", nicBody(network+"/virtualNetworks/v/subnets/app", ""))
	c.must("PUT", network+"/virtualNetworks/v/providers/Microsoft.Authorization/locks/keep", `{"properties":{"level":"CanNotDelete"}}`)
	c.must("PUT", subscription+"/providers/Microsoft.Authorization/locks/all", `{"properties":{"level":"CanNotDelete"}}`)
	c.must("PUT", group+"/providers/Microsoft.Authorization/roleAssignments/0b1f6471-1bf0-4dda-aec3-111122223333", `{"properties":{
		"roleDefinitionId":"`+subscription+`/providers/Microsoft.Authorization/roleDefinitions/acdd72a7-3385-48ef-bd42-f606fba81ae7","principalId":"0b1f6471-1bf0-4dda-aec3-111122224444"}}`)
	var b bytes.Buffer
	if err := arm.Export(&b, c.store.View()); err != nil {
		t.Fatal(err)
	}
	return c, b.String()
}

// TestExport: a cloud made of an export holds the same, byte for byte, works on,
// and keeps its locks; a cloud that holds something is replaced only if asked.
func TestExport(t *testing.T) {
	from, export := exported(t)
	served := httptest.NewRecorder()
	req := httptest.NewRequest("GET", "/cerulean/export", nil)
	req.Host = strings.TrimPrefix(from.base, "https://")
	req.Header.Set("Authorization", "Bearer "+from.token)
	from.server.ServeHTTP(served, req)
	if served.Code != 200 || served.Body.String() != export {
		t.Errorf("the server's own export differs: %d", served.Code)
	}
	req.Header.Del("Authorization")
	served = httptest.NewRecorder()
	if from.server.ServeHTTP(served, req); served.Code != 401 {
		t.Errorf("without a token: %d", served.Code)
	}
	from.refused(405, "MethodNotAllowed", "POST", "/cerulean/export", "{}")
	to := newCloud(t)
	by := state.Actor{Who: "import"}
	n, err := arm.Import(strings.NewReader(export), to.store, by, false)
	if err != nil || n != from.store.View().Len() {
		t.Fatalf("%d documents, %v", n, err)
	}
	if diff := cmp.Diff(dump(from.store), dump(to.store)); diff != "" {
		t.Error(diff)
	}
	to.refused(409, "ScopeLocked", "DELETE", network+"/virtualNetworks/v", "")
	second := to.must("PUT", network+"/networkInterfaces/m", nicBody(network+"/virtualNetworks/v/subnets/app", ""))
	if got := str(second.body, "properties", "ipConfigurations", 0, "properties", "privateIPAddress"); got != "10.0.1.5" {
		t.Errorf("the second interface has %s: the first one's address is not taken", got)
	}
	before := dump(to.store)
	if _, err := arm.Import(strings.NewReader(export), to.store, by, false); !errors.Is(err, arm.ErrNotEmpty) {
		t.Errorf("over a cloud that holds something: %v", err)
	}
	if diff := cmp.Diff(before, dump(to.store)); diff != "" {
		t.Error(diff)
	}
	if _, err := arm.Import(strings.NewReader(export), to.store, by, true); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(dump(from.store), dump(to.store)); diff != "" {
		t.Error(diff)
	}
}

// TestImportRefused: what is no whole export changes nothing.
func TestImportRefused(t *testing.T) {
	_, export := exported(t)
	lines := strings.SplitAfter(export, "\n")
	without := func(i int) string { return strings.Join(append(append([]string{}, lines[:i]...), lines[i+1:]...), "") }
	for _, tt := range []struct{ name, export, want string }{
		{"empty", "", "line 1: this is no export"},
		{"other JSON", "{}\n", "line 1: this is no export"},
		{"later version", strings.Replace(export, `"version":1`, `"version":2`, 1), "line 1: the export has version 2"},
		{"truncated at a line", strings.Join(lines[:len(lines)-2], ""), "a part of it is missing"},
		{"truncated in a line", export[:len(export)-10], "line "},
		{"a line less", without(3), "a part of it is missing"},
		{"without its group", strings.Replace(strings.Replace(export, lines[2], "", 1), `"resources":8`, `"resources":7`, 1), "which is missing"},
		{"twice", strings.Replace(export, lines[1], lines[1]+lines[1], 1), "is there twice"},
		{"another's document", strings.Replace(export, `"id":"`+group+`"`, `"id":"`+group+`x"`, 1), "the document says that it is"},
		{"unknown type", strings.ReplaceAll(export, "Microsoft.Network/networkInterfaces/n", "Microsoft.Network/dreams/n"), "could not be found"},
		{"no object", strings.Replace(export, lines[1], `{"id":"`+group+`","document":[]}`+"\n", 1), "line 2"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, err := arm.OpenStore("")
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			_, err = arm.Import(strings.NewReader(tt.export), s, state.Actor{}, true)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%v, want %q", err, tt.want)
			}
			if s.View().Len() != 0 {
				t.Error("something was written")
			}
		})
	}
}

// FuzzImport: whatever is imported, it is refused, or can be exported again.
func FuzzImport(f *testing.F) {
	_, export := exported(f)
	f.Add(export)
	f.Add(strings.Replace(export, "Microsoft", "microsoft", 4))
	f.Add(`{"format":"cerulean cloud","version":1,"resources":0}`)
	f.Add(`{"format":"cerulean cloud","version":1,"resources":1}` + "\n" + `{"id":"/subscriptions/a/resourceGroups/b","document":{"id":"/subscriptions/a/resourceGroups/b"}}`)
	f.Fuzz(func(t *testing.T, export string) {
		s, err := arm.OpenStore("")
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		n, err := arm.Import(strings.NewReader(export), s, state.Actor{}, false)
		if err != nil {
			if s.View().Len() != 0 {
				t.Error("something was written")
			}
			return
		}
		var again bytes.Buffer
		if err := arm.Export(&again, s.View()); err != nil {
			t.Fatal(err)
		}
		if m, err := arm.Import(&again, s, state.Actor{}, true); err != nil || m != n {
			t.Errorf("%d documents of %d: %v", m, n, err)
		}
	})
}
