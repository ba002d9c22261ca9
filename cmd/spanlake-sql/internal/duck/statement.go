package duck

import (
	"context"
	"errors"
	"fmt"
	"slices"

	duckdb "github.com/duckdb/duckdb-go-bindings"
)

// Refusals of statements that a user may not run.
var (
	// ErrWrites: the directories hold a store, and the engine would write there.
	ErrWrites = errors.New("not available, because it could write files into the store: redirect the output of --format parquet, csv or json instead")
	// ErrTransaction: a snapshot lasts for one query.
	ErrTransaction = errors.New("transactions are not available: each query sees one snapshot of the store")
	// ErrNotAnswered is all that reads nothing and would change the engine.
	ErrNotAnswered = errors.New("not available: what is answered is select, describe, show, explain of these, set, and tables, views and macros in memory")
)

// refused are the words that statements begin with which could write, take
// effect while they are planned, or call a function that does.
var refused = map[string]error{
	"copy": ErrWrites, "export": ErrWrites, "import": ErrWrites, "attach": ErrWrites, "prepare": ErrWrites, "execute": ErrWrites,
	"begin": ErrTransaction, "start": ErrTransaction, "commit": ErrTransaction, "end": ErrTransaction, "rollback": ErrTransaction, "abort": ErrTransaction,
	"detach": ErrNotAnswered, "install": ErrNotAnswered, "load": ErrNotAnswered, "call": ErrNotAnswered,
	"checkpoint": ErrNotAnswered, "force": ErrNotAnswered, "vacuum": ErrNotAnswered, "deallocate": ErrNotAnswered,
}

// writers are functions that write files, or that run a text as SQL which may
// call one.
var writers = []string{"enable_logging", "query", "json_execute_serialized_sql"}

// answered are the types of statements that touch nothing but memory. EXPLAIN is
// among them where what it explains was looked at.
var answered = []duckdb.StatementType{
	duckdb.StatementTypeSelect, duckdb.StatementTypeExplain, duckdb.StatementTypeSet, duckdb.StatementTypeVariableSet, duckdb.StatementTypePragma,
	duckdb.StatementTypeCreate, duckdb.StatementTypeCreateFunc, duckdb.StatementTypeAlter, duckdb.StatementTypeDrop, duckdb.StatementTypeAnalyze,
	duckdb.StatementTypeInsert, duckdb.StatementTypeUpdate, duckdb.StatementTypeDelete, duckdb.StatementTypeMergeInto,
}

// Statement is one that a user may run.
type Statement struct{ lexed }

// Text is its SQL, without the semicolon.
func (s Statement) Text() string { return s.text }

// Statements takes a user's text apart. It refuses the text where it is no SQL,
// or one of its statements is not answered.
func (db *DB) Statements(ctx context.Context, sql string) ([]Statement, error) {
	pieces := split(sql)
	for _, piece := range pieces {
		if err := db.admit(ctx, piece); err != nil {
			return nil, err
		}
	}
	// At once, so that an error shows its place in the whole text.
	if _, err := db.count(sql); err != nil {
		return nil, err
	}
	statements := make([]Statement, len(pieces))
	for i, piece := range pieces {
		n, err := db.count(piece.text)
		if err != nil {
			return nil, err
		}
		// PIVOT is the one statement that the engine makes several of.
		if n != 1 && !slices.ContainsFunc(piece.tokens, func(t token) bool { return t.text == "pivot" || t.text == "pivot_wider" }) {
			return nil, errors.New("parser error: cannot tell where the statements end: run them one by one")
		}
		statements[i] = Statement{piece}
	}
	return statements, nil
}

