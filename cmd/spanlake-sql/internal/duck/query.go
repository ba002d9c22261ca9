package duck

import (
	"context"
	"errors"
	"sync"

	duckdb "github.com/duckdb/duckdb-go-bindings"
)

// Sink receives results. For each statement that yields rows Begin is called
// once, then Row for each row, then End. An error from any of them ends the
// query and is returned as it is.
type Sink interface {
	Begin(columns []Column) error
	Row(row Row) error
	End() error
}

// Exec runs statements and drops what they return.
func (db *DB) Exec(ctx context.Context, sql string) error {
	return db.run(ctx, sql, nil, nil)
}

// Query runs statements written by a user, one after the other, and gives their
// rows to sink.
func (db *DB) Query(ctx context.Context, sql string, sink Sink) error {
	statements, err := db.Statements(ctx, sql)
	if err != nil {
		return err
	}
	for _, s := range statements {
		if err := db.Run(ctx, s, sink); err != nil {
			return err
		}
	}
	return nil
}

// Run runs one of them.
func (db *DB) Run(ctx context.Context, s Statement, sink Sink) error {
	return db.run(ctx, s.text, s.check, sink)
}

// ErrNotOneSelect says that a result cannot be one file.
var ErrNotOneSelect = errors.New("parquet holds the result of one select statement, no more and no other")

// WriteParquet writes the result of a query written by a user as a file, which
// must be within the directories.
func (db *DB) WriteParquet(ctx context.Context, sql, path string) error {
	statements, err := db.Statements(ctx, sql)
	if err != nil {
		return err
	}
	// What is one statement by itself cannot end the parentheses it is put in.
	if len(statements) != 1 || !db.selects(ctx, statements[0].text) {
		return ErrNotOneSelect
	}
	// In a FROM, which takes DESCRIBE and SHOW too.
	return db.Exec(ctx, "copy (select * from ("+statements[0].text+"\n)) to "+Quote(path)+" (format parquet, compression zstd)")
}

func (db *DB) run(ctx context.Context, sql string, check func(duckdb.PreparedStatement) error, sink Sink) error {
	if ctx.Err() != nil {
		return cancelled(ctx)
	}
	defer db.interruptOn(ctx)()

	var statements duckdb.ExtractedStatements
	n := duckdb.ExtractStatements(db.conn, sql, &statements)
	defer duckdb.DestroyExtracted(&statements)
	if n == 0 {
		if message := duckdb.ExtractStatementsError(statements); message != "" {
			return lowerError(message)
		}
		return nil
	}
	for i := range n {
		if err := db.runStatement(ctx, statements, i, check, sink); err != nil {
			return err
		}
	}
	return nil
}

func (db *DB) runStatement(ctx context.Context, statements duckdb.ExtractedStatements, i duckdb.IdxT,
	check func(duckdb.PreparedStatement) error, sink Sink,
) error {
	var prepared duckdb.PreparedStatement
	state := duckdb.PrepareExtractedStatement(db.conn, statements, i, &prepared)
	defer duckdb.DestroyPrepare(&prepared)
	if state == duckdb.StateError {
		return messageError(ctx, duckdb.PrepareError(prepared))
	}
	if check != nil {
		if err := check(prepared); err != nil {
			return err
		}
	}
	if duckdb.NParams(prepared) > 0 {
		return errors.New("a parameter such as $1 or ? has no value here: write the value into the query")
	}

	// The streaming form is the one whose memory is bounded: a materialized
	// result is not counted by memory_limit (measured: 2.4 GB at a limit of
	// 256 MB for 20 M rows, against 53 MB streamed).
	var pending duckdb.PendingResult
	state = duckdb.PendingPreparedStreaming(prepared, &pending)
	defer duckdb.DestroyPending(&pending)
	if state == duckdb.StateError {
		return messageError(ctx, duckdb.PendingError(pending))
	}
	rowsCome := sync.OnceFunc(db.watch())
	defer rowsCome()
	var result duckdb.Result
	state = duckdb.ExecutePending(pending, &result)
	defer duckdb.DestroyResult(&result)
	if state == duckdb.StateError {
		return resultError(ctx, &result)
	}
	if sink == nil || duckdb.ResultReturnType(result) != duckdb.ResultTypeQueryResult {
		return drain(ctx, &result)
	}
	return stream(ctx, &result, sink, rowsCome)
}

func drain(ctx context.Context, result *duckdb.Result) error {
	for {
		chunk := duckdb.FetchChunk(*result)
		if chunk.Ptr == nil {
			return resultError(ctx, result)
		}
		duckdb.DestroyDataChunk(&chunk)
	}
}

// stream fetches the first rows before it calls Begin, so that a query which
// fails early has not begun its output.
func stream(ctx context.Context, result *duckdb.Result, sink Sink, rowsCome func()) error {
	columns, err := resultColumns(result)
	if err != nil {
		return err
	}
	vectors := newVectors(columns)
	for first := true; ; first = false {
		chunk := duckdb.FetchChunk(*result)
		if chunk.Ptr == nil {
			if err := resultError(ctx, result); err != nil {
				return err
			}
		}
		if first {
			rowsCome()
			if err := sink.Begin(columns); err != nil {
				return err
			}
		}
		if chunk.Ptr == nil {
			return sink.End()
		}
		err := chunkRows(ctx, chunk, vectors, sink)
		duckdb.DestroyDataChunk(&chunk)
		if err != nil {
			return err
		}
	}
}

func chunkRows(ctx context.Context, chunk duckdb.DataChunk, vectors []vector, sink Sink) error {
	if ctx.Err() != nil {
		return cancelled(ctx)
	}
	for i := range vectors {
		vectors[i].bind(duckdb.DataChunkGetVector(chunk, duckdb.IdxT(i)))
	}
	for i := range int(duckdb.DataChunkGetSize(chunk)) {
		if err := sink.Row(Row{vectors: vectors, index: i}); err != nil {
			return err
		}
	}
	return nil
}
