package reader

import (
	"context"
	"encoding/json"
	"math"
	"regexp"
	"slices"
	"strings"

	"github.com/spanlake/spanlake/cmd/spanlake-sql/internal/duck"
)

// planner finds out which rows of the views a query can need at most. It has a
// second engine plan the query over empty tables with the columns of the views,
// and reads the filters that were pushed down to their scans from the plan.
// What it does not understand restricts nothing.
//
// The engine itself skips what a file's footer rules out, but has to read the
// footer for that, which for a few rows of a large store is nearly all it does.
type planner struct {
	db *duck.DB
	// shadowed is set once a user may have given a function of the engine's
	// another meaning.
	shadowed bool
}

// disabledOptimizers are those that would drop a scan because a table is empty,
// or make two scans of one with the filters on one of them only.
const disabledOptimizers = "late_materialization,statistics_propagation,empty_result_pullup,compressed_materialization," +
	"join_order,build_side_probe_side,top_n,top_n_window_elimination,limit_pushdown,join_filter_pushdown,row_group_pruner," +
	"sampling_pushdown,join_elimination"

func (p *planner) open(ctx context.Context, views []*view) error {
	db, err := duck.Open(duck.Settings{Threads: 1, MemoryLimit: "256MB", Set: []string{"disabled_optimizers = " + duck.Quote(disabledOptimizers)}})
	if err != nil {
		return err
	}
	for _, v := range views {
		if err := db.Exec(ctx, v.table()); err != nil {
			db.Close()
			return err
		}
	}
	p.db = db
	return nil
}

func (p *planner) close() {
	if p.db != nil {
		p.db.Close()
		p.db = nil
	}
}

var (
	createsFunction = regexp.MustCompile(`(?is)\bcreate\b.*\b(macro|function)\b`)
	// readsSession finds functions whose answer is another in the second engine.
	readsSession = regexp.MustCompile(`(?i)getvariable|current_setting|nextval|currval`)
	// restricts finds the columns whose filters are of use.
	restricts = regexp.MustCompile(`(?i)trace_id|timestamp`)
	// readsClock finds functions that answer later, and perhaps a day later, when
	// the query runs than when it was planned.
	readsClock = regexp.MustCompile(`(?i)\b(now|today|age|localtime(stamp)?|(get_)?current_(date|(local)?time(stamp)?)|transaction_timestamp)\b`)
	// turnsBack finds what may answer less for a later time, as an hour does.
	turnsBack = regexp.MustCompile(`(?i)\b(date_?part|date_?sub|date_?diff|extract|strftime|age|epoch\w*|` +
		`\w*(second|minute|hour|week|month|quarter|year)s?|(week|last_|to_)?days?|dayof\w+)\s*\(|%|::\s*time\b|\bas\s+time\b`)
)

// plans reports whether the query is one that can be planned in another engine
// and whose plan may tell something.
func (p *planner) plans(sql string) bool {
	p.shadowed = p.shadowed || createsFunction.MatchString(sql)
	return !p.shadowed && restricts.MatchString(sql) && !readsSession.MatchString(sql)
}

// needs returns the rows that the query needs of each view, by name. A view
// that it does not use is not there. ok is false where that is not known.
func (p *planner) needs(ctx context.Context, sql string) (needs map[string]needed, ok bool) {
	var plan texts
	err := p.db.Query(ctx, "select json_serialize_plan("+duck.Quote(sql)+", optimize := true)", &plan)
	if err != nil || len(plan) != 1 {
		return nil, false
	}
	var root struct {
		Error bool            `json:"error"`
		Plans json.RawMessage `json:"plans"`
	}
	if json.Unmarshal([]byte(plan[0]), &root) != nil || root.Error || len(root.Plans) == 0 {
		return nil, false
	}
	var tree any
	decoder := json.NewDecoder(strings.NewReader(string(root.Plans)))
	decoder.UseNumber()
	if decoder.Decode(&tree) != nil {
		return nil, false
	}
	w := planWalk{needs: map[string]needed{}, ok: true}
	w.visit(tree)
	if readsClock.MatchString(sql) {
		for name, need := range w.needs {
			need.to = math.MaxInt64
			if turnsBack.MatchString(sql) {
				need.from = math.MinInt64
			}
			w.needs[name] = need
		}
	}
	return w.needs, w.ok
}

// planWalk adds up what the scans in a plan need.
type planWalk struct {
	needs map[string]needed
	ok    bool
}

