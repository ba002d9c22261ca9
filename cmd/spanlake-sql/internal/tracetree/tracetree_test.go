package tracetree

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/spanlake/spanlake/cmd/spanlake-sql/internal/format"
)

var update = flag.Bool("update", false, "write the golden files of this test anew")

const (
	start = int64(1_795_255_200_000_000_000) // 2026-11-21 10:00 UTC
	ms    = int64(1_000_000)
)

func span(id, parent, service, name string, at, took int64) Span {
	return Span{ID: id, Parent: parent, Service: service, Name: name, Start: start + at, Duration: took, Kind: 2}
}

func shop() *Trace {
	failed := span("a3", "a2", "payment", "POST /charge", 40*ms, 30*ms)
	failed.Status, failed.StatusMessage = 2, "card \x1b[31mdeclined\nby bank"
	open := span("a5", "a1", "cart", "still open", 90*ms, -1)
	return &Trace{
		ID: "5b8efff798038103d269b633813fc60c",
		Spans: []Span{
			span("a1", "", "shop", "GET /checkout", 0, 100*ms),
			span("a2", "a1", "shop", "charge", 20*ms, 60*ms),
			failed,
			span("a4", "a2", "skewed", "starts too early", 15*ms, 2*ms),
			open,
			span("b1", "b0", "lost", "child of nobody", 50*ms, 5*ms),
			span("b2", "b0", "lost", "another one", 60*ms, 5*ms),
			span("c1", "c2", "loop", "one", 70*ms, ms),
			span("c2", "c1", "loop", "two", 71*ms, ms),
			span("a2", "a1", "payment", "charge, the server's side", 21*ms, 55*ms),
			span("d1", "d1", "self", "its own parent", 80*ms, 123456),
		},
		Logs: []Log{
			{Time: start + 5*ms, SpanID: "a1", Service: "shop", Severity: 9, Body: "cart has 3 items"},
			{Time: start + 65*ms, SpanID: "a3", Service: "payment", Severity: 17, SeverityText: "Error", Body: strings.Repeat("declined ", 30)},
			{Time: start + 66*ms, Service: "shop", Severity: 13, Body: "of no span 世界"},
			{Time: start - 5*ms, SpanID: "ff", Service: "shop", Severity: 0, Body: "of an unknown span"},
		},
		SpansLeft: 2, LogsLeft: 1,
	}
}

func TestGolden(t *testing.T) {
	draw := func(style Style) func(*bytes.Buffer) error {
		return func(b *bytes.Buffer) error { return WriteText(b, shop(), style) }
	}
	for name, write := range map[string]func(*bytes.Buffer) error{
		"unicode.txt": draw(Style{Width: 110}),
		"ascii.txt":   draw(Style{Width: 80, ASCII: true}),
		"color.txt":   draw(Style{Width: 110, Color: true}),
		"trace.json":  func(b *bytes.Buffer) error { return WriteJSON(b, shop()) },
	} {
		t.Run(name, func(t *testing.T) {
			var got bytes.Buffer
			require.NoError(t, write(&got))
			golden := filepath.Join("testdata", name)
			if *update {
				require.NoError(t, os.WriteFile(golden, got.Bytes(), 0o600))
			}
			want, err := os.ReadFile(golden)
			require.NoError(t, err)
			require.Equal(t, string(want), got.String())
		})
	}
}

func TestOnlyLogs(t *testing.T) {
	var got bytes.Buffer
	require.NoError(t, WriteText(&got, &Trace{ID: "00", Logs: []Log{{Time: start, Severity: 9, Body: "alone"}}}, Style{Width: 80, ASCII: true}))
	require.Contains(t, got.String(), "0 spans of 0 services, 0 errors, 1 log record\n")
	require.Contains(t, got.String(), ". INFO alone")
}

