package node

import (
	"strings"
	"testing"
)

// Where a NAT gateway is the way out, connections from outside come, and are
// answered, by the interface's own public IP ("NAT gateway resource").
func TestExplainSaysWhoTranslates(t *testing.T) {
	d, err := Open(written(t, `
network: ways
regions: [westeurope]
networks:
  - name: net
    subnets:
      jobs: {nat-gateway: out, nsg: open, hosts: {job: {public-ip: true}}}
nsgs: {open: {inbound: [{allow: any -> any}]}}
nat-gateways: [{name: out, region: westeurope, public-ip: true}]
`), LockRead)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ from, to, has, hasNot string }{
		{"internet", "job:80", "public IP", "NAT gateway"},
		{"job", "internet:443", "NAT gateway", "public IP"},
	} {
		x, err := d.Explain(c.from, c.to, Ask{})
		if err != nil {
			t.Fatal(err)
		}
		var text strings.Builder
		if err := x.WriteText(&text, false, false); err != nil || !strings.Contains(text.String(), c.has) || strings.Contains(text.String(), c.hasNot) {
			t.Errorf("%s -> %s: %v\n%s", c.from, c.to, err, text.String())
		}
	}
}
