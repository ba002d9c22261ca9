package otlpjson

import (
	"strings"

	"github.com/spanlake/spanlake/receiver/tokenotlpreceiver/internal/wire"
)

// kind is how a field's value is written, in JSON and on the wire.
type kind uint8

const (
	text      kind = iota // string
	base64s               // bytes, in base64
	boolean               // bool
	int64s                // int64
	uint64s               // uint64
	int32s                // int32
	uint32s               // uint32
	sint32s               // sint32
	fixed32s              // fixed32
	fixed64s              // fixed64
	sfixed64s             // sfixed64
	double                // double
	enum                  // an enum
	traceID               // bytes, in hexadecimal and other forms
	spanID                // bytes, in hexadecimal and other forms
	object                // a message
)

// Wire types of https://protobuf.dev/programming-guides/encoding.
const (
	wireVarint = 0
	wireI64    = 1
	wireLen    = 2
	wireI32    = 5
)

// wireType is that of a single value; numbers in lists are packed.
func (k kind) wireType() int {
	switch k {
	case boolean, int64s, uint64s, int32s, uint32s, sint32s, enum:
		return wireVarint
	case fixed64s, sfixed64s, double:
		return wireI64
	case fixed32s:
		return wireI32
	default:
		return wireLen
	}
}

// packed reports whether a list of the kind is one field on the wire.
func (k kind) packed() bool { return k.wireType() != wireLen }

// message is a kind of message.
type message uint8

const (
	tracesRequest message = iota
	resourceSpans
	scopeSpans
	span
	event
	link
	status
	logsRequest
	resourceLogs
	scopeLogs
	logRecord
	metricsRequest
	resourceMetrics
	scopeMetrics
	metric
	gauge
	sum
	histogram
	exponential
	summary
	numberPoint
	histogramPoint
	exponentialPoint
	buckets
	summaryPoint
	quantile
	exemplar
	resource
	entityRef
	scope
	keyValue
	anyValue
	arrayValue
	keyValueList
	messages
)

// field is a field of a message.
type field struct {
	name   string // lowerCamelCase
	snake  string // as in the .proto file, which pdata takes too
	lead   string // the name as nearly all senders write it, quotes and colon included
	number int
	tag    uint64
	kind   kind
	list   bool
	packed uint8   // a bit of its own among the packed lists of the message
	child  message // of an object
	names  map[string]int32
	// place is the index in fields. It is below 256, see follow.
	place uint8
}

// shape is what is known of a kind of message.
type shape struct {
	first, end uint8 // its fields are fields[first:end]
	// start is the place that stands for the beginning of the message in
	// transcoder.follow.
	start uint8
	// width is how many bytes are left for the length before the message is
	// written.
	width int
	// nests is true for the two messages that make an attribute value deeper.
	nests bool
}

const (
	// containerWidth fits any message that fits in memory.
	containerWidth = 5
	itemWidth      = 2
	attributeWidth = 1
)

// widths has what is not itemWidth. Messages that hold lists of items are few
// and mostly long; attributes are many and mostly short.
var widths = map[message]int{
	resourceSpans: containerWidth, scopeSpans: containerWidth,
	resourceLogs: containerWidth, scopeLogs: containerWidth,
	resourceMetrics: containerWidth, scopeMetrics: containerWidth,
	metric: containerWidth, gauge: containerWidth, sum: containerWidth, histogram: containerWidth,
	exponential: containerWidth, summary: containerWidth,
	keyValue: attributeWidth, anyValue: attributeWidth, status: attributeWidth, quantile: attributeWidth,
}

var roots = [...]message{wire.Traces: tracesRequest, wire.Logs: logsRequest, wire.Metrics: metricsRequest}

// fields are the fields of all messages, one message after the other.
var fields, shapes, firstFollow = build()

// places is an upper bound of all fields and all messages.
const places = 192

// build lays out the definitions. firstFollow is what transcoder.follow begins
// with: the order of definition.
func build() (all []field, of [messages]shape, follow [places]uint8) {
	for m, defined := range definitions {
		s := shape{first: uint8(len(all)), width: itemWidth, nests: message(m) == arrayValue || message(m) == keyValueList}
		if w, ok := widths[message(m)]; ok {
			s.width = w
		}
		lists := 0
		for _, f := range defined {
			f.snake = snakeCase(f.name)
			f.lead = `"` + f.name + `":`
			f.place = uint8(len(all))
			f.tag = uint64(f.number)<<3 | uint64(f.kind.wireType())
			if f.list && f.kind.packed() {
				f.tag = uint64(f.number)<<3 | wireLen
				f.packed = 1 << lists
				lists++
			}
			all = append(all, f)
		}
		s.end = uint8(len(all))
		of[m] = s
	}
	for m := range of {
		s := &of[m]
		s.start = uint8(len(all) + m)
		follow[s.start] = s.first
		for p := s.first; p < s.end; p++ {
			follow[p] = min(p+1, s.end-1)
		}
	}
	return all, of, follow
}

func snakeCase(camel string) string {
	var b strings.Builder
	for _, c := range camel {
		if 'A' <= c && c <= 'Z' {
			b.WriteByte('_')
			c += 'a' - 'A'
		}
		b.WriteRune(c)
	}
	return b.String()
}