func TestParseID(t *testing.T) {
	const want = "5b8efff798038103d269b633813fc60c"
	for name, text := range map[string]string{
		"digits":      want,
		"upper case":  strings.ToUpper(want),
		"uuid":        "5b8efff7-9803-8103-d269-b633813fc60c",
		"traceparent": "00-" + want + "-eee19b7ec3c1b174-01",
		"spaces":      " " + want + "\n",
	} {
		t.Run(name, func(t *testing.T) {
			got, err := ParseID(text)
			require.NoError(t, err)
			require.Equal(t, want, got)
		})
	}
	got, err := ParseID("D269B633813FC60C")
	require.NoError(t, err)
	require.Equal(t, "0000000000000000d269b633813fc60c", got)
	for _, text := range []string{"", "xyz", strings.Repeat("0", 32), want + "0", "00-" + want, "' or true --"} {
		_, err := ParseID(text)
		require.ErrorContains(t, err, "is no trace ID: give 32 hexadecimal digits, 16, a UUID or a traceparent")
	}
}

// Whatever parents spans name, every span and every log record is shown once,
// nothing hangs, and no line has a control character.
func TestNothingIsLostOrShownTwice(t *testing.T) {
	id := rapid.SampledFrom([]string{"", "0000000000000000", "1", "2", "3", "4", "5", "6"})
	at := rapid.Int64Range(-5, 5)
	rapid.Check(t, func(r *rapid.T) {
		trace := &Trace{ID: "00"}
		for i := range rapid.IntRange(0, 12).Draw(r, "spans") {
			trace.Spans = append(trace.Spans, Span{
				ID: id.Draw(r, "id"), Parent: id.Draw(r, "parent"), Service: rapid.SampledFrom([]string{"a", "b"}).Draw(r, "service"),
				Name: fmt.Sprintf("<s%d>", i), Start: at.Draw(r, "start"), Duration: at.Draw(r, "took"), Status: 2, StatusMessage: "\x1b\u202e",
			})
		}
		for i := range rapid.IntRange(0, 5).Draw(r, "logs") {
			trace.Logs = append(trace.Logs, Log{Time: at.Draw(r, "time"), SpanID: id.Draw(r, "span"), Service: "a", Body: fmt.Sprintf("<l%d>\x07", i)})
		}
		var text, doc bytes.Buffer
		require.NoError(t, WriteText(&text, trace, Style{Width: 200}))
		require.NoError(t, WriteJSON(&doc, trace))
		for i := range trace.Spans {
			require.Equal(t, 1, strings.Count(text.String(), trace.Spans[i].Name))
		}
		for i := range trace.Logs {
			require.Equal(t, 1, strings.Count(text.String(), strings.TrimSuffix(trace.Logs[i].Body, "\x07")))
		}
		require.NotContains(t, text.String(), "\x1b")
		require.NotContains(t, text.String(), "\x07")
		var got document
		require.NoError(t, json.Unmarshal(doc.Bytes(), &got))
		require.Len(t, got.Spans, len(trace.Spans))
		require.Len(t, got.Logs, len(trace.Logs))
	})
}

func TestADeepTraceFitsTheWidth(t *testing.T) {
	trace := &Trace{ID: "00"}
	for i := range Limit {
		s := span(fmt.Sprint(i+1), fmt.Sprint(i), "deep", strings.Repeat("long name ", 20), int64(i), int64(Limit-i))
		if i == 0 {
			s.Parent = ""
		}
		trace.Spans = append(trace.Spans, s)
	}
	var text bytes.Buffer
	require.NoError(t, WriteText(&text, trace, Style{Width: 130}))
	for line := range strings.Lines(text.String()) {
		require.LessOrEqual(t, format.DisplayWidth(strings.TrimSuffix(line, "\n")), 130)
	}
	require.Contains(t, text.String(), "[9999] deep: long")
}

func TestDurations(t *testing.T) {
	p := &printer{glyphs: ascii}
	for n, want := range map[int64]string{
		0: "0ns", 999: "999ns", 1234: "1.23us", 12_345: "12.3us", 999_960: "1000us", 1_500_000: "1.50ms", 123_456_789: "123ms",
		2_500_000_000: "2.50s", 61_000_000_000: "1m1s", 3_600_000_000_000: "1h0m0s",
	} {
		require.Equal(t, want, p.duration(n))
	}
}
