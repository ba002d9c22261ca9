package columnarexporter

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/spanlake/spanlake/internal/attr"
)

func TestRecordComesApartAsItWasMade(t *testing.T) {
	for _, batch := range []string{"", "b", strings.Repeat("x", maxBatchID)} {
		r, err := splitRecord(append(appendRecordHead(nil, kindLogs, batch), "request"...))
		require.NoError(t, err)
		require.Equal(t, kindLogs, r.kind)
		require.Equal(t, batch, string(r.batch))
		require.Equal(t, "request", string(r.request))
	}
}

func TestSplitRecordRefuses(t *testing.T) {
	for name, record := range map[string]string{
		"nothing":        "",
		"unknown kind":   "\x21\x00",
		"no length":      "\x11",
		"length too far": "\x11\x05abc",
		"batch too long": "\x11\x81\x01" + strings.Repeat("x", 200),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := splitRecord([]byte(record))
			require.ErrorIs(t, err, errRecord)
		})
	}
}

func FuzzSplitRecord(f *testing.F) {
	f.Add([]byte("\x11\x01bdata"))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := splitRecord(b)
		if err != nil {
			return
		}
		again, err := splitRecord(append(appendRecordHead(nil, r.kind, string(r.batch)), r.request...))
		require.NoError(t, err)
		require.Equal(t, r, again)
	})
}

func TestBatchCountsOnlyWhereAllResourcesHaveIt(t *testing.T) {
	for name, tc := range map[string]struct {
		batches []string
		want    string
	}{
		"none":     {nil, ""},
		"one":      {[]string{"a"}, "a"},
		"the same": {[]string{"a", "a"}, "a"},
		"joined":   {[]string{"a", "b"}, ""},
		"partly":   {[]string{"a", ""}, ""},
		"no UTF-8": {[]string{"a\xff"}, ""},
		"comma":    {[]string{"a,b"}, ""},
		"too long": {[]string{strings.Repeat("x", maxBatchID+1)}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			td := ptrace.NewTraces()
			for _, b := range tc.batches {
				r := td.ResourceSpans().AppendEmpty().Resource()
				if b != "" {
					r.Attributes().PutStr(attr.Batch, b)
				}
			}
			require.Equal(t, tc.want, batchOf(td))
		})
	}
}
