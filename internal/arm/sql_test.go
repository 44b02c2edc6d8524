package arm_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/ceruleannet/cerulean/internal/paas"
	"github.com/ceruleannet/cerulean/model"
)

// everything is what a cloud says to whoever may read all of it.
func (c *cloud) everything(paths ...string) string {
	var all strings.Builder
	for _, p := range paths {
		method, body := "GET", ""
		if strings.Contains(p, "whatIf") {
			method, body = "POST", deploymentBody("Incremental", sqlTemplate, "{}")
		}
		b, err := json.Marshal(c.must(method, p, body).body)
		if err != nil {
			c.t.Fatal(err)
		}
		all.Write(b)
	}
	return all.String()
}

const sqlTemplate = `{"$schema":"https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#","contentVersion":"1.0.0.0","resources":[
	{"type":"Microsoft.Sql/servers","apiVersion":"2022-05-01","name":"west","location":"westeurope","tags":{"a":"b"},
	 "properties":{"administratorLogin":"boss","administratorLoginPassword":"Battery-staple3"}}]}`

// TestSQLAdministrator: the password of a server's administrator is kept as a
// salted hash that no answer shows; it stays while the password does, and a
// write without one keeps it ("Servers - Create Or Update").
func TestSQLAdministrator(t *testing.T) {
	c := newCloud(t).withGroup()
	server := group + "/providers/Microsoft.Sql/servers/west"
	id := model.MustParseID(server)
	hash := func() string {
		t.Helper()
		e, ok := c.store.View().Get(id)
		if !ok {
			t.Fatal("no server")
		}
		h, _ := e.Resource.Properties()[paas.PasswordHashProperty].(string)
		if strings.Contains(string(e.JSON), "Battery") {
			t.Fatalf("the store has the password: %s", e.JSON)
		}
		return h
	}
	put := func(properties string) answer {
		t.Helper()
		return c.must("PUT", server, `{"location":"westeurope","properties":{"administratorLogin":"boss"`+properties+`}}`)
	}
	if a := put(`,"administratorLoginPassword":"Battery-staple2"`); a.status != http.StatusAccepted {
		t.Errorf("a creation is answered with %d", a.status)
	}
	first := hash()
	if !paas.PasswordMatches(first, "Battery-staple2") {
		t.Fatalf("the hash %q is not of the password", first)
	}
	for _, step := range []struct {
		name, method, body, password string
		same                         bool
	}{
		{"the same again", "PUT", `{"location":"westeurope","properties":{"administratorLogin":"boss","administratorLoginPassword":"Battery-staple2"}}`, "Battery-staple2", true},
		{"none", "PUT", `{"location":"westeurope","properties":{"administratorLogin":"boss"}}`, "Battery-staple2", true},
		{"a hash from outside", "PUT", `{"location":"westeurope","properties":{"administratorLogin":"boss","` + paas.PasswordHashProperty + `":"x"}}`, "Battery-staple2", true},
		{"tags", "PATCH", `{"tags":{"a":"b"}}`, "Battery-staple2", true},
		{"another one by PATCH", "PATCH", `{"properties":{"administratorLoginPassword":"Battery-staple4"}}`, "Battery-staple4", false},
	} {
		was := hash()
		c.must(step.method, server, step.body)
		if now := hash(); (now == was) != step.same || !paas.PasswordMatches(now, step.password) {
			t.Errorf("%s: the hash was %s and is %s", step.name, was, now)
		}
	}
	all := c.everything(server, group+"/providers/Microsoft.Sql/servers", group+"/resources", subscription+"/providers/Microsoft.Sql/servers",
		deployments+"w/whatIf"+ofTemplates)
	for _, secret := range []string{"asswordHash", "pbkdf2", "Battery"} {
		if strings.Contains(all, secret) {
			t.Errorf("an answer has %q in it: %s", secret, all)
		}
	}
	for _, weak := range []string{"short1A", "onlylowercase", "lower123", "Boss-1234", strings.Repeat("aA1-", 33)} {
		c.refused(400, "PasswordNotComplex", "PUT", server, `{"location":"westeurope","properties":{"administratorLogin":"boss","administratorLoginPassword":"`+weak+`"}}`)
	}
	c.refused(400, "InvalidRequestFormat", "PUT", server, `{"location":"westeurope","properties":{"administratorLogin":"boss","administratorLoginPassword":7}}`)
}
