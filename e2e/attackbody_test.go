package e2e

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/golang/snappy"
)

var (
	isMalformed = []verdict{malformed}
	isTooLarge  = []verdict{tooLarge}
	// isRefused is for what has two faults: which is seen first is open.
	isRefused = []verdict{malformed, tooLarge}
)

// Two million levels overflow the stack of a decoder that recurses.
func attackWithNesting(t *testing.T, c *collector) {
	t.Helper()
	const levels, uncompressed, some = 2_000_000, 650_000, 100_000
	arrays, maps := nested(arrayLevel, levels), nested(mapLevel, uncompressed) // 8 MB compressed, and 10 MB
	few := nested(arrayLevel, some)
	hits := []hit{
		{name: "arrays", path: "/v1/traces", encoding: "gzip", body: compressWith(t, smallGzip, within(spanValue, arrays)), want: isMalformed},
		{name: "maps", path: "/v1/logs", body: within(bodyValue, maps), want: isMalformed},
	}
	for name, place := range map[string]struct {
		path  string
		value []protowire.Number
	}{
		"resource": {"/v1/traces", resourceValue},
		"scope":    {"/v1/traces", scopeValue},
		"event":    {"/v1/traces", eventValue},
		"link":     {"/v1/traces", linkValue},
		"record":   {"/v1/logs", recordValue},
		"gauge":    {"/v1/metrics", gaugeValue},
		"exemplar": {"/v1/metrics", exemplarValue},
		"metadata": {"/v1/metrics", metadataValue},
	} {
		hits = append(hits, packed(t, "zstd", hit{name: name, path: place.path, body: within(place.value, few), want: isMalformed})...)
		// One level more than max_attribute_depth.
		hits = append(hits, hit{name: name + " by one", path: place.path, body: within(place.value, nested(arrayLevel, 64)), want: isMalformed})
	}
	hits = bothTransports(hits)

	const span, spanEnd = `{"resourceSpans":[{"scopeSpans":[{"spans":[{"attributes":[{"key":"k","value":`, `}]}]}]}]}`
	const array, arrayEnd, object = `{"arrayValue":{"values":[`, `]}}`, `{"x":`
	gzipped := func(open, middle, end string) []byte {
		return join(gzipTimes(t, levels, "", open, middle), gzipTimes(t, levels, "", end, ""))
	}
	for name, body := range map[string][]byte{
		"JSON arrays":         join(gzipTimes(t, levels, span, array, ""), gzipTimes(t, levels, "", arrayEnd, spanEnd)),
		"JSON arrays, no end": gzipTimes(t, levels, span, array, ""),
		"unknown arrays":      gzipped("[", "", "]"),
		"unknown objects":     gzipped(object, "1", "}"),
	} {
		hits = append(hits, hit{name: name, path: "/v1/traces", contentType: contentType, encoding: "gzip", body: body, want: isRefused})
	}
	for name, body := range map[string][]byte{
		"objects":            gzipped(object, "1", "}"),
		"array in an object": join(gzipTimes(t, levels, object, "[", ""), gzipTimes(t, levels, "", "]", "}")),
		"arrays":             gzipped("[", "", "]"),
		"objects on lines":   gzipTimes(t, levels, "", object+"\n", ""),
	} {
		hits = append(hits, hit{name: "events: " + name, path: "/", encoding: "gzip", body: body, want: isRefused})
	}
	sendEach(t, c, hits)
}

