package compile

import "github.com/ceruleannet/cerulean/internal/fabric"

// rule is a rule before it is known for whom it is evaluated.
type rule struct {
	src, dst           operand
	srcPorts, dstPorts fabric.SetID
	proto              fabric.SetID
	action             fabric.Action
	priority           int
	origin             fabric.Origin
}

// ruleSet is an ordered list of rules of one direction or stage.
type ruleSet struct {
	in, out           []rule
	virtual, internet bool // some rule uses the tag
}

func (s *ruleSet) add(inbound bool, r rule) {
	s.virtual = s.virtual || r.src.virtual || r.dst.virtual
	s.internet = s.internet || r.src.internet || r.dst.internet
	if inbound {
		s.in = append(s.in, r)
	} else {
		s.out = append(s.out, r)
	}
}

// narrow blanks the parts of a scope that no rule of the set depends on, so
// that places which differ only there share a filter.
func (s *ruleSet) narrow(at scope) scope {
	if !s.virtual {
		at.virtual, at.uncertain = 0, 0
	}
	if !s.internet {
		at.internet = 0
	}
	return at
}

// instantiate writes a rule down for one place. Where part of an operand is
// not known, a second rule follows whose outcome is unknown and which matches
// all that the first could have matched: nothing that might be denied, or
// allowed, is passed over.
func (c *compiler) instantiate(to []fabric.Rule, r *rule, at *scope) []fabric.Rule {
	src, maybeSrc := c.resolve(&r.src, at)
	dst, maybeDst := c.resolve(&r.dst, at)
	perhaps := maybeSrc != c.sets.empty || maybeDst != c.sets.empty
	out := fabric.Rule{Action: r.action, Priority: int32(r.priority), Origin: r.origin}
	out.Match[fabric.Src], out.Match[fabric.Dst] = src, dst
	out.Match[fabric.SrcPort], out.Match[fabric.DstPort] = r.srcPorts, r.dstPorts
	out.Match[fabric.Proto] = r.proto
	if !perhaps {
		return append(to, out)
	}
	if src != c.sets.empty && dst != c.sets.empty {
		to = append(to, out)
	}
	out.Action = fabric.Unknown
	out.Match[fabric.Src] = c.sets.union(src, maybeSrc)
	out.Match[fabric.Dst] = c.sets.union(dst, maybeDst)
	return append(to, out)
}
