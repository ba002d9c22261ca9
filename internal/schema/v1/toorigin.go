package v1

import (
	"bytes"
	"math"

	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/spanlake/spanlake/internal/attr"
)

// unlift is an attribute that lifting takes under its current name. A schema
// has them sorted.
type unlift struct {
	key    string
	column int
}

func (r *Rows) resource(row int, resource pcommon.Resource) error {
	at := r.at()
	resource.SetDroppedAttributesCount(uint32(r.num(at.resourceDropped, row)))
	if source, ok := r.String(at.source, row); ok {
		resource.Attributes().PutStr(attr.Source, string(source))
	}
	return r.attributesOf(at.resource, row, resource.Attributes())
}

func (r *Rows) scope(row int, scope pcommon.InstrumentationScope) error {
	at := r.at()
	scope.SetName(r.text(at.scopeName, row))
	scope.SetVersion(r.text(at.scopeVersion, row))
	scope.SetDroppedAttributesCount(uint32(r.num(at.scopeDropped, row)))
	return r.attributesOf(at.scopeAttributes, row, scope.Attributes())
}

func (r *Rows) sameResource(row1, row2 int) bool {
	at := r.at()
	return r.same(at.resource, row1, row2) && r.same(at.source, row1, row2) &&
		r.same(at.resourceURL, row1, row2) &&
		r.num(at.resourceDropped, row1) == r.num(at.resourceDropped, row2)
}

func (r *Rows) sameScope(row1, row2 int) bool {
	at := r.at()
	return r.same(at.scopeName, row1, row2) && r.same(at.scopeVersion, row1, row2) &&
		r.same(at.scopeAttributes, row1, row2) && r.same(at.scopeURL, row1, row2) &&
		r.num(at.scopeDropped, row1) == r.num(at.scopeDropped, row2)
}

func (t *Table) same(column, row1, row2 int) bool {
	if t.SameString(column, row1, row2) {
		return true
	}
	v1, ok1 := t.String(column, row1)
	v2, ok2 := t.String(column, row2)
	return ok1 == ok2 && bytes.Equal(v1, v2)
}

// attributesOf reads a column of JSON attributes into m.
func (t *Table) attributesOf(column, row int, m pcommon.Map) error {
	text, _ := t.String(column, row)
	if len(text) <= len(`{}`) {
		return nil
	}
	return readAttributes(text, m)
}

func (t *Table) text(column, row int) string {
	v, _ := t.String(column, row)
	return string(v)
}

func (t *Table) num(column, row int) int64 {
	v, _ := t.Num(column, row)
	return v
}

func (t *Table) id(column, row int) []byte {
	v, _ := t.IDValue(column, row)
	return v
}

// one is the adjusted count of a span that stands for itself.
var one = int64(math.Float64bits(1))

// unlift puts the lifted attributes back, under their current names. The
// sampler's stamps, whose columns must have a value, are left out where they
// say nothing.
func (r *Rows) unlift(row int, m pcommon.Map) {
	for _, a := range r.schema.unlifts {
		c := r.columns[a.column]
		switch c.Type {
		case String:
			if v, ok := r.String(a.column, row); ok {
				m.PutStr(a.key, string(v))
			}
		case Double:
			if v, ok := r.Num(a.column, row); ok && (c.Optional || v != one) {
				m.PutDouble(a.key, math.Float64frombits(uint64(v)))
			}
		case Bool:
			if v, ok := r.Num(a.column, row); ok && (c.Optional || v != 0) {
				m.PutBool(a.key, v != 0)
			}
		default:
			if v, ok := r.Num(a.column, row); ok {
				m.PutInt(a.key, v)
			}
		}
	}
}
