package otlpjson

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// oddJSON writes requests as no exporter does but some sender may: any field
// anywhere in any order, twice, under both names, null, in other notations, of
// the wrong type now and then, with white space and unknown fields.
type oddJSON struct {
	*rapid.T
	b strings.Builder
}

func (o *oddJSON) n(limit int) int { return rapid.IntRange(0, limit).Draw(o.T, "n") }

func (o *oddJSON) pick(of ...string) string { return rapid.SampledFrom(of).Draw(o.T, "pick") }

// rarely is true once in some thirty times; rapid prefers small numbers.
func (o *oddJSON) rarely() bool { return o.n(1<<20)%31 == 17 }

func (o *oddJSON) space() { o.b.WriteString(o.pick("", "", "", "", " ", "\n\t", "\r  ")) }

func (o *oddJSON) token(s string) {
	o.space()
	o.b.WriteString(s)
	o.space()
}

// around writes one message of a kind and just so much around it.
func (o *oddJSON) around(root, m message) {
	type step struct {
		from *step
		f    *field
	}
	// Breadth first, so the way there is the shortest.
	ways := map[message]*step{root: nil}
	for queue := []message{root}; len(queue) > 0; queue = queue[1:] {
		for i, f := range definitions[queue[0]] {
			if _, ok := ways[f.child]; f.kind == object && !ok {
				ways[f.child] = &step{ways[queue[0]], &definitions[queue[0]][i]}
				queue = append(queue, f.child)
			}
		}
	}
	way, ok := ways[m]
	if !ok {
		m = root
	}
	first, last := "", ""
	for ; way != nil; way = way.from {
		name := `{"` + way.f.name + `":`
		if way.f.list {
			first, last = name+"["+first, last+"]}"
		} else {
			first, last = name+first, last+"}"
		}
	}
	o.b.WriteString(first)
	o.message(m, 0)
	o.b.WriteString(last)
}

func (o *oddJSON) message(m message, depth int) {
	o.token("{")
	defined := definitions[m]
	for i := range rapid.SampledFrom([]int{0, 1, 1, 2, 3, 5}).Draw(o.T, "members") {
		if i > 0 {
			o.token(",")
		}
		if o.rarely() {
			o.token(o.pick(`"unknown"`, `"trace"`, `"u\n"`))
			o.token(":")
			o.token(o.pick(`1`, `-0.5E+7`, `"\u00e9\"\\"`, `{"a":[{"b":[]},[1,2,{}]],"c":{"d":null}}`, `[[[]]]`, `true`, `false`, `null`))
			continue
		}
		f := &defined[o.n(len(defined)-1)]
		name := f.name
		switch o.n(7) {
		case 0:
			name = snakeCase(name)
		case 1:
			name = fmt.Sprintf(`\u%04x`, name[0]) + name[1:]
		}
		o.token(`"` + name + `"`)
		o.token(":")
		if o.rarely() {
			o.token(o.pick("null", "null", "null", "{}", "[]", "1", `"s"`, "true"))
			continue
		}
		if !f.list {
			o.value(f, depth)
			continue
		}
		o.token("[")
		for i := range rapid.SampledFrom([]int{0, 1, 1, 2, 3, 20}).Draw(o.T, "elements") {
			if i > 0 {
				o.token(",")
			}
			o.value(f, depth)
		}
		o.token("]")
	}
	o.token("}")
}

func (o *oddJSON) value(f *field, depth int) {
	if o.rarely() {
		o.token("null")
		return
	}
	small := []string{`0`, `1`, `"1"`, `"007"`, `127`, `128`, `"65535"`, `4294967295`, `2147483647`}
	signed := []string{`-1`, `"-1"`, `-2147483648`}
	large := []string{`9223372036854775807`, `"9223372036854775807"`, `1700000000000000000`}
	switch f.kind {
	case object:
		if depth > 3 {
			o.token("{}")
			return
		}
		o.message(f.child, depth+1)
	case text:
		o.token(o.pick(`"s"`, `"a longer string"`, `"\"\\\/\b\f\n\r\t\u0001\u20AC"`, `"é€😀"`, `"`+strings.Repeat("long ", 40)+`"`, `"`+strings.Repeat(`\t`, 70)+`"`))
	case base64s:
		o.token(o.pick(`"AQI="`, `"AQ=="`, `"AQID"`, `"AQ"`, `"_-8="`, `"\/+8="`, `"!"`))
	case boolean:
		o.token(o.pick("true", "false", `"true"`))
	case double:
		o.token(o.pick(append(small[:5:5], `0.1`, `-2.5e-3`, `1e22`, `"1.5"`, `"NaN"`, `"Infinity"`, `"-Infinity"`, `"inf"`, `1e999`, `-0`, `123456789012345678901234567890`)...))
	case fixed64s, uint64s:
		o.token(o.pick(append(append(small, large...), `18446744073709551615`, `"18446744073709551615"`, `-1`, `1.5`)...))
	case int64s, sfixed64s:
		o.token(o.pick(append(append(append(small, large...), signed...), `-9223372036854775808`, `9223372036854775808`)...))
	case int32s, sint32s:
		o.token(o.pick(append(append(small[:7:7], `2147483647`, `2147483648`), signed...)...))
	case uint32s, fixed32s:
		o.token(o.pick(append(small, `4294967296`, `-1`)...))
	case enum:
		o.token(o.pick(append(append(small[:2:2], signed...), `"SPAN_KIND_SERVER"`, `"STATUS_CODE_OK"`, `"SEVERITY_NUMBER_TRACE "`, `"NO"`)...))
	case traceID, spanID:
		o.token(o.pick(`"`+traceHex+`"`, `"`+spanHex+`"`, `"`+strings.ToUpper(spanHex)+`"`, `"00000000000000000000000000000000"`, `"0000000000000000"`, `"no"`))
	}
}

func TestOddRequests(t *testing.T) {
	for s, name := range signalNames {
		t.Run(name, func(t *testing.T) {
			taken := 0
			rapid.Check(t, func(t *rapid.T) {
				o := &oddJSON{T: t}
				o.around(roots[s], message(o.n(int(messages)-1)))
				body := []byte(o.b.String())
				if !json.Valid(body) {
					t.Fatalf("the test writes no JSON: %s", body)
				}
				if againstPdata(t, s, body) {
					taken++
				}
			})
			if taken == 0 {
				t.Fatal("no request was compared")
			}
		})
	}
}