// Millions of elements take kilobytes compressed, and more than 200 bytes each
// once decoded.
func attackWithEmptyElements(t *testing.T, c *collector) {
	t.Helper()
	const many = 4_000_000
	var hits []hit
	for name, place := range map[string]struct {
		path    string
		element []protowire.Number
	}{
		"resource spans":      {"/v1/traces", path(1)},
		"scope spans":         {"/v1/traces", path(1, 2)},
		"spans":               {"/v1/traces", spanPath},
		"attributes":          {"/v1/traces", path(1, 2, 2, 9)},
		"resource attributes": {"/v1/traces", path(1, 1, 1)},
		"values":              {"/v1/traces", path(1, 2, 2, 9, 2, 5, 1)},
		"events":              {"/v1/traces", path(1, 2, 2, 11)},
		"links":               {"/v1/traces", path(1, 2, 2, 13)},
		"records":             {"/v1/logs", recordPath},
		"members of bodies":   {"/v1/logs", path(1, 2, 2, 5, 6, 1)},
		"metrics":             {"/v1/metrics", metricPath},
		"points":              {"/v1/metrics", path(1, 2, 2, 5, 1)},
		"histogram points":    {"/v1/metrics", path(1, 2, 2, 9, 1)},
		"exemplars":           {"/v1/metrics", path(1, 2, 2, 5, 1, 5)},
	} {
		hits = append(hits, packed(t, "gzip", hit{name: name, path: place.path, body: times(many, place.element, nil), want: isTooLarge})...)
	}
	hits = bothTransports(hits)

	const manyJSON = 2_000_000
	for name, j := range map[string]struct{ path, before, middle, after string }{
		"JSON spans":      {"/v1/traces", `{"resourceSpans":[{"scopeSpans":[{"spans":[{}`, `,{}`, `]}]}]}`},
		"JSON attributes": {"/v1/traces", `{"resourceSpans":[{"scopeSpans":[{"spans":[{"attributes":[{}`, `,{}`, `]}]}]}]}`},
		"JSON events":     {"/v1/traces", `{"resourceSpans":[{"scopeSpans":[{"spans":[{"events":[{}`, `,{}`, `]}]}]}]}`},
		"JSON links":      {"/v1/traces", `{"resourceSpans":[{"scopeSpans":[{"spans":[{"links":[{}`, `,{}`, `]}]}]}]}`},
		"JSON records":    {"/v1/logs", `{"resourceLogs":[{"scopeLogs":[{"logRecords":[{}`, `,{}`, `]}]}]}`},
		"JSON points":     {"/v1/metrics", `{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"gauge":{"dataPoints":[{}`, `,{}`, `]}}]}]}]}`},
		"event lines":     {"/", ``, "{}\n", ``},
		"event array":     {"/", `[{}`, `,{}`, `]`},
		"event values":    {"/", `{"a":[1`, `,1`, `]}`},
		"event members":   {"/", `{"a":1`, `,"b":1`, `}`},
	} {
		body := gzipTimes(t, manyJSON, j.before, j.middle, j.after)
		hits = append(hits, hit{name: name, path: j.path, contentType: contentType, encoding: "gzip", body: body, want: isTooLarge})
	}
	sendEach(t, c, hits)
}

// Requests that are just within every limit come many at a time: what is taken
// at once is bounded over all of them.
func attackWithAllThatIsAllowed(t *testing.T, c *collector) {
	t.Helper()
	const rounds = 5
	allowed := []verdict{taken}
	long := within(path(1, 2, 2, 9, 2, 1), make([]byte, 40<<20))
	hits := bothTransports(packed(t, "zstd",
		hit{name: "empty spans", path: "/v1/traces", body: times(200_000, spanPath, nil), want: allowed},
		hit{name: "spans of one attribute", path: "/v1/traces", body: times(100_000, spanPath, within(path(9), text(1, "k"))), want: allowed},
		hit{name: "empty records", path: "/v1/logs", body: times(200_000, recordPath, nil), want: allowed},
		hit{name: "one long string", path: "/v1/traces", body: long, want: []verdict{taken, tooLarge}},
	))
	hits = append(hits,
		hit{name: "event lines", path: "/", encoding: "gzip", body: gzipTimes(t, 80_000, "", `{"a":1}`+"\n", ""), want: allowed},
		hit{name: "bad lines", path: "/", encoding: "gzip", body: gzipTimes(t, 1_000_000, "{}\n", "x\n", ""), want: allowed},
	)
	var all []hit
	for range rounds {
		all = append(all, hits...)
	}
	sendAtOnce(t, c, orBusy(all))
}

