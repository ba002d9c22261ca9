package engine

import (
	"bytes"

	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/sampling"
)

const (
	// maxState bounds the work on a tracestate. The largest that W3C Trace Context
	// allows, 32 members of 513 bytes, has half of that. What is longer is neither
	// read nor changed.
	maxState = 32 << 10
	// maxOT is what W3C Trace Context allows the value of a member.
	maxOT = 256
)

// otState is what a tracestate says of sampling: the member ot that OpenTelemetry
// defines (TraceState: Probability Sampling). It is read whatever else is in the
// tracestate, and each of its fields whatever is in the others: a sender that
// breaks the rules elsewhere must not spoil the counts. It refers to the
// tracestate's bytes.
type otState struct {
	threshold  sampling.Threshold // th
	sampled    bool               // there is a threshold
	randomness randomness         // rv
	rv         []byte             // as it came
	fields     []byte             // all of them
}

// readOT reads the first member ot. Of a field that comes twice the last one
// counts, as for pkg/sampling.
func readOT(state []byte) otState {
	if len(state) > maxState {
		return otState{}
	}
	for len(state) > 0 {
		var member []byte
		member, state = nextMember(state)
		if fields, ok := bytes.CutPrefix(member, []byte("ot=")); ok {
			ot := otState{fields: fields}
			ot.readFields()
			return ot
		}
	}
	return otState{}
}

func (ot *otState) readFields() {
	for rest := ot.fields; len(rest) > 0; {
		var field []byte
		field, rest = nextField(rest)
		if value, ok := bytes.CutPrefix(field, []byte("th:")); ok {
			if th, err := sampling.TValueToThreshold(string(value)); err == nil {
				ot.threshold, ot.sampled = th, true
			}
		} else if value, ok := bytes.CutPrefix(field, []byte("rv:")); ok {
			if r, err := sampling.RValueToRandomness(string(value)); err == nil {
				ot.randomness, ot.rv = randomness{value: r.Unsigned(), explicit: true}, value
			}
		}
	}
}

// passed returns the threshold that a span of the trace has passed before. One
// that its randomness does not pass did not select it, so it is none.
func (ot *otState) passed(id traceID) uint64 {
	if th := ot.threshold.Unsigned(); ot.sampled && th <= ot.randomness.of(id) {
		return th
	}
	return 0
}

// appendState appends the tracestate that ot was read from with another
// threshold. The member ot comes first, as W3C Trace Context asks for where one is
// changed; the others follow as they came. What makes ot unreadable to the next
// sampler is left out of it: fields that break the syntax, and those beyond its
// length.
func (ot *otState) appendState(dst, state []byte, tvalue string) []byte {
	dst = append(dst, "ot="...)
	from := len(dst)
	if ot.rv != nil {
		dst = append(append(append(dst, "rv:"...), ot.rv...), ';')
	}
	dst = append(append(dst, "th:"...), tvalue...)
	for rest := ot.fields; len(rest) > 0; {
		var field []byte
		field, rest = nextField(rest)
		if otherField(field) && len(dst)-from+1+len(field) <= maxOT {
			dst = append(append(dst, ';'), field...)
		}
	}
	for len(state) > 0 {
		var member []byte
		member, state = nextMember(state)
		if len(member) > 0 && !bytes.HasPrefix(member, []byte("ot=")) {
			dst = append(append(dst, ','), member...)
		}
	}
	return dst
}

// nextMember cuts the first list member off, without the optional white space
// around it.
func nextMember(state []byte) (member, rest []byte) {
	member, rest, _ = bytes.Cut(state, []byte{','})
	return bytes.Trim(member, " \t"), rest
}

func nextField(fields []byte) (field, rest []byte) {
	field, rest, _ = bytes.Cut(fields, []byte{';'})
	return field, rest
}

// otherField reports whether a field of ot follows the syntax of OpenTelemetry's
// TraceState Handling and is neither th nor rv.
func otherField(field []byte) bool {
	key, value, ok := bytes.Cut(field, []byte{':'})
	if !ok || len(key) == 0 || !lower(key[0]) || string(key) == "th" || string(key) == "rv" {
		return false
	}
	for _, c := range key {
		if !lower(c) && !digit(c) {
			return false
		}
	}
	for _, c := range value {
		if !lower(c) && !digit(c) && (c < 'A' || c > 'Z') && c != '.' && c != '_' && c != '-' {
			return false
		}
	}
	return true
}

func lower(c byte) bool { return 'a' <= c && c <= 'z' }
func digit(c byte) bool { return '0' <= c && c <= '9' }
