package v1

import (
	"bytes"
	"slices"
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/spanlake/spanlake/internal/attr"
)

type unlift struct {
	key    string
	column int
}

// unlifts are the attributes that lifting takes under their current names,
// sorted.
var unlifts = func() []unlift {
	var u []unlift
	for key, l := range spanLifts {
		if l.rank == 0 {
			u = append(u, unlift{key, l.column})
		}
	}
	slices.SortFunc(u, func(a, b unlift) int { return strings.Compare(a.key, b.key) })
	return u
}()

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
