package e2e

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// span is what client and store must agree on, whoever the client is. IDs are
// lower-case hexadecimal, times nanoseconds since 1970, and the values of
// attributes nil, bool, int64, float64, string, []any or map[string]any.
type span struct {
	TraceID, SpanID, Parent string
	TraceState              string
	Name                    string
	Kind                    int64
	Start, Duration         int64
	Status                  int64
	StatusMessage           string
	Attributes              map[string]any
	Events                  []event
	Links                   []link
	Resource                map[string]any
	Scope                   scope
}

type event struct {
	Time       int64
	Name       string
	Attributes map[string]any
}

type link struct {
	TraceID, SpanID, TraceState string
	Attributes                  map[string]any
}

type scope struct {
	Name, Version, SchemaURL string
	Attributes               map[string]any
}

// logRecord is the same for logs.
type logRecord struct {
	Time, Observed  int64
	Severity        int64
	SeverityText    string
	Body            any
	EventName       string
	TraceID, SpanID string
	Attributes      map[string]any
	Resource        map[string]any
	Scope           scope
}

// storedSpan reads a row of select * from spans.
func storedSpan(t *testing.T, r row) span {
	t.Helper()
	s := span{
		TraceID: r.text("trace_id"), SpanID: r.text("span_id"), Parent: r.text("parent_span_id"),
		TraceState: clientTraceState(r.text("trace_state")),
		Name:       r.text("name"), Kind: r.integer(t, "kind"),
		Start: r.time(t, "timestamp"), Duration: r.integer(t, "duration_ns"),
		Status: r.integer(t, "status_code"), StatusMessage: r.text("status_message"),
		Attributes: decodeMap(t, r.text("attributes")),
		Resource:   decodeMap(t, r.text("resource_attributes")),
		Scope:      storedScope(t, r),
	}
	// Attributes with a column of their own go back among the others. The
	// resource's are copies, and stand in resource_attributes too.
	for column, value := range r {
		if _, ofResource := s.Resource[column]; value != nil && strings.Contains(column, ".") && !ofResource {
			s.Attributes[column] = typed(t, value)
		}
	}
	for _, e := range r.structs(t, "events") {
		s.Events = append(s.Events, event{Time: e.time(t, "timestamp"), Name: e.text("name"), Attributes: decodeMap(t, e.text("attributes"))})
	}
	for _, l := range r.structs(t, "links") {
		s.Links = append(s.Links, link{
			TraceID: l.text("trace_id"), SpanID: l.text("span_id"), TraceState: l.text("trace_state"),
			Attributes: decodeMap(t, l.text("attributes")),
		})
	}
	return s
}

// storedLog reads a row of select * from logs.
func storedLog(t *testing.T, r row) logRecord {
	t.Helper()
	l := logRecord{
		Time: r.time(t, "timestamp"), Observed: r.time(t, "observed_timestamp"),
		Severity: r.integer(t, "severity_number"), SeverityText: r.text("severity_text"),
		EventName: r.text("event_name"), TraceID: r.text("trace_id"), SpanID: r.text("span_id"),
		Attributes: decodeMap(t, r.text("attributes")),
		Resource:   decodeMap(t, r.text("resource_attributes")),
		Scope:      storedScope(t, r),
	}
	if r["body"] != nil {
		l.Body = r.text("body")
	}
	if r["body_is_json"] == true {
		l.Body = decode(t, r.text("body"))
	}
	return l
}

func storedScope(t *testing.T, r row) scope {
	t.Helper()
	s := scope{Name: r.text("scope_name"), Version: r.text("scope_version"), SchemaURL: r.text("scope_schema_url"), Attributes: map[string]any{}}
	if r["scope_attributes"] != nil {
		s.Attributes = decodeMap(t, r.text("scope_attributes"))
	}
	return s
}

