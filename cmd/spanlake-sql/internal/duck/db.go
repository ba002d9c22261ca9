package duck

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	duckdb "github.com/duckdb/duckdb-go-bindings"
)

// interruptEvery is how often a cancelled statement is interrupted again: the
// engine forgets an interrupt that arrives between planning and execution.
const interruptEvery = 50 * time.Millisecond

// Settings of a database. All of them are fixed once it is open.
type Settings struct {
	Threads     int    // 0: one for each core
	MemoryLimit string // as DuckDB writes it: "1GB"; "" for 80% of the memory
	TempDir     string // where operators spill beyond MemoryLimit
	// Directories are the only ones whose files SQL can open.
	Directories []string
	// Set are further settings, each as SQL: "name = value".
	Set []string
	// Progress is told of statements that take long. Nil: nobody is.
	Progress *Progress
}

// DB is one database and one connection. It is used by one goroutine at a time.
type DB struct {
	db   duckdb.Database
	conn duckdb.Connection

	progress *Progress
}

// Open makes an empty in-memory database.
func Open(s Settings) (*DB, error) {
	db := &DB{progress: s.Progress}
	if s.Progress != nil {
		s.Set = slices.Concat(s.Set, progressSettings)
	}
	if err := db.open(s); err != nil {
		return nil, fmt.Errorf("open the query engine: %w", err)
	}
	if err := db.confine(s); err != nil {
		db.Close()
		return nil, fmt.Errorf("confine the query engine: %w", err)
	}
	return db, nil
}

func (db *DB) open(s Settings) error {
	var config duckdb.Config
	if duckdb.CreateConfig(&config) == duckdb.StateError {
		return errors.New("out of memory")
	}
	defer duckdb.DestroyConfig(&config)
	options := [][2]string{
		{"autoinstall_known_extensions", "false"},
		{"autoload_known_extensions", "false"},
		{"allow_community_extensions", "false"},
	}
	if s.Threads > 0 {
		options = append(options, [2]string{"threads", strconv.Itoa(s.Threads)})
	}
	if s.MemoryLimit != "" {
		options = append(options, [2]string{"memory_limit", s.MemoryLimit})
	}
	if s.TempDir != "" {
		options = append(options, [2]string{"temp_directory", s.TempDir})
	}
	for _, o := range options {
		if duckdb.SetConfig(config, o[0], o[1]) == duckdb.StateError {
			return fmt.Errorf("setting %s=%s refused", o[0], o[1])
		}
	}
	var message string
	if duckdb.OpenExt("", &db.db, config, &message) == duckdb.StateError {
		duckdb.Close(&db.db)
		return lowerError(message)
	}
	if duckdb.Connect(db.db, &db.conn) == duckdb.StateError {
		duckdb.Close(&db.db)
		return errors.New("no connection to the in-memory database")
	}
	return nil
}

// confine closes the file system but for the given directories, and then the
// settings themselves, so that no statement can open it again. The time zone is
// set here because it belongs to an extension that config cannot reach.
func (db *DB) confine(s Settings) error {
	quoted := make([]string, len(s.Directories))
	for i, d := range s.Directories {
		quoted[i] = Quote(d)
	}
	settings := slices.Concat(s.Set, []string{
		"TimeZone = 'UTC'",
		"allowed_directories = [" + strings.Join(quoted, ", ") + "]",
		"enable_external_access = false",
		"lock_configuration = true",
	})
	for _, setting := range settings {
		if err := db.Exec(context.Background(), "set "+setting); err != nil {
			return err
		}
	}
	return nil
}

// Close frees the database. Closing twice is allowed.
func (db *DB) Close() {
	duckdb.Disconnect(&db.conn)
	duckdb.Close(&db.db)
}

// interruptOn interrupts the connection from the moment ctx ends until the
// returned function is called, which waits for that to be over: an interrupt
// must not hit the next statement.
func (db *DB) interruptOn(ctx context.Context) func() {
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		select {
		case <-done:
			return
		case <-ctx.Done():
		}
		tick := time.NewTicker(interruptEvery)
		defer tick.Stop()
		for {
			duckdb.Interrupt(db.conn)
			select {
			case <-done:
				return
			case <-tick.C:
			}
		}
	}()
	return func() {
		close(done)
		<-ended
	}
}

// Quote writes s as a SQL string literal.
func Quote(s string) string {
	return "'" + strings.ReplaceAll(s, "'", "''") + "'"
}

// QuoteName writes s as a SQL identifier.
func QuoteName(s string) string {
	return `"` + strings.ReplaceAll(s, `"`, `""`) + `"`
}
