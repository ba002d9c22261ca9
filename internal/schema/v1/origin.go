package v1

import (
	"math"
	"slices"
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/spanlake/spanlake/internal/attr"
)

// Stats tells what an append did.
type Stats struct {
	// Rows appended.
	Rows int
	// InvalidRetention counts rows whose spanlake.retention was no retention:
	// they have the default.
	InvalidRetention int
	// ElementsDropped counts events and links beyond MaxElements.
	ElementsDropped int
}

// MaxElements is how many events, and how many links, of a span are stored. A
// row of a file cannot cross pages, whose size is a 32-bit number; an empty link
// takes 2 bytes in a request and 68 here.
const MaxElements = 65_536

// scratch is reused by conversions; between them it points to no pdata.
type scratch struct {
	json []byte
	olds []older
	keys []pair
}

type pair struct {
	key   string
	value pcommon.Value
}

// positions of columns that both signals have.
type positions struct {
	timestamp, service, attributes, resource, source, retention     int
	scopeName, scopeVersion, scopeAttributes, resourceURL, scopeURL int
	dropped, resourceDropped, scopeDropped, traceID, spanID, flags  int
	namespace, version, environment, pod, host                      int
}

var (
	tracesAt = Traces.at
	logsAt   = Logs.at
)

func positionsOf(s *Schema) positions {
	return positions{
		timestamp: s.Index(ColTimestamp), service: s.Index(ColServiceName),
		attributes: s.Index(ColAttributes), resource: s.Index(ColResourceAttributes),
		source: s.Index(ColSource), retention: s.Index(ColRetention),
		scopeName: s.Index(ColScopeName), scopeVersion: s.Index(ColScopeVersion),
		scopeAttributes: s.Index(ColScopeAttributes),
		resourceURL:     s.Index(ColResourceSchemaURL), scopeURL: s.Index(ColScopeSchemaURL),
		dropped: s.Index(ColDroppedAttributes), resourceDropped: s.Index(ColResourceDroppedAttrs),
		scopeDropped: s.Index(ColScopeDroppedAttributes),
		traceID:      s.Index(ColTraceID), spanID: s.Index(ColSpanID), flags: s.Index(ColFlags),
		namespace: s.Index("service.namespace"), version: s.Index("service.version"),
		environment: s.Index("deployment.environment.name"),
		pod:         s.Index("k8s.pod.name"), host: s.Index("host.name"),
	}
}

func (r *Rows) at() *positions { return &r.schema.at }

// setResource writes the columns of the resource to rows first to Len.
func (r *Rows) setResource(first int, resource pcommon.Resource, schemaURL string) {
	at := r.at()
	m := resource.Attributes()
	pairs := r.scratch.keys[:0]
	var set columnSet // of a repeated key the first value counts
	fill := func(column int, value pcommon.Value) {
		if !set.has(column) {
			set.add(column)
			r.fillString(column, first, value.Str())
		}
	}
	olderEnvironment := pcommon.Value{}
	for key, value := range m.All() {
		isString := value.Type() == pcommon.ValueTypeStr
		switch {
		case key == attr.Batch:
			continue
		case !isString:
		case key == attr.Source:
			fill(at.source, value)
			continue
		case key == "service.name":
			fill(at.service, value)
		case key == "service.namespace":
			fill(at.namespace, value)
		case key == "service.version":
			fill(at.version, value)
		case key == "deployment.environment.name":
			fill(at.environment, value)
		case key == "deployment.environment":
			if olderEnvironment == (pcommon.Value{}) {
				olderEnvironment = value
			}
		case key == "k8s.pod.name":
			fill(at.pod, value)
		case key == "host.name":
			fill(at.host, value)
		}
		pairs = append(pairs, pair{key, value})
	}
	if olderEnvironment != (pcommon.Value{}) {
		fill(at.environment, olderEnvironment)
	}
	r.fillJSON(at.resource, first, pairs)
	if schemaURL != "" {
		r.fillString(at.resourceURL, first, schemaURL)
	}
	r.fillCount(at.resourceDropped, first, resource.DroppedAttributesCount())
}

// setScope writes the columns of the scope to rows first to Len.
func (r *Rows) setScope(first int, scope pcommon.InstrumentationScope, schemaURL string) {
	at := r.at()
	r.fillString(at.scopeName, first, scope.Name())
	r.fillString(at.scopeVersion, first, scope.Version())
	if scope.Attributes().Len() > 0 {
		pairs := r.scratch.keys[:0]
		for key, value := range scope.Attributes().All() {
			pairs = append(pairs, pair{key, value})
		}
		r.fillJSON(at.scopeAttributes, first, pairs)
	}
	if schemaURL != "" {
		r.fillString(at.scopeURL, first, schemaURL)
	}
	r.fillCount(at.scopeDropped, first, scope.DroppedAttributesCount())
}

// fillJSON writes pairs, sorted so that equal ones are equal strings.
func (r *Rows) fillJSON(column, first int, pairs []pair) {
	slices.SortStableFunc(pairs, func(a, b pair) int { return strings.Compare(a.key, b.key) })
	a := r.arena
	off := len(a.b)
	a.b = append(a.b, '{')
	for _, p := range pairs {
		a.b = appendMember(a.b, p.key, p.value)
	}
	a.b = append(a.b, '}')
	clear(pairs)
	r.scratch.keys = pairs[:0]
	r.share(column, first, a.since(off))
	r.fill(column, first)
}

func (r *Rows) fillString(column, first int, s string) {
	r.SetString(column, first, s)
	r.fill(column, first)
}

// fill copies the string of row first to all rows behind it.
func (r *Rows) fill(column, first int) {
	c := &r.cells[column]
	v := c.ref[first]
	c.ref = extend(c.ref, r.rows)
	for i := first + 1; i < r.rows; i++ {
		c.ref[i] = v
	}
}

func (r *Rows) fillCount(column, first int, n uint32) {
	if n == 0 {
		return
	}
	for row := first; row < r.rows; row++ {
		r.SetNum(column, row, int64(n))
	}
}

// setCount sets an optional column that is null for 0.
func (r *Rows) setCount(column, row int, n uint32) {
	if n > 0 {
		r.SetNum(column, row, int64(n))
	}
}

// setText sets an optional column that is null where empty.
func (r *Rows) setText(column, row int, s string) {
	if s != "" {
		r.SetString(column, row, s)
	}
}

// setRetention completes the column where the row has none of its own.
func (r *Rows) setRetention(row int, byDefault string) {
	if column := r.at().retention; row >= len(r.cells[column].ref) {
		r.SetString(column, row, byDefault)
	}
}

// nanos is a time as a column holds it: later ones than 2262-04-11 do not fit,
// and the last nanosecond of all is DuckDB's infinity.
func nanos(t pcommon.Timestamp) int64 {
	return int64(min(t, math.MaxInt64-1))
}
