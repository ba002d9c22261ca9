package v1

import (
	"math"
	"slices"

	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/spanlake/spanlake/internal/attr"
)

// lift says to which column an attribute is moved.
type lift struct {
	column int
	// rank is 0 for the column's own name; of older names, which count only
	// where that is absent, the lowest comes first.
	rank uint8
	when condition
}

// condition restricts a lift to spans of some kinds: net.* attributes name
// this side or the other, depending on who calls.
type condition uint8

const (
	always condition = iota
	whenCalling
	whenCalled
)

// olderNames of attributes, in the order in which they count.
var olderNames = []struct {
	older, current string
	when           condition
}{
	{"http.method", "http.request.method", always},
	{"http.status_code", "http.response.status_code", always},
	{"http.url", "url.full", always},
	{"http.user_agent", "user_agent.original", always},
	{"net.peer.name", "server.address", whenCalling},
	{"net.host.name", "server.address", whenCalled},
	{"net.peer.port", "server.port", whenCalling},
	{"net.host.port", "server.port", whenCalled},
	{"db.system", "db.system.name", always},
	{"db.name", "db.namespace", always},
	{"db.operation", "db.operation.name", always},
	{"db.sql.table", "db.collection.name", always},
	{"db.mongodb.collection", "db.collection.name", always},
	{"db.cassandra.table", "db.collection.name", always},
	{"db.statement", "db.query.text", always},
	{"rpc.system", "rpc.system.name", always},
	{"messaging.destination", "messaging.destination.name", always},
	{"messaging.operation", "messaging.operation.type", always},
	{"net.sock.peer.addr", "network.peer.address", always},
	{"net.peer.ip", "network.peer.address", always},
	{"enduser.id", "user.id", always},
}

// maxRank is the greatest lift.rank there is.
const maxRank = 3

func spanLifts(s *Schema) map[string]lift {
	m := map[string]lift{
		attr.Class:         {column: s.Index(ColClass)},
		attr.Retention:     {column: s.Index(ColRetention)},
		attr.AdjustedCount: {column: s.Index(ColAdjustedCount)},
		attr.Trimmed:       {column: s.Index(ColTrimmed)},
	}
	for _, c := range spanAttributeColumns {
		m[c.Name] = lift{column: s.Index(c.Name)}
	}
	ranks := map[int]uint8{}
	for _, n := range olderNames {
		column := s.Index(n.current)
		ranks[column]++
		m[n.older] = lift{column: column, rank: ranks[column], when: n.when}
	}
	return m
}

func logLifts(s *Schema) map[string]lift {
	return map[string]lift{attr.Retention: {column: s.Index(ColRetention)}}
}

// older is an attribute with an older name, set aside until it is known
// whether the span has the current one.
type older struct {
	lift  lift
	key   string
	value pcommon.Value
	done  bool
}

// attributes moves what has a column of its own there, and the rest as JSON to
// the column attributes. Of a repeated key that may have a column only the first
// value counts: another must not take its place there. calling is whether the
// row is a client's span.
func (r *Rows) attributes(row int, m pcommon.Map, calling bool, stats *Stats) {
	lifts := r.schema.lifts
	json := r.scratch.json[:0]
	json = append(json, '{')
	olds := r.scratch.olds[:0]
	var current columnSet // those whose current name the row has
	for key, value := range m.All() {
		l, ok := lifts[key]
		switch {
		case !ok || l.when == whenCalling && !calling || l.when == whenCalled && calling:
			json = appendMember(json, key, value)
		case l.rank > 0:
			if !hasKey(olds, key) {
				olds = append(olds, older{lift: l, key: key, value: value})
			}
		case current.has(l.column): // a key that is repeated
		default:
			current.add(l.column)
			if !r.lift(l.column, row, value, stats) {
				json = appendMember(json, key, value)
			}
		}
	}
	if len(olds) > 0 {
		for rank := uint8(1); rank <= maxRank; rank++ {
			for i := range olds {
				o := &olds[i]
				if o.lift.rank != rank {
					continue
				}
				// The current name counts even with a value of another type.
				if !current.has(o.lift.column) {
					o.done = r.lift(o.lift.column, row, o.value, stats)
				}
			}
		}
		for i := range olds {
			if o := &olds[i]; !o.done {
				json = appendMember(json, o.key, o.value)
			}
		}
		clear(olds) // they point into the caller's pdata
	}
	json = append(json, '}')
	r.scratch.json, r.scratch.olds = json, olds[:0]

	off := len(r.arena.b)
	r.arena.b = append(r.arena.b, json...)
	r.setRef(r.at().attributes, row, r.arena.since(off))
}

func hasKey(olds []older, key string) bool {
	return slices.ContainsFunc(olds, func(o older) bool { return o.key == key })
}

// columnSet is a set of positions in a schema's columns.
type columnSet [4]uint64

func (s *columnSet) add(column int)      { s[column/64] |= 1 << (column % 64) }
func (s *columnSet) has(column int) bool { return s[column/64]&(1<<(column%64)) != 0 }

// lift sets a column of the row being appended, and reports false where the
// value is of another type or the column is set already.
func (r *Rows) lift(column, row int, v pcommon.Value, stats *Stats) bool {
	c := &r.cells[column]
	// Rows are set in order: a slice that reaches to row was set at row.
	if row < len(c.ref) || row < len(c.num) {
		return false
	}
	if column == r.at().retention && (v.Type() != pcommon.ValueTypeStr || !ValidRetention(v.Str())) {
		stats.InvalidRetention++
		return true
	}
	switch r.columns[column].Type {
	case String:
		if v.Type() != pcommon.ValueTypeStr {
			return false
		}
		r.SetString(column, row, v.Str())
	case Int64:
		if v.Type() != pcommon.ValueTypeInt {
			return false
		}
		r.SetNum(column, row, v.Int())
	case Double:
		if v.Type() != pcommon.ValueTypeDouble {
			return false
		}
		return r.liftDouble(column, row, v.Double())
	case Bool:
		if v.Type() != pcommon.ValueTypeBool {
			return false
		}
		r.SetNum(column, row, boolNum(v.Bool()))
	default:
		return false
	}
	return true
}

// liftDouble takes any but NaN, which has no place between min and max; of an
// adjusted count, the one column that must have a value, only what counts.
func (r *Rows) liftDouble(column, row int, d float64) bool {
	if !r.columns[column].Optional {
		if d > 0 && !math.IsInf(d, 1) {
			r.SetNum(column, row, int64(math.Float64bits(d)))
		}
		return true
	}
	if math.IsNaN(d) {
		return false
	}
	r.SetNum(column, row, int64(math.Float64bits(d)))
	return true
}

func boolNum(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// ValidRetention reports whether s says how long to keep a row: one to four
// digits of days without a leading zero, and "d". Nothing else becomes part of
// a path.
func ValidRetention(s string) bool {
	n := len(s) - 1
	if n < 1 || n > 4 || s[n] != 'd' || s[0] == '0' {
		return false
	}
	for _, c := range []byte(s[:n]) {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}