func (w *planWalk) visit(node any) {
	switch node := node.(type) {
	case []any:
		for _, child := range node {
			w.visit(child)
		}
	case map[string]any:
		switch node["type"] {
		case "LOGICAL_EMPTY_RESULT": // something was dropped
			w.ok = false
		case "LOGICAL_GET":
			w.scan(node)
		}
		for _, child := range node {
			w.visit(child)
		}
	}
}

func (w *planWalk) scan(node map[string]any) {
	if node["name"] != "seq_scan" {
		return
	}
	function, _ := node["function_data"].(map[string]any)
	table, _ := function["table"].(string)
	names, _ := node["names"].([]any)
	filters, _ := node["table_filters"].(map[string]any)
	if table == "" || len(names) == 0 || filters == nil {
		w.ok = false
		return
	}
	need := everything()
	list, _ := filters["filters"].([]any)
	for _, f := range list {
		pair, _ := f.(map[string]any)
		key, _ := pair["key"].(json.Number)
		column, err := key.Int64()
		if err != nil || column < 0 || column >= int64(len(names)) {
			continue
		}
		filter, _ := pair["value"].(map[string]any)
		need = need.and(restriction(names[column], filter))
	}
	if before, again := w.needs[table]; again {
		need = need.or(before)
	}
	w.needs[table] = need
}

// restriction is what a filter on a column leaves.
func restriction(column any, filter map[string]any) needed {
	if column != "timestamp" && column != "trace_id" {
		return everything()
	}
	children, _ := filter["child_filters"].([]any)
	switch filter["filter_type"] {
	case "CONSTANT_COMPARISON":
		constant, _ := filter["constant"].(map[string]any)
		return comparison(column, filter["comparison_type"], constant)
	case "OPTIONAL_FILTER":
		child, _ := filter["child_filter"].(map[string]any)
		return restriction(column, child)
	case "CONJUNCTION_AND":
		need := everything()
		for _, c := range children {
			child, _ := c.(map[string]any)
			need = need.and(restriction(column, child))
		}
		return need
	case "CONJUNCTION_OR", "IN_FILTER":
		values, _ := filter["values"].([]any)
		need := nothing()
		for _, c := range children {
			child, _ := c.(map[string]any)
			need = need.or(restriction(column, child))
		}
		for _, v := range values {
			constant, _ := v.(map[string]any)
			need = need.or(comparison(column, "COMPARE_EQUAL", constant))
		}
		if len(children)+len(values) > 0 {
			return need
		}
	}
	return everything()
}

func comparison(column, operator any, constant map[string]any) needed {
	need := everything()
	typ, _ := constant["type"].(map[string]any)
	switch {
	case column == "trace_id" && operator == "COMPARE_EQUAL" && typ["id"] == "VARCHAR":
		if id, ok := constant["value"].(string); ok {
			need.traces, need.anyTrace = []string{id}, false
		}
	case column == "timestamp" && typ["id"] == "TIMESTAMP_NS":
		number, _ := constant["value"].(json.Number)
		at, err := number.Int64()
		if err != nil {
			break
		}
		switch operator {
		case "COMPARE_EQUAL":
			need.from, need.to = at, at
		case "COMPARE_GREATERTHAN", "COMPARE_GREATERTHANOREQUALTO":
			need.from = at
		case "COMPARE_LESSTHAN", "COMPARE_LESSTHANOREQUALTO":
			need.to = at
		}
	}
	return need
}

// needed says which rows are needed at most: those within the times, both
// included, of one of the traces, or of any.
type needed struct {
	from, to int64 // Unix nanoseconds
	traces   []string
	anyTrace bool
}

func everything() needed { return needed{from: math.MinInt64, to: math.MaxInt64, anyTrace: true} }
func nothing() needed    { return needed{from: math.MaxInt64, to: math.MinInt64} }

func (n needed) and(m needed) needed {
	r := needed{from: max(n.from, m.from), to: min(n.to, m.to)}
	switch {
	case n.anyTrace:
		r.traces, r.anyTrace = m.traces, m.anyTrace
	case m.anyTrace:
		r.traces = n.traces
	default:
		for _, id := range n.traces {
			if slices.Contains(m.traces, id) {
				r.traces = append(r.traces, id)
			}
		}
	}
	return r
}

func (n needed) or(m needed) needed {
	r := needed{from: min(n.from, m.from), to: max(n.to, m.to), anyTrace: n.anyTrace || m.anyTrace}
	if !r.anyTrace {
		r.traces = slices.Concat(n.traces, m.traces)
	}
	return r
}
