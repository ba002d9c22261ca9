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
//	kind      1 byte: what the request is, and the version of this layout
//	n         uvarint
//	batch     n bytes: its spanlake.batch, empty where it has none
//	request   the rest: OTLP protobuf, TracesData or LogsData
type kind byte

const (
	kindTraces kind = 0x11
	kindLogs   kind = 0x12
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
func appendRecordHead(b []byte, k kind, batch string) []byte {
	b = append(b, byte(k))
	b = binary.AppendUvarint(b, uint64(len(batch)))
	return append(b, batch...)
}

// record is one record taken apart; the parts lie in it.
type record struct {
	kind           kind
	batch, request []byte
}

func splitRecord(b []byte) (record, error) {
	if len(b) == 0 {
		return record{}, fmt.Errorf("%w: it is empty", errRecord)
	}
	k := kind(b[0])
	if k != kindTraces && k != kindLogs {
		return record{}, fmt.Errorf("%w: kind %#x is not known", errRecord, byte(k))
	}
	n, width := binary.Uvarint(b[1:])
	if width <= 0 || n > maxBatchID || uint64(len(b)-1-width) < n {
		return record{}, fmt.Errorf("%w: bad length of the batch identity", errRecord)
	}
	rest := b[1+width:]
	return record{kind: k, batch: rest[:n], request: rest[n:]}, nil
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
