package arm

import "strings"

// since is a property, below "properties" or, in [kind.SinceHead], of the document
// itself, with the API version that has it first: the release history of Azure's SDK for Go names it, or the service was
// seen to leave it out before. Answers to requests of older versions are without
// it, as Azure's are.
type since struct{ property, version string }

// datesOfProperties finds out from which version on documents of each kind are
// shown whole.
func (ks kindSet) datesOfProperties() {
	for _, k := range ks {
		of := []*kind{k}
		if k.Inline != "" {
			of = append(of, k.parent)
		}
		for _, s := range append(k.SinceHead, k.Since...) {
			for _, o := range of {
				o.latest = max(o.latest, s.version)
			}
		}
	}
}

// partial reports whether an API version lacks properties of the kind. A request
// without a version is the server's own and sees everything.
func (k *kind) partial(version string) bool { return version != "" && version < k.latest }

// asOf returns a document as an API version has it: a copy, where that is less.
func (k *kind) asOf(version string, doc map[string]any) map[string]any {
	p := object(doc, "properties")
	if !k.partial(version) || p == nil {
		return doc
	}
	doc, p = shallow(doc), shallow(p)
	doc["properties"] = p
	for _, s := range k.SinceHead {
		if version < s.version {
			delete(doc, s.property)
		}
	}
	for _, s := range k.Since {
		if version < s.version {
			delete(p, s.property)
		}
	}
	for _, in := range k.inlined() {
		list, ok := p[in.Inline].([]any)
		if !ok || !in.partial(version) {
			continue
		}
		parts := make([]any, len(list))
		for i, e := range list {
			parts[i] = e
			if o, ok := e.(map[string]any); ok && (!in.Shared || strings.EqualFold(text(o, "type"), in.Type)) {
				parts[i] = in.asOf(version, o)
			}
		}
		p[in.Inline] = parts
	}
	return doc
}
