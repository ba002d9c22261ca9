package tokenotlpreceiver

import "go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"

// taken is what became of an export request that was not refused.
type taken struct {
	rejected int    // spans that were left out
	message  string // how many, why, and which was the first
}

var emptyObject = []byte("{}")

// answer is the body of the response: an Export…ServiceResponse, which is empty
// but for spans that were left out.
func (t taken) answer(e encoding) []byte {
	switch {
	case t.rejected > 0:
		return t.partial(e)
	case e == inJSON:
		return emptyObject
	default:
		return nil
	}
}

func (t taken) partial(e encoding) []byte {
	response := ptraceotlp.NewExportResponse()
	response.PartialSuccess().SetRejectedSpans(int64(t.rejected))
	response.PartialSuccess().SetErrorMessage(t.message)
	marshal := response.MarshalProto
	if e == inJSON {
		marshal = response.MarshalJSON
	}
	b, err := marshal()
	if err != nil {
		return taken{}.answer(e) // a number and a string always encode
	}
	return b
}
