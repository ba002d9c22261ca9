package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"golang.org/x/term"

	"github.com/spanlake/spanlake/cmd/spanlake-sql/internal/reader"
	"github.com/spanlake/spanlake/cmd/spanlake-sql/internal/tracetree"
)

// showTrace prints the trace of an ID as a tree, or as JSON.
func showTrace(r *reader.Reader, o options, std streams) error {
	ctx, stop := interruptible()
	defer stop()
	var t *tracetree.Trace
	err := r.Tolerate(ctx, func(text string) { complain(std.err, text) }, func() (err error) {
		t, err = tracetree.Read(ctx, r, o.trace)
		return err
	})
	if err != nil {
		return err
	}
	if len(t.Spans)+len(t.Logs) == 0 {
		return fmt.Errorf("no trace %s in the store: it may not be written yet, not be sampled, or have expired", o.trace)
	}
	if o.format == "json" {
		return tracetree.WriteJSON(std.out, t)
	}
	style := std.style
	style.ASCII = style.ASCII || o.ascii
	return tracetree.WriteText(std.out, t, style)
}

// interruptible returns a context that ends at the first interrupt; a second one
// ends the program at once.
func interruptible() (context.Context, func()) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	remove := context.AfterFunc(ctx, stop)
	return ctx, func() {
		remove()
		stop()
	}
}

// defaultWidth is that of lines where the output is no terminal.
const defaultWidth = 120

// styleOf is how to draw on a file.
func styleOf(f *os.File, getenv func(string) string) tracetree.Style {
	style := tracetree.Style{Width: defaultWidth, ASCII: !utf8Locale(getenv)}
	if width, _, err := term.GetSize(int(f.Fd())); err == nil {
		style.Color = getenv("NO_COLOR") == "" && getenv("TERM") != "dumb"
		if width > 0 {
			style.Width = width
		}
	}
	return style
}

// utf8Locale reads the locale as POSIX says: the first of the three that is set
// counts. Where none is, the terminals of today take UTF-8.
func utf8Locale(getenv func(string) string) bool {
	for _, name := range []string{"LC_ALL", "LC_CTYPE", "LANG"} {
		if v := strings.ToLower(getenv(name)); v != "" {
			return strings.Contains(v, "utf-8") || strings.Contains(v, "utf8")
		}
	}
	return true
}