// clientTraceState is a tracestate without the member that the sampler adds.
func clientTraceState(state string) string {
	var members []string
	for member := range strings.SplitSeq(state, ",") {
		if !strings.HasPrefix(member, "ot=") && member != "" {
			members = append(members, member)
		}
	}
	return strings.Join(members, ",")
}

// text is a string column; NULL is "".
func (r row) text(column string) string {
	text, _ := r[column].(string)
	return text
}

func (r row) integer(t *testing.T, column string) int64 {
	t.Helper()
	number, isNumber := r[column].(json.Number)
	require.True(t, isNumber, "%s is %v", column, r[column])
	n, err := number.Int64()
	require.NoError(t, err, column)
	return n
}

func (r row) time(t *testing.T, column string) int64 {
	t.Helper()
	at, err := time.Parse(time.RFC3339Nano, r.text(column))
	require.NoError(t, err, column)
	return at.UnixNano()
}

func (r row) structs(t *testing.T, column string) []row {
	t.Helper()
	list, isList := r[column].([]any)
	require.True(t, isList, "%s is %v", column, r[column])
	var rows []row
	for _, element := range list {
		rows = append(rows, element.(map[string]any))
	}
	return rows
}

// decode reads stored JSON with the types it had in OTLP: a number with a point
// or an exponent is a double, any other an integer.
func decode(t *testing.T, text string) any {
	t.Helper()
	decoder := json.NewDecoder(bytes.NewReader([]byte(text)))
	decoder.UseNumber()
	var value any
	require.NoError(t, decoder.Decode(&value), text)
	return typed(t, value)
}

func decodeMap(t *testing.T, text string) map[string]any {
	t.Helper()
	value, isMap := decode(t, text).(map[string]any)
	require.True(t, isMap, text)
	return value
}

func typed(t *testing.T, value any) any {
	t.Helper()
	switch v := value.(type) {
	case json.Number:
		if strings.ContainsAny(v.String(), ".eE") {
			f, err := v.Float64()
			require.NoError(t, err)
			return f
		}
		n, err := v.Int64()
		require.NoError(t, err)
		return n
	case []any:
		for i := range v {
			v[i] = typed(t, v[i])
		}
	case map[string]any:
		for key := range v {
			v[key] = typed(t, v[key])
		}
	}
	return value
}

// requireSpans waits for the spans in the store and compares each with what the
// client sent. Nothing else may be there under their trace IDs.
func requireSpans(t *testing.T, lake string, want []span) []row {
	t.Helper()
	require.NotEmpty(t, want)
	expected := map[string]span{}
	traces := map[string]bool{}
	var traceIDs []string
	for _, s := range want {
		expected[s.TraceID+" "+s.SpanID] = s
		if !traces[s.TraceID] {
			traces[s.TraceID] = true
			traceIDs = append(traceIDs, s.TraceID)
		}
	}
	rows := waitRows(t, lake, len(want), "select * from spans where trace_id in ("+literals(traceIDs)+")")
	require.Len(t, rows, len(want), "a span is stored twice, or too many are")
	for _, r := range rows {
		got := storedSpan(t, r)
		require.Equal(t, expected[got.TraceID+" "+got.SpanID], got)
		require.Equal(t, "local", r["source"])
		require.Equal(t, json.Number("1.0"), r["adjusted_count"])
		require.Equal(t, int64(1), r.integer(t, "flags")&1, "sampled")
	}
	return rows
}

// requireLogs does the same for logs, which are told apart by their service.
func requireLogs(t *testing.T, lake, service string, want []logRecord) []row {
	t.Helper()
	require.NotEmpty(t, want)
	rows := waitRows(t, lake, len(want), "select * from logs where service_name = "+literals([]string{service})+" order by timestamp")
	var got []logRecord
	for _, r := range rows {
		got = append(got, storedLog(t, r))
		require.Equal(t, "local", r["source"])
		require.Equal(t, "7d", r["retention"])
		require.Equal(t, false, r["timestamp_is_observed"])
	}
	require.ElementsMatch(t, want, got)
	return rows
}
