package tokenotlpreceiver

import (
	"sync"

	"github.com/spanlake/spanlake/receiver/tokenotlpreceiver/internal/body"
	"github.com/spanlake/spanlake/receiver/tokenotlpreceiver/internal/otlpjson"
)

// maxKeptTranscoded is the largest buffer, in bytes, that is kept for another
// request.
const maxKeptTranscoded = 1 << 20

// scratch are the buffers of transcoded requests.
var scratch = sync.Pool{New: func() any { return new([]byte) }}

// transcode puts the protobuf form of a request in JSON into buf, and what buf
// takes into held. idsRead are the IDs that were in another form than OTLP's. JSON goes by way of protobuf so that there is one path with
// limits and repairs, and because pdata's JSON decoder reads on after a fault.
func (in *ingest) transcode(r request, buf *[]byte, held *body.Holding) (out []byte, idsRead int, err error) {
	if err := held.More(int64(cap(*buf))); err != nil {
		return nil, 0, err
	}
	out, idsRead, err = otlpjson.Transcode(wireSignals[r.signal], r.body, (*buf)[:0], otlpjson.Limits{
		Depth: in.limits.Depth,
		Size:  in.limits.Decoded,
		Hold:  held.More,
	})
	if *buf = out[:0]; cap(out) > maxKeptTranscoded {
		*buf = nil
	}
	return out, idsRead, err
}