// A few kilobytes, or the ten megabytes that are allowed, become gigabytes when
// they are decompressed.
func attackWithBombs(t *testing.T, c *collector) {
	t.Helper()
	const part, parts = 16 << 20, 8
	zeros := make([]byte, part*parts)
	bombs := map[string][]byte{}
	hits := []hit{{name: "deflate", path: "/v1/traces", encoding: "deflate", body: compress(t, "deflate", zeros), want: isTooLarge}}
	for encoding := range compressors {
		if encoding == "deflate" {
			continue // one stream, and no more
		}
		member := compress(t, encoding, zeros[:part])
		bombs[encoding] = bytes.Repeat(member, parts)
		hits = append(hits,
			hit{name: encoding, path: "/v1/traces", encoding: encoding, body: bombs[encoding], want: isTooLarge},
			hit{name: encoding + " of gigabytes", path: "/", encoding: encoding, body: bytes.Repeat(member, 9<<20/len(member)), want: isTooLarge})
	}
	block := snappy.Encode(nil, zeros)
	falseLength := protowire.AppendVarint(nil, 1<<32-1)
	hits = append(hits,
		hit{name: "snappy block", path: "/v1/traces", encoding: "snappy", body: block, want: isTooLarge},
		hit{name: "snappy block that says 4 GiB", path: "/v1/logs", encoding: "snappy", body: falseLength, want: isRefused},
		hit{name: "snappy block that says 99 MiB", path: "/v1/logs", encoding: "snappy", body: protowire.AppendVarint(nil, 99<<20), want: isRefused},
		hit{name: "empty gzip members", path: "/v1/logs", encoding: "gzip", body: bytes.Repeat(compress(t, "gzip", nil), 300_000), want: []verdict{taken, malformed}},
		hit{name: "zstd window of 3.75 TiB", path: "/v1/logs", encoding: "zstd", body: []byte("\x28\xb5\x2f\xfd\x00\xff\x01\x00\x00"), want: isRefused},
		hit{name: "zstd that says 1 PiB", path: "/v1/logs", encoding: "zstd", body: []byte("\x28\xb5\x2f\xfd\xe0\x00\x00\x00\x00\x00\x00\x04\x00\x01\x00\x00"), want: isRefused},
		hit{name: "twice compressed", path: "/v1/logs", encoding: "gzip, gzip", body: compress(t, "gzip", bombs["gzip"]), want: []verdict{unsupported}},
		hit{name: "not compressed", path: "/v1/traces", body: zeros[:11<<20], want: isTooLarge},
	)
	for _, encoding := range []string{"gzip", "zstd"} {
		hits = append(hits, hit{name: encoding, overGRPC: true, path: "/v1/traces", encoding: encoding, body: bombs[encoding], want: isTooLarge})
	}
	hits = append(hits,
		hit{name: "snappy", overGRPC: true, path: "/v1/traces", encoding: "snappy", body: bombs["x-snappy-framed"], want: isTooLarge},
		hit{name: "snappy block", overGRPC: true, path: "/v1/traces", encoding: "snappy", body: block, want: isTooLarge},
		hit{name: "snappy block that says 4 GiB", overGRPC: true, path: "/v1/logs", encoding: "snappy", body: falseLength, want: isRefused},
		hit{name: "lz4", overGRPC: true, path: "/v1/traces", encoding: "lz4", body: bombs["lz4"], want: []verdict{tooLarge, unsupported}},
		hit{name: "not compressed", overGRPC: true, path: "/v1/traces", body: zeros[:11<<20], want: isTooLarge},
	)
	sendEach(t, c, hits)
	sendAtOnce(t, c, orBusy(hits))
	for i := range hits { // the token is asked for before the body is read
		hits[i].token, hits[i].want = noToken, []verdict{unauthorized}
	}
	sendAtOnce(t, c, hits)
}

// Valid requests, cut off and with bytes changed, and noise.
func attackWithDamage(t *testing.T, c *collector) {
	t.Helper()
	const cuts, changes, noises = 60, 60, 60
	random := rand.New(rand.NewPCG(3, 1)) //nolint:gosec // the same in every run
	either := []verdict{taken, malformed, tooLarge}
	var hits []hit
	for name, valid := range map[string]hit{
		"protobuf spans": {path: "/v1/traces", body: sampleSpans()},
		"protobuf logs":  {path: "/v1/logs", body: sampleLogs()},
		"JSON spans":     {path: "/v1/traces", contentType: contentType, body: []byte(sampleSpansJSON())},
		"gzipped spans":  {path: "/v1/traces", encoding: "gzip", body: compress(t, "gzip", sampleSpans())},
		"zstd logs":      {path: "/v1/logs", encoding: "zstd", body: compress(t, "zstd", sampleLogs())},
		"lz4 logs":       {path: "/v1/logs", encoding: "lz4", body: compress(t, "lz4", sampleLogs())},
		"snappy logs":    {path: "/v1/logs", encoding: "snappy", body: snappy.Encode(nil, sampleLogs())},
		"events":         {path: "/", body: []byte(`{"a":{"b":[1,"x\u00e9",null]},"message":"m"}` + "\n" + `[{"a":1.5e3},{}]`)},
	} {
		valid.want = either
		valid.name = name
		hits = append(hits, valid)
		damage := func(kind string, body []byte) {
			h := valid
			h.name, h.body = fmt.Sprintf("%s, %s (%x)", name, kind, body[:min(len(body), 200)]), body
			hits = append(hits, h)
			if h.contentType == "" && h.path != "/" && h.encoding != "lz4" {
				h.overGRPC = true
				hits = append(hits, h)
			}
		}
		for range cuts {
			damage("cut", valid.body[:random.IntN(len(valid.body))])
		}
		for range changes {
			body := bytes.Clone(valid.body)
			for range 1 + random.IntN(4) {
				body[random.IntN(len(body))] = byte(random.Uint32())
			}
			damage("changed", body)
		}
		for range noises {
			body := make([]byte, random.IntN(300))
			for i := range body {
				body[i] = byte(random.Uint32())
			}
			damage("noise", body)
		}
	}
	sendAtOnce(t, c, hits)
}
