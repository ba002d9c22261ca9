package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/spanlake/spanlake/cmd/spanlake-sql/internal/duck"
	"github.com/spanlake/spanlake/cmd/spanlake-sql/internal/reader"
)

// query is one that people ask, with its bar.
type query struct {
	name     string
	sql      string // $trace is an ID, $from and $to the last 24 hours of data
	rounds   int    // times the option
	p50, p95 time.Duration
}

const listed = "timestamp, duration_ns, trace_id, span_id, service_name, name, status_code"

var queries = []query{
	{
		"trace by ID", "select " + listed + ", parent_span_id, kind, attributes from spans where trace_id = '$trace' order by timestamp",
		5, 30 * time.Millisecond, 80 * time.Millisecond,
	},
	{
		"newest 20 by service and minimum duration",
		"select " + listed + " from spans where service_name = 'service-03' and duration_ns > 60000000 and timestamp between '$from' and '$to' order by timestamp desc limit 20",
		1, 100 * time.Millisecond, 0,
	},
	{
		"newest 20 by a lifted attribute",
		"select " + listed + ` from spans where "user.id" = 'user-4711' and timestamp between '$from' and '$to' order by timestamp desc limit 20`,
		1, 150 * time.Millisecond, 0,
	},
	{
		"newest 20 by an attribute that is not lifted",
		"select " + listed + ` from spans where (attributes->>'$."app.tenant"') = 'tenant-7' and duration_ns > 100000000 and timestamp between '$from' and '$to' order by timestamp desc limit 20`,
		1, 2 * time.Second, 0,
	},
	{
		"every span by an attribute that is not lifted",
		`select count(*), avg(duration_ns) from spans where (attributes->>'$."app.tenant"') = 'tenant-7' and timestamp between '$from' and '$to'`,
		1, 2 * time.Second, 0,
	},
	{
		"p99 by service and minute",
		"select service_name, date_trunc('minute', timestamp::timestamp) as minute, quantile_cont(duration_ns, 0.99) from spans where timestamp between '$from' and '$to' group by all",
		1, 600 * time.Millisecond, 0,
	},
}

// ask runs all queries with an open connection and a warm cache, and prints what
// they took; bars are multiplied.
func (b *bench) ask(ctx context.Context, when string, times int) (err error) {
	fmt.Fprintln(b.log, "queries", when)
	fmt.Fprintf(b.out, "\nqueries %s\n\n| query | p50 ms | p95 ms | CPU ms | bar |\n|---|---:|---:|---:|---:|\n", when)
	r, err := reader.Open(reader.Options{Dir: b.dir, MemoryLimit: "1GB"})
	if err != nil {
		return err
	}
	defer func() {
		if e := r.Close(); err == nil {
			err = e
		}
	}()
	random := rand.New(rand.NewPCG(b.seed, 2))
	for _, q := range queries {
		var took []time.Duration
		rounds := q.rounds * b.rounds
		var begun time.Duration
		for round := -min(3, b.rounds); round < rounds; round++ { // the first ones warm up
			if round == 0 {
				begun = cpu()
			}
			sql := strings.NewReplacer(
				"$trace", b.traces[random.IntN(len(b.traces))],
				"$from", b.start.Format(time.DateTime),
				"$to", b.start.Add(hours*time.Hour).Format(time.DateTime),
			).Replace(q.sql)
			rows := &rowCounter{}
			begin := time.Now()
			if err := r.Query(ctx, sql, rows); err != nil {
				return fmt.Errorf("%s: %w", q.name, err)
			}
			if rows.n == 0 && b.spans >= 1_000_000 {
				return fmt.Errorf("%s: no rows: %s", q.name, sql)
			}
			if round >= 0 {
				took = append(took, time.Since(begin))
			}
		}
		spent := (cpu() - begun) / time.Duration(rounds)
		slices.Sort(took)
		bar := ms(time.Duration(times) * q.p50)
		if q.p95 > 0 {
			bar += ", p95 " + ms(time.Duration(times)*q.p95)
		}
		fmt.Fprintf(b.out, "| %s | %s | %s | %s | %s |\n", q.name, ms(took[len(took)/2]), ms(took[len(took)*95/100]), ms(spent), bar)
	}
	return nil
}

func ms(d time.Duration) string { return fmt.Sprintf("%.1f", d.Seconds()*1e3) }

func (b *bench) queriesBefore(ctx context.Context) error { return b.ask(ctx, "before compaction", 2) }

func (b *bench) queriesAfter(ctx context.Context) error { return b.ask(ctx, "after compaction", 1) }

func (b *bench) queriesOpen(ctx context.Context) error {
	return b.ask(ctx, "with an open hour at 5,000 spans a second", 2)
}

// rowCounter is a duck.Sink.
type rowCounter struct{ n int }

func (*rowCounter) Begin([]duck.Column) error { return nil }
func (c *rowCounter) Row(duck.Row) error      { c.n++; return nil }
func (*rowCounter) End() error                { return nil }
