package e2e

import (
	"bytes"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/golang/snappy"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zlib"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protowire"
)

// The requests of attackers are written field by field: no library makes them.

// field is a field of a message, with its length.
func field(number protowire.Number, payload []byte) []byte {
	b := protowire.AppendTag(nil, number, protowire.BytesType)
	return protowire.AppendBytes(b, payload)
}

func text(number protowire.Number, value string) []byte { return field(number, []byte(value)) }

// within wraps a payload in the fields of a path, which begins outside.
func within(path []protowire.Number, payload []byte) []byte {
	for _, number := range slices.Backward(path) {
		payload = field(number, payload)
	}
	return payload
}

func path(numbers ...protowire.Number) []protowire.Number { return numbers }

// join is a message of several fields.
func join(fields ...[]byte) []byte { return slices.Concat(fields...) }

// Fields of opentelemetry-proto from the request to what is named.
var (
	spanPath   = path(1, 2, 2)
	recordPath = path(1, 2, 2)
	metricPath = path(1, 2, 2)

	resourceValue = path(1, 1, 1, 2) // of resource.attributes, in every signal
	scopeValue    = path(1, 2, 1, 3, 2)
	spanValue     = path(1, 2, 2, 9, 2)
	eventValue    = path(1, 2, 2, 11, 3, 2)
	linkValue     = path(1, 2, 2, 13, 4, 2)
	bodyValue     = path(1, 2, 2, 5)
	recordValue   = path(1, 2, 2, 6, 2)
	gaugeValue    = path(1, 2, 2, 5, 1, 7, 2)
	exemplarValue = path(1, 2, 2, 5, 1, 5, 7, 2)
	metadataValue = path(1, 2, 2, 12, 2)
)

// A level of nesting, from the inside out.
var (
	arrayLevel = path(1, 5)    // AnyValue.array_value.values
	mapLevel   = path(2, 1, 6) // AnyValue.kvlist_value.values.value
)

// nested is an attribute value in so many others. It is written from its end, so
// that the lengths are known.
func nested(level []protowire.Number, levels int) []byte {
	var reversed []byte
	for range levels {
		for _, number := range level {
			start := len(reversed)
			reversed = protowire.AppendTag(reversed, number, protowire.BytesType)
			reversed = protowire.AppendVarint(reversed, uint64(start))
			slices.Reverse(reversed[start:])
		}
	}
	slices.Reverse(reversed)
	return reversed
}

// times repeats an element within the message at path.
func times(count int, path []protowire.Number, element []byte) []byte {
	last := len(path) - 1
	return within(path[:last], bytes.Repeat(field(path[last], element), count))
}

// gzipTimes is a text with the middle repeated, gzipped: one member is compressed
// and then repeated with the rest of it.
func gzipTimes(t *testing.T, count int, before, middle, after string) []byte {
	t.Helper()
	const block = 10_000
	require.Zero(t, count%block)
	return join(
		compress(t, "gzip", []byte(before)),
		bytes.Repeat(compress(t, "gzip", []byte(strings.Repeat(middle, block))), count/block),
		compress(t, "gzip", []byte(after)))
}

// compressors are quick ones: most of what they are given repeats itself.
var compressors = map[string]func(io.Writer) (io.WriteCloser, error){
	"gzip":    func(w io.Writer) (io.WriteCloser, error) { return gzip.NewWriterLevel(w, gzip.BestSpeed) },
	"deflate": func(w io.Writer) (io.WriteCloser, error) { return zlib.NewWriterLevel(w, zlib.BestSpeed) },
	"zstd": func(w io.Writer) (io.WriteCloser, error) {
		return zstd.NewWriter(w, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1))
	},
	"lz4":             func(w io.Writer) (io.WriteCloser, error) { return lz4.NewWriter(w), nil },
	"x-snappy-framed": func(w io.Writer) (io.WriteCloser, error) { return snappy.NewBufferedWriter(w), nil },
}

// smallGzip is slower, for lengths that all differ.
func smallGzip(w io.Writer) (io.WriteCloser, error) { return gzip.NewWriterLevel(w, 5) }

func compress(t *testing.T, encoding string, data []byte) []byte {
	t.Helper()
	return compressWith(t, compressors[encoding], data)
}

func compressWith(t *testing.T, compressor func(io.Writer) (io.WriteCloser, error), data []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := compressor(&out)
	require.NoError(t, err)
	_, err = w.Write(data)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return out.Bytes()
}

// packed is hits with their bodies compressed, small enough to be read whole.
func packed(t *testing.T, encoding string, hits ...hit) []hit {
	t.Helper()
	for i := range hits {
		hits[i].encoding, hits[i].body = encoding, compress(t, encoding, hits[i].body)
		require.Less(t, len(hits[i].body), 10<<20, "max_request_size_mib refuses %s for its size", hits[i].name)
	}
	return hits
}
