package proof

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/internal/fabric/fabrictest"
	"github.com/ceruleannet/cerulean/internal/proof/certificate"
	"github.com/ceruleannet/cerulean/model"
)

// FuzzCertificate holds certificates to their purpose: what the prover proves
// the checker accepts, and it refuses a certificate that lacks a box, says
// something else of one, or is about another network.
func FuzzCertificate(f *testing.F) {
	for i := range uint64(40) {
		f.Add(i)
	}
	f.Add(uint64(532)) // a floated address
	f.Fuzz(func(t *testing.T, seed uint64) {
		rng := rand.New(rand.NewPCG(seed, 3))
		img := fabrictest.Random(rng)
		p := New(img)
		var exps []model.Expectation
		for i := range 4 {
			a, b := img.Ports[rng.IntN(len(img.Ports))].Name, img.Ports[rng.IntN(len(img.Ports))].Name
			e := model.Expectation{Name: fmt.Sprintf("%d: %s to %s", i, a, b), Verb: model.Deny, From: host(a), To: host(b)}
			if rng.IntN(3) == 0 {
				e.From = model.Selector{Text: "any", Any: true}
			}
			if rng.IntN(2) == 0 {
				e.Traffic = tcp(22, 443)
			}
			if rng.IntN(3) == 0 {
				e.NotThrough = append(e.NotThrough, randomWaypoint(rng, img))
			}
			e.Both = rng.IntN(4) == 0
			exps = append(exps, e)
		}
		findings := p.Check(exps)
		c, left := p.Certify("random", exps)
		why := map[string]string{}
		for _, u := range left {
			why[u.Name] = u.Why
		}
		for i := range findings {
			if findings[i].Status == Holds && why[exps[i].Name] != "" && findings[i].Witness == nil {
				t.Logf("%s holds but has no certificate: %s", exps[i].Name, why[exps[i].Name])
			}
			if findings[i].Status == Broken && why[exps[i].Name] == "" {
				t.Fatalf("%s is broken and has a certificate", exps[i].Name)
			}
		}
		var file bytes.Buffer
		if err := c.Write(&file); err != nil {
			t.Fatal(err)
		}
		c, err := certificate.Read(&file)
		if err != nil {
			t.Fatal(err)
		}
		if err := certificate.Verify(img, c); err != nil {
			t.Fatal(err)
		}
		for i := range c.Claims {
			leaves := c.Claims[i].Leaves
			if len(leaves) == 0 {
				continue
			}
			k := rng.IntN(len(leaves))
			c.Claims[i].Leaves = append(leaves[:k:k], leaves[k+1:]...)
			if certificate.Verify(img, c) == nil {
				t.Fatalf("claim %s is accepted without box %d", c.Claims[i].Name, k)
			}
			c.Claims[i].Leaves = leaves
			was := leaves[k]
			leaves[k].Code, leaves[k].Elsewhere = fabric.CodeLoop+fabric.CodeNoRoute-was.Code%2, false
			if was.Code != leaves[k].Code && !was.Varies && certificate.Verify(img, c) == nil {
				t.Fatalf("claim %s is accepted although box %d ends otherwise", c.Claims[i].Name, k)
			}
			leaves[k] = was
		}
		// What is true only of packets past a port is not true of all.
		for i := range exps {
			e := exps[i]
			if len(e.NotThrough) == 0 || e.NotThrough[0].Kind == model.SourceFirewall || e.NotThrough[0].Kind == model.DestinationFirewall || findings[i].Status != Holds {
				continue
			}
			e.NotThrough = nil
			forged := *c
			forged.Claims = nil
			for _, claim := range c.Claims {
				if claim.Name == e.Name && len(claim.Past) > 0 {
					claim.Past = nil
					forged.Claims = append(forged.Claims, claim)
				}
			}
			if f := p.Check([]model.Expectation{e})[0]; f.Status == Broken && len(forged.Claims) > 0 && certificate.Verify(img, &forged) == nil {
				t.Fatalf("claim %s is accepted without what it must not pass", e.Name)
			}
		}
		other := *img
		other.Ports = append([]fabric.Port(nil), img.Ports...)
		other.Ports[0].Silent = !other.Ports[0].Silent // a filter may be in no use
		if certificate.Verify(&other, c) == nil {
			t.Fatal("accepted for another network")
		}
	})
}
