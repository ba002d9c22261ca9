package otlpjson

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/receiver/tokenotlpreceiver/internal/otlptest"
	"github.com/spanlake/spanlake/receiver/tokenotlpreceiver/internal/wire"
)

const (
	traceHex = "0102030405060708090a0b0c0d0e0f10"
	spanHex  = "1112131415161718"
)

var roomy = Limits{Depth: 64, Size: math.MaxInt64}

// decoded is the request that pdata reads from the output, in pdata's own JSON.
func decoded(tb testing.TB, s wire.Signal, body string) string {
	tb.Helper()
	out, _, err := Transcode(s, []byte(body), nil, roomy)
	require.NoError(tb, err)
	_, err = wire.Proto(s, out, wire.Limits{Depth: wire.MaxDepth, Decoded: math.MaxInt64})
	require.NoError(tb, err)
	req := otlptest.New(s)
	require.NoError(tb, req.UnmarshalProto(out))
	return jsonOf(tb, req)
}

func jsonOf(tb testing.TB, req otlptest.Request) string {
	tb.Helper()
	out, err := req.MarshalJSON()
	require.NoError(tb, err)
	return string(out)
}

// oneSpan is a request of one span with these members.
func oneSpan(members string) string {
	return `{"resourceSpans":[{"scopeSpans":[{"spans":[{` + members + `}]}]}]}`
}

// oneLog is a request of one log record with these members.
func oneLog(members string) string {
	return `{"resourceLogs":[{"scopeLogs":[{"logRecords":[{` + members + `}]}]}]}`
}

// oneMetric is a request of one metric with these members.
func oneMetric(members string) string {
	return `{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{` + members + `}]}]}]}`
}

// nested is a log body of depth-1 arrays or maps, one in the other, around a string.
func nested(depth int, asMap bool) string {
	first, last := `{"arrayValue":{"values":[`, `]}}`
	if asMap {
		first, last = `{"kvlistValue":{"values":[{"key":"k","value":`, `}]}}`
	}
	return oneLog(`"body":` + strings.Repeat(first, depth-1) + `{"stringValue":"end"}` + strings.Repeat(last, depth-1))
}

// withoutNulls drops the members that are null: pdata sets a member of a oneof
// to its zero value then. The order of all other members stays.
func withoutNulls(tb require.TestingT, body []byte) []byte {
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	var out bytes.Buffer
	var value func()
	value = func() {
		token, err := d.Token()
		require.NoError(tb, err)
		switch token {
		case json.Delim('{'):
			out.WriteByte('{')
			first := true
			for d.More() {
				name, err := d.Token()
				require.NoError(tb, err)
				before := out.Len()
				if !first {
					out.WriteByte(',')
				}
				quoted, err := json.Marshal(name)
				require.NoError(tb, err)
				out.Write(quoted)
				out.WriteByte(':')
				at := out.Len()
				value()
				if out.Len()-at == 4 && bytes.HasSuffix(out.Bytes(), []byte("null")) {
					out.Truncate(before)
				} else {
					first = false
				}
			}
			_, err = d.Token()
			require.NoError(tb, err)
			out.WriteByte('}')
		case json.Delim('['):
			out.WriteByte('[')
			for i := 0; d.More(); i++ {
				if i > 0 {
					out.WriteByte(',')
				}
				value()
			}
			_, err = d.Token()
			require.NoError(tb, err)
			out.WriteByte(']')
		case nil:
			out.WriteString("null")
		default:
			if n, ok := token.(json.Number); ok {
				fmt.Fprint(&out, n)
				return
			}
			quoted, err := json.Marshal(token)
			require.NoError(tb, err)
			out.Write(quoted)
		}
	}
	value()
	return out.Bytes()
}
