package e2e

import (
	"encoding/hex"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protowire"
)

// reserved is what a client would set to be another source, to keep its data
// longer, to count for more, to be written elsewhere, or to have its batch taken
// for one that was seen before.
var reserved = [][2]string{
	{"spanlake.source", "other"},
	{"spanlake.retention", "../../x"},
	{"spanlake.retention", "9999d"},
	{"spanlake.class", "forged"},
	{"spanlake.adjusted_count", "1e9"},
	{"spanlake.trimmed", "true"},
	{"spanlake.batch", "forged"},
	{"spanlake.source", "other"},
	{"spanlake.new", "forged"},
}

const reservedService = "reserved"

// A client that sends the keys that steer the pipeline, at every level.
func attackWithReservedKeys(t *testing.T, c *collector) {
	t.Helper()
	var ofResource, ofScope, ofSpan, ofEvent, ofLink, ofRecord, ofBody []byte
	var asJSON, asMembers []string
	for _, pair := range reserved {
		kv := attr(pair[0], text(1, pair[1]))
		ofResource = append(ofResource, field(1, kv)...)
		ofScope = append(ofScope, field(3, kv)...)
		ofSpan = append(ofSpan, field(9, kv)...)
		ofEvent = append(ofEvent, field(3, kv)...)
		ofLink = append(ofLink, field(4, kv)...)
		ofRecord = append(ofRecord, field(6, kv)...)
		ofBody = append(ofBody, field(1, kv)...)
		for _, key := range []string{pair[0], strings.Replace(pair[0], "s", `\u0073`, 1), strings.Replace(pair[0], ".", `\u002e`, 1)} {
			asJSON = append(asJSON, fmt.Sprintf(`{"key":"%s","value":{"stringValue":%q}}`, key, pair[1]))
			asMembers = append(asMembers, fmt.Sprintf(`"%s":%q`, key, pair[1]))
		}
	}
	// A number, where the pipeline itself sets one.
	ofSpan = append(ofSpan, field(9, attr("spanlake.adjusted_count", protowire.AppendFixed64([]byte{4<<3 | 1}, math.Float64bits(1e9))))...)

	now := uint64(time.Now().UnixNano())
	start := protowire.AppendFixed64(protowire.AppendTag(nil, 7, protowire.Fixed64Type), now)
	end := protowire.AppendFixed64(protowire.AppendTag(nil, 8, protowire.Fixed64Type), now+1)
	service := field(1, attr("service.name", text(1, reservedService)))
	span := join(sampleIDs('r'), text(5, "protobuf"), start, end, ofSpan, field(11, join(text(2, "e"), ofEvent)), field(13, join(sampleIDs('s'), ofLink)))
	resource := field(1, join(ofResource, service, ofResource))
	spans := field(1, join(resource, field(2, join(field(1, ofScope), field(2, span)))))
	record := join(within(path(5, 6), ofBody), ofRecord)
	records := field(1, join(resource, field(2, join(field(1, ofScope), field(2, record)))))

	all := strings.Join(asJSON, ",")
	resourceJSON := fmt.Sprintf(`"resource":{"attributes":[%s,{"key":"service.name","value":{"stringValue":%q}}]}`, all, reservedService)
	spansJSON := fmt.Sprintf(`{"resourceSpans":[{%s,"scopeSpans":[{"scope":{"attributes":[%s]},"spans":[{"traceId":"%s","spanId":"%s","name":"JSON","startTimeUnixNano":"%d","endTimeUnixNano":"%d",
		"attributes":[%s],"events":[{"name":"e","attributes":[%s]}],"links":[{"traceId":"%s","spanId":"%s","attributes":[%s]}]}]}]}]}`,
		resourceJSON, all, hex.EncodeToString([]byte("reserved-in-JSON")), hex.EncodeToString([]byte("reserved")), now, now+1, all, all,
		hex.EncodeToString([]byte("reserved-in-JSON")), hex.EncodeToString([]byte("reserved")), all)
	recordsJSON := fmt.Sprintf(`{"resourceLogs":[{%s,"scopeLogs":[{"scope":{"attributes":[%s]},"logRecords":[{"body":{"kvlistValue":{"values":[%s]}},"attributes":[%s]}]}]}]}`, resourceJSON, all, all, all)
	event := "{" + strings.Join(asMembers, ",") + `,"message":"reserved event"}`

	sendEach(t, c, []hit{
		{name: "spans", path: "/v1/traces", body: spans, want: []verdict{taken}},
		{name: "records", path: "/v1/logs", body: records, want: []verdict{taken}},
		{name: "records", overGRPC: true, path: "/v1/logs", body: records, want: []verdict{taken}},
		{name: "JSON spans", path: "/v1/traces", contentType: contentType, body: []byte(spansJSON), want: []verdict{taken}},
		{name: "JSON records", path: "/v1/logs", contentType: contentType, body: []byte(recordsJSON), want: []verdict{taken}},
		{name: "event", path: "/", body: []byte(event), want: []verdict{taken}},
		{name: "metrics", path: "/v1/metrics", body: field(1, resource), want: []verdict{taken}},
	})
	for _, r := range waitRows(t, c.lake(), 2, "select * from spans where service_name = '"+reservedService+"'") {
		require.Equal(t, "normal", r["class"])
		require.Equal(t, "7d", r["retention"])
		require.Equal(t, "1.0", fmt.Sprint(r["adjusted_count"]))
		require.NotEqual(t, true, r["trimmed"])
		requireNotReserved(t, r)
	}
	for _, r := range waitRows(t, c.lake(), 4, "select * from logs where service_name = '"+reservedService+"' or body like '%reserved event%'") {
		require.Equal(t, "7d", r["retention"])
		requireNotReserved(t, r)
	}
}

func requireNotReserved(t *testing.T, r row) {
	t.Helper()
	require.Equal(t, "local", r["source"])
	for column, value := range r {
		require.NotContains(t, fmt.Sprint(value), "spanlake.", column)
		require.NotContains(t, fmt.Sprint(value), "forged", column)
	}
}

// requireNothingOfTheAttackers holds the whole store to what no client may
// decide.
func requireNothingOfTheAttackers(t *testing.T, c *collector, root string) {
	t.Helper()
	require.Equal(t, []row{{"source": "local"}}, mustQuery(t, c.lake(), "select source from spans union select source from logs"))
	forged := mustQuery(t, c.lake(), "select class, retention, adjusted_count from spans where class not in ('normal', 'errors', 'slow') or retention not in ('7d', '14d', '30d') or adjusted_count <> 1")
	require.Empty(t, forged)
	require.Empty(t, mustQuery(t, c.lake(), "select retention from logs where retention <> '7d'"))
	requireFilesOnlyInTheStore(t, root)
}
