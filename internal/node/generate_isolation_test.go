package node

import (
	"slices"
	"testing"

	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/internal/fabric/compile"
	"github.com/ceruleannet/cerulean/internal/proof"
	"github.com/ceruleannet/cerulean/model"
)

func isolated(t *testing.T, vnets int, seed uint64, faults bool) (*Isolation, *fabric.Image) {
	t.Helper()
	d, err := GenerateIsolation(vnets, seed, faults)
	if err != nil {
		t.Fatal(err)
	}
	img, err := compile.Compile(d.Resources, compile.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if len(img.Notes) > 0 {
		t.Fatalf("not all of it is modelled: %+v", img.Notes[0])
	}
	return d, img
}

// TestIsolationFaults: every planted fault is found, nothing else is, and the
// search by contract finds the pairs that a search of every packet finds.
func TestIsolationFaults(t *testing.T) {
	for seed := range uint64(4) {
		d, img := isolated(t, 40, seed, true)
		p := proof.New(img)
		reached, complete, err := p.Reached(d.Claim, proof.DefaultBudget)
		if err != nil || !complete {
			t.Fatal(err, complete)
		}
		if missed, wrong := d.Judge(img, reached); len(missed)+len(wrong) > 0 {
			t.Errorf("seed %d: missed %q, wrong %q", seed, missed, wrong)
		}
		for _, e := range []model.Expectation{d.Claim, {
			Verb: model.Deny, From: d.Claim.To, To: d.Claim.From, Traffic: []model.Traffic{{Protocol: fabric.ProtoTCP}},
		}} {
			fast, _ := p.Breaches(e, false, proof.DefaultBudget)
			slow, complete := p.Breaches(e, true, 10*proof.DefaultBudget)
			if !complete || !slices.Equal(fast, slow) {
				t.Errorf("seed %d: %d pairs by contract, %d without", seed, len(fast), len(slow))
			}
		}
	}
}

// TestIsolationWithoutFaults: what is guarded is isolated, each way of guarding
// by itself.
func TestIsolationWithoutFaults(t *testing.T) {
	d, img := isolated(t, 40, 1, false)
	if f := proof.New(img).Check([]model.Expectation{d.Claim})[0]; f.Status != proof.Holds {
		t.Errorf("%s: %s", f.Status, f.Why)
	}
}

// TestIsolationSteps: what the contract leaves to the search is so little that a
// hundredth of the usual budget is enough. Without the contract, or where it
// loses hold of the firewalls' translations, it takes more than the whole.
func TestIsolationSteps(t *testing.T) {
	d, img := isolated(t, 300, 1, true)
	reached, complete, err := proof.New(img).Reached(d.Claim, proof.DefaultBudget/100)
	if err != nil || !complete {
		t.Fatal(err, complete)
	}
	if missed, wrong := d.Judge(img, reached); len(missed)+len(wrong) > 0 {
		t.Errorf("missed %q, wrong %q", missed, wrong)
	}
}
