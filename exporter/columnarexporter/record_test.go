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
		r, err := splitRecord(append(appendRecordHead(nil, kindLogs, -5, batch), "request"...))
		require.NoError(t, err)
		require.Equal(t, kindLogs, r.kind)
		require.Equal(t, int64(-5), r.arrived)
		require.Equal(t, batch, string(r.batch))
		require.Equal(t, "request", string(r.request))
	}
}

func TestSplitRecordRefuses(t *testing.T) {
	for name, record := range map[string]string{
		"nothing":        "",
		"unknown kind":   "\x23\x00",
		"unknown layout": "\x31\x00",
		"no arrival":     "\x21\x00",
		"no length":      "\x2100000000",
		"length too far": "\x2100000000\x05abc",
		"batch too long": "\x2100000000\x81\x01" + strings.Repeat("x", 200),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := splitRecord([]byte(record))
			require.ErrorIs(t, err, errRecord)
		})
	}
}

// A log that an earlier version wrote has no times of arrival.
func TestRecordOfLayout1(t *testing.T) {
	r, err := splitRecord([]byte("\x11\x01bdata"))
	require.NoError(t, err)
	require.Equal(t, record{kind: kindTraces, batch: []byte("b"), request: []byte("data")}, r)
}

func FuzzSplitRecord(f *testing.F) {
	f.Add([]byte("\x11\x01bdata"))
	f.Add([]byte("\x2200000000\x01bdata"))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := splitRecord(b)
		if err != nil {
			return
		}
		again, err := splitRecord(append(appendRecordHead(nil, r.kind, r.arrived, string(r.batch)), r.request...))
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
