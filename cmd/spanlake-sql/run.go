package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/spanlake/spanlake/cmd/spanlake-sql/internal/format"
	"github.com/spanlake/spanlake/cmd/spanlake-sql/internal/reader"
	"github.com/spanlake/spanlake/cmd/spanlake-sql/internal/tracetree"
)

// Exit codes.
const (
	exitOK     = 0
	exitFailed = 1 // the query, the store or the output
	exitUsage  = 2
)

// streams are what the program reads and writes. A terminal is both in and out.
type streams struct {
	in       io.Reader
	out, err io.Writer
	terminal bool
	progress bool            // err is a terminal
	drawn    bool            // out is a terminal
	style    tracetree.Style // of what is drawn on out
}

func run(args []string, std streams) int {
	o, err := parseOptions(args, time.Now(), std.out)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return exitOK
	case err != nil:
		complain(std.err, err.Error())
		fmt.Fprintln(std.err, "spanlake-sql --help lists the flags")
		return exitUsage
	}
	if err := execute(o, std); err != nil {
		if !errors.Is(err, syscall.EPIPE) {
			complain(std.err, err.Error())
		}
		return exitFailed
	}
	return exitOK
}

// complain tells what is wrong, in characters that do nothing to a terminal.
func complain(out io.Writer, text string) {
	fmt.Fprintf(out, "spanlake-sql: %s\n", format.PrintableLines(text))
}

func execute(o options, std streams) error {
	if o.files {
		return listFiles(o.data, o.window, std.out)
	}
	if o.query == "" && o.mode() == "" && !std.terminal {
		text, err := io.ReadAll(std.in)
		if err != nil {
			return fmt.Errorf("read the query from standard input: %w", err)
		}
		o.query = string(text)
		if strings.TrimSpace(o.query) == "" {
			return errors.New("no query: give one as argument or on standard input")
		}
	}
	settings := reader.Options{Dir: o.data, Threads: o.threads, MemoryLimit: o.memoryLimit, Window: o.window}
	if std.progress {
		settings.Progress = progressLine(std.err)
	}
	r, err := reader.Open(settings)
	if err != nil {
		return err
	}
	switch {
	case o.trace != "":
		err = showTrace(r, o, std)
	case o.tail != "":
		ticker := time.NewTicker(tailEvery)
		defer ticker.Stop()
		err = tail(r, o, ticker.C, std)
	case o.query != "":
		err = query(r, o.query, o.format, std)
	default:
		err = prompt(r, o, std)
	}
	return errors.Join(err, r.Close())
}

// query runs sql until it ends or the user interrupts it.
func query(r *reader.Reader, sql, outputFormat string, std streams) error {
	ctx, stop := interruptible()
	defer stop()
	if outputFormat == format.Parquet {
		if std.drawn {
			return errors.New("parquet is not for a terminal: redirect the output to a file")
		}
		return r.WriteParquet(ctx, sql, std.out)
	}
	sink, err := format.New(outputFormat, std.out, std.drawn)
	if err != nil {
		return err
	}
	return r.Query(ctx, sql, sink)
}

func listFiles(dir string, window reader.Window, out io.Writer) error {
	snapshot, err := reader.Snapshot(dir)
	if err != nil {
		return err
	}
	for _, f := range window.Files(snapshot.Files) {
		if _, err := fmt.Fprintln(out, filepath.Join(dir, filepath.FromSlash(f.Path))); err != nil {
			return err
		}
	}
	return nil
}
