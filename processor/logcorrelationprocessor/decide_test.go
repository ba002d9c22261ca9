package logcorrelationprocessor

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"pgregory.net/rapid"
)

// What is undisputed is decided as it would be otherwise.
func TestDecideUndisputed(t *testing.T) {
	p := planWith(t, nil)
	lists := createDefaultConfig().(*Config).Settings.Fields.lists()
	undisputed := 0
	rapid.Check(t, func(t *rapid.T) {
		lr := plog.NewLogRecord()
		if rapid.Bool().Draw(t, "own trace") {
			lr.SetTraceID(rapid.SampledFrom([]pcommon.TraceID{{1}, {15: 1}}).Draw(t, "trace"))
		}
		if rapid.Bool().Draw(t, "own severity") {
			lr.SetSeverityText("info")
		}
		for range rapid.IntRange(0, 5).Draw(t, "fields") {
			l := rapid.SampledFrom(lists).Draw(t, "list")
			put(t, lr.Attributes(), rapid.SampledFrom(l.names).Draw(t, "name"), rapid.SampledFrom(spellings(l)).Draw(t, "value").raw)
		}
		var w worker
		w.look(&p.reader, p.root, lr.Attributes(), placeAttributes)
		if rapid.Bool().Draw(t, "wrapped") {
			w.wrapped = wrapped{time: whenNs, severity: 9, text: "INFO"}
		}
		w.sent = rapid.Bool().Draw(t, "sent")
		w.load(lr)
		if !w.decideUndisputed() {
			return
		}
		undisputed++
		after, differ, hits := w.after, w.differ, slices.Clone(w.hits)
		w.decide(false)
		require.Equal(t, after, w.after)
		require.Equal(t, differ, w.differ)
		require.Equal(t, hits, w.hits)
	})
	require.Positive(t, undisputed)
}
