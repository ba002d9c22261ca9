package otlpwire

import "google.golang.org/protobuf/encoding/protowire"

// WithResourceAttribute returns a resource head, as Visitor.Resource gets it,
// whose resource has one more string attribute.
func WithResourceAttribute(head, key, value string) (string, error) {
	var text, resource, rest []byte
	text = protowire.AppendTag(text, anyString, protowire.BytesType)
	text = protowire.AppendString(text, value)

	var f field
	for b := []byte(head); len(b) > 0; {
		n := f.read(b)
		if n < 0 {
			return "", ErrMalformed
		}
		if f.num == resourceSpansResource && f.typ == protowire.BytesType {
			resource = append(resource, f.bytes...) // several are one, merged
		} else {
			rest = append(rest, b[:n]...)
		}
		b = b[n:]
	}
	resource = protowire.AppendTag(resource, resourceAttributes, protowire.BytesType)
	resource = protowire.AppendBytes(resource, newKeyValue(key, text))

	out := protowire.AppendTag(nil, resourceSpansResource, protowire.BytesType)
	out = protowire.AppendBytes(out, resource)
	return string(append(out, rest...)), nil
}
