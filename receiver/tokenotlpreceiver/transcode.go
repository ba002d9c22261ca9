package tokenotlpreceiver

import (
	"github.com/spanlake/spanlake/receiver/tokenotlpreceiver/internal/body"
	"github.com/spanlake/spanlake/receiver/tokenotlpreceiver/internal/otlpjson"
	"github.com/spanlake/spanlake/receiver/tokenotlpreceiver/internal/wire"
)

// transcode returns the protobuf form of a request in JSON, and how many IDs were
// in another form than OTLP's. JSON goes by way of protobuf so that there is one
// path with limits and repairs, and because pdata's JSON decoder reads on after a
// fault.
func (in *ingest) transcode(s wire.Signal, json []byte) (*body.Body, int, error) {
	idsRead := 0
	// Most take a little more than half of the room that they had.
	b, err := in.budget.Rewritten(int64(len(json))/8*5, func(buf []byte, hold func(int64) error) (out []byte, err error) {
		limits := otlpjson.Limits{Depth: in.limits.Depth, Size: in.limits.Decoded, Hold: hold}
		out, idsRead, err = otlpjson.Transcode(s, json, buf, limits)
		return out, err
	})
	return b, idsRead, err
}

// mend returns a request without the faults that were found in it.
func (in *ingest) mend(s wire.Signal, request []byte, found wire.Result) (*body.Body, wire.Mended, error) {
	var mended wire.Mended
	b, err := in.budget.Rewritten(int64(len(request))+found.Growth, func(buf []byte, _ func(int64) error) ([]byte, error) {
		buf, mended = wire.Mend(s, buf, request)
		return buf, nil
	})
	return b, mended, err
}
