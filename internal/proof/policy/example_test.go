package policy_test

import (
	"fmt"
	"net/netip"

	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/internal/proof/policy"
)

// group is a security group of three rules: SSH from the office, no SSH else,
// everything inside 10/8.
func group() []policy.Rule {
	match := func(src string, port uint16) policy.Box {
		b := policy.Everything()
		b[fabric.Src] = fabric.PrefixSet(netip.MustParsePrefix(src))
		if port != 0 {
			b[fabric.DstPort] = fabric.NumSet(port, port)
			b[fabric.Proto] = fabric.NumSet(fabric.ProtoTCP, fabric.ProtoTCP)
		}
		return b
	}
	return []policy.Rule{
		{Match: match("10.1.0.0/16", 22), Action: fabric.Pass},
		{Match: match("0.0.0.0/0", 22), Action: fabric.Drop},
		{Match: match("10.0.0.0/8", 0), Action: fabric.Pass},
		{Match: match("10.2.0.0/16", 22), Action: fabric.Pass},
	}
}

func ExampleSearch_Find() {
	p, err := policy.New(group(), fabric.Drop)
	if err != nil {
		panic(err)
	}
	// Does anything but the office get to SSH?
	q := policy.Everything()
	q[fabric.Src] = q[fabric.Src].Subtract(fabric.PrefixSet(netip.MustParsePrefix("10.1.0.0/16")))
	q[fabric.DstPort], q[fabric.Proto] = fabric.NumSet(22, 22), fabric.NumSet(fabric.ProtoTCP, fabric.ProtoTCP)
	fmt.Println(p.Search().Find(&q, policy.Passing(), policy.DefaultBudget).Status)
	// And to anything else?
	q[fabric.DstPort] = fabric.NumSet(0, 65535)
	a := p.Search().Find(&q, policy.Passing(), policy.DefaultBudget)
	fmt.Println(a.Status, a.Packet, "by rule", a.Rule)
	// Output:
	// absent
	// found tcp 10.0.0.4:49152 > 10.0.0.5:443 by rule 2
}

func ExampleSearch_Shadowed() {
	p, err := policy.New(group(), fabric.Drop)
	if err != nil {
		panic(err)
	}
	findings, all := p.Search().Shadowed(policy.DefaultBudget)
	for _, f := range findings {
		fmt.Println("rule", f.Rule, "is", f.Use, "by", f.By)
	}
	fmt.Println("all decided:", all)
	// Output:
	// rule 3 is shadowed by [1]
	// all decided: true
}

func ExampleDiff() {
	before := group()
	after := group()
	after[1], after[3] = after[3], after[1]
	a, err := policy.New(before, fabric.Drop)
	if err != nil {
		panic(err)
	}
	b, err := policy.New(after, fabric.Drop)
	if err != nil {
		panic(err)
	}
	d, err := policy.Diff(a, b, policy.DefaultLimits())
	if err != nil {
		panic(err)
	}
	fmt.Println(d.Status, "by", d.By)
	var added, removed []policy.Box
	for _, delta := range d.Deltas {
		switch {
		case delta.Added():
			added = append(added, delta.Box)
		case delta.Removed():
			removed = append(removed, delta.Box)
		}
	}
	for _, line := range policy.Describe(added) {
		fmt.Println("added", line)
	}
	for _, line := range policy.Describe(removed) {
		fmt.Println("removed", line)
	}
	// Output:
	// found by diagram
	// added 10.0.0.0/16, 10.2.0.0-10.255.255.255 to any, tcp 22
}