// admit refuses what must not even be planned.
func (db *DB) admit(ctx context.Context, l lexed) error {
	first := l.tokens[0].text
	if err := refused[first]; err != nil {
		return fmt.Errorf("%s is %w", first, err)
	}
	for i, t := range l.tokens {
		if t.word && slices.Contains(writers, t.text) && i+1 < len(l.tokens) && l.tokens[i+1].text == "(" {
			return fmt.Errorf("the function %s is %w", t.text, ErrWrites)
		}
	}
	switch {
	case first == "create" && l.tokens[l.kind()].text == "secret":
		return fmt.Errorf("create secret is %w", ErrWrites)
	case first == "explain" && !db.explainsSelect(ctx, l):
		return fmt.Errorf("explain of anything but select is %w", ErrWrites)
	}
	return nil
}

// kind is the index of the word after CREATE, ALTER or DROP that says what.
func (l lexed) kind() int {
	i := 1
	for i < len(l.tokens)-1 && slices.Contains([]string{"or", "replace", "temp", "temporary", "persistent", "local", "global", "unlogged", "recursive", "unique"}, l.tokens[i].text) {
		i++
	}
	return min(i, len(l.tokens)-1)
}

// explainsSelect asks the engine whether what comes after EXPLAIN and its
// options is a select by itself.
func (db *DB) explainsSelect(ctx context.Context, l lexed) bool {
	last := 0
	for _, option := range []string{"analyze", "verbose"} {
		if last+1 < len(l.tokens) && l.tokens[last+1].text == option {
			last++
		}
	}
	if db.selects(ctx, l.text[l.ends[last]:]) {
		return true
	}
	if last+1 == len(l.tokens) || l.tokens[last+1].text != "(" {
		return false
	}
	for i := last + 1; i < len(l.tokens); i++ {
		if l.tokens[i].text == ")" {
			return db.selects(ctx, l.text[l.ends[i]:])
		}
	}
	return false
}

// selects is true of text that the engine can write as JSON: it can of selects
// only, and of what it makes selects of, such as DESCRIBE.
func (db *DB) selects(ctx context.Context, sql string) bool {
	var failed flag
	err := db.run(ctx, "select json_serialize_sql("+Quote(sql)+")->>'$.error'", nil, &failed)
	return err == nil && failed == "false"
}

// flag keeps the one value of a query.
type flag string

func (*flag) Begin([]Column) error { return nil }
func (*flag) End() error           { return nil }

func (f *flag) Row(row Row) error {
	*f = flag(row.AppendText(nil, 0))
	return nil
}

// count is the number of statements that the engine finds.
func (db *DB) count(sql string) (int, error) {
	var statements duckdb.ExtractedStatements
	n := duckdb.ExtractStatements(db.conn, sql, &statements)
	defer duckdb.DestroyExtracted(&statements)
	if message := duckdb.ExtractStatementsError(statements); n == 0 && message != "" {
		return 0, lowerError(message)
	}
	return int(n), nil
}

// check looks at a statement that the engine has planned.
func (s Statement) check(prepared duckdb.PreparedStatement) error {
	kind := duckdb.PreparedStatementType(prepared)
	if !slices.Contains(answered, kind) || kind == duckdb.StatementTypeExplain && s.tokens[0].text != "explain" {
		return fmt.Errorf("this statement is %w", ErrNotAnswered)
	}
	return nil
}

// Changes are the names, in lower case and without their schemas, that the
// statement gives to something or takes away.
func (s Statement) Changes() []string {
	switch s.tokens[0].text {
	case "create", "alter", "drop":
	default:
		return nil
	}
	var names []string
	named := false // the name follows
	for i := s.kind(); i < len(s.tokens); i++ {
		t, next := s.tokens[i], ""
		if i+1 < len(s.tokens) {
			next = s.tokens[i+1].text
		}
		switch {
		case i == s.kind(), t.text == "to": // the kind; RENAME TO
			named = true
		case named && (t.text == "if" || t.text == "not" || t.text == "exists" || t.text == "."):
		case named && t.word && next != ".":
			names, named = append(names, t.text), false
		}
		if s.tokens[0].text == "create" && len(names) > 0 {
			break
		}
	}
	return names
}
