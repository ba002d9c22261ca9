package columnarexporter

import (
	"encoding/binary"
	"errors"
	"fmt"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/spanlake/spanlake/internal/attr"
)

// A record of the log is one accepted request:
//
//	head      1 byte: the layout in the upper half, what the request is in the lower
//	arrived   8 bytes, little-endian: when it came, in Unix nanoseconds; not in
//	          layout 1
//	n         uvarint
//	batch     n bytes: its spanlake.batch, empty where it has none
//	request   the rest: OTLP protobuf, TracesData or LogsData
type kind byte

const (
	kindTraces kind = 1
	kindLogs   kind = 2
)

const (
	layoutUntimed = 1
	layout        = 2
)

// maxBatchID bounds the identity of a batch.
const maxBatchID = 128

// validBatch reports whether id can be an identity: printable ASCII without
// the comma that joins them in a file's footer. Any other is none, and so
// cannot keep a segment from being committed.
func validBatch(id string) bool {
	for _, c := range []byte(id) {
		if c <= ' ' || c > '~' || c == ',' {
			return false
		}
	}
	return id != "" && len(id) <= maxBatchID
}

var errRecord = errors.New("record cannot be read")

// appendRecordHead appends what stands before the request.
func appendRecordHead(b []byte, k kind, arrived int64, batch string) []byte {
	b = append(b, layout<<4|byte(k))
	b = binary.LittleEndian.AppendUint64(b, uint64(arrived))
	b = binary.AppendUvarint(b, uint64(len(batch)))
	return append(b, batch...)
}

// record is one record taken apart; the parts lie in it.
type record struct {
	kind           kind
	arrived        int64
	batch, request []byte
}

func splitRecord(b []byte) (record, error) {
	if len(b) == 0 {
		return record{}, fmt.Errorf("%w: it is empty", errRecord)
	}
	r := record{kind: kind(b[0] & 0x0f)}
	version := b[0] >> 4
	if r.kind != kindTraces && r.kind != kindLogs || version != layout && version != layoutUntimed {
		return record{}, fmt.Errorf("%w: head %#x is not known", errRecord, b[0])
	}
	b = b[1:]
	if version == layout {
		if len(b) < 8 {
			return record{}, fmt.Errorf("%w: no time of arrival", errRecord)
		}
		r.arrived = int64(binary.LittleEndian.Uint64(b))
		b = b[8:]
	}
	n, width := binary.Uvarint(b)
	if width <= 0 || n > maxBatchID || uint64(len(b)-width) < n {
		return record{}, fmt.Errorf("%w: bad length of the batch identity", errRecord)
	}
	r.batch, r.request = b[width:][:n], b[width:][n:]
	return r, nil
}

// batchOf is the identity of a hand-over from the sampler, or empty. It counts
// only where all resources have the same one: batches that were joined on the
// way cannot be told apart any more. Logs have no sampler, and so none.
func batchOf(td ptrace.Traces) string {
	common := ""
	for _, rs := range td.ResourceSpans().All() {
		v, ok := rs.Resource().Attributes().Get(attr.Batch)
		if !ok || v.Type() != pcommon.ValueTypeStr {
			return ""
		}
		switch batch := v.Str(); {
		case !validBatch(batch):
			return ""
		case common == "":
			common = batch
		case common != batch:
			return ""
		}
	}
	return common
}
