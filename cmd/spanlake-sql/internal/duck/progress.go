package duck

import (
	"time"

	duckdb "github.com/duckdb/duckdb-go-bindings"
)

// Progress is told how far a statement is that takes long, until its first rows
// come. Its functions are called by one goroutine at a time.
type Progress struct {
	After, Every time.Duration
	// Show gets a percentage, below 0 where it is not known.
	Show func(percent float64)
	// Done is called once after the last Show, and not without one.
	Done func()
}

// progressSettings make the engine keep count, and print nothing itself.
var progressSettings = []string{"enable_progress_bar = true", "enable_progress_bar_print = false"}

// watch shows the progress of the connection's statement until the returned
// function is called.
func (db *DB) watch() func() {
	p := db.progress
	if p == nil {
		return func() {}
	}
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		timer := time.NewTimer(p.After)
		defer timer.Stop()
		for shown := false; ; shown = true {
			select {
			case <-done:
				if shown {
					p.Done()
				}
				return
			case <-timer.C:
			}
			state := duckdb.QueryProgress(db.conn)
			percent, _, _ := duckdb.QueryProgressTypeMembers(&state)
			p.Show(percent)
			timer.Reset(p.Every)
		}
	}()
	return func() {
		close(done)
		<-ended
	}
}
