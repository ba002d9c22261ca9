package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spanlake/spanlake/cmd/spanlake-sql/internal/format"
	"github.com/spanlake/spanlake/cmd/spanlake-sql/internal/reader"
)

// tailEvery is how often the manifest is looked at.
const tailEvery = time.Second

// tailNames are what --tail follows: nothing named is both.
var tailNames = []string{"both", "spans", "logs"}

// tailFlag is --tail, --tail=logs, or "--tail logs", of which the flag package
// takes logs for an argument.
type tailFlag struct{ what *string }

func (tailFlag) IsBoolFlag() bool { return true }
func (tailFlag) String() string   { return "" }

func (f tailFlag) Set(text string) error {
	if text == "true" {
		text = tailNames[0]
	}
	if !slices.Contains(tailNames, text) {
		return fmt.Errorf("not one of %s", strings.Join(tailNames, ", "))
	}
	*f.what = text
	return nil
}

// tail prints rows as they come until the user interrupts it.
func tail(r *reader.Reader, o options, ticks <-chan time.Time, std streams) error {
	ctx, stop := interruptible()
	defer stop()
	sink := format.NewLines(std.out, std.style.Color)
	sql := tailSQL(o.tail, o.where, "epoch_ns(timestamp) as timestamp, 'span' as kind, service_name, name as text, duration_ns, status_code as status, status_message as message, trace_id",
		"epoch_ns(timestamp) as timestamp, 'log' as kind, service_name, body as text, null::bigint as duration_ns, severity_number as status, severity_text as message, trace_id")
	if o.format == "json" {
		sink = format.NewJSONLines(std.out)
		sql = tailSQL(o.tail, o.where, "'span' as signal, *", "'log' as signal, *")
	}
	err := r.Follow(ctx, reader.Follow{
		SQL: sql, Sink: sink, Old: !o.window.From.IsZero(), Ticks: ticks,
		Notice: func(text string) { complain(std.err, text) },
	})
	if ctx.Err() != nil && errors.Is(err, context.Cause(ctx)) {
		return nil // as asked
	}
	return err
}

// tailSQL selects what is followed in order of time. The predicate may end in a
// comment, and is in a query of its own: it must not see the names given here.
func tailSQL(what, where, spans, logs string) string {
	condition := ""
	if where != "" {
		condition = " where (" + where + "\n)"
	}
	var parts []string
	if what != "logs" {
		parts = append(parts, "select "+spans+" from (from spans"+condition+")")
	}
	if what != "spans" {
		parts = append(parts, "select "+logs+" from (from logs"+condition+")")
	}
	return strings.Join(parts, " union all by name ") + " order by timestamp"
}
