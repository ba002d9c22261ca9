package logcorrelationprocessor

import "go.opentelemetry.io/collector/pdata/pcommon"

// wrapped is what the text within a message says of the time and the severity.
// It is nearer to the event than what a container runtime or a journal says that
// wraps the line: their time is that of arrival, their severity that of a stream.
type wrapped struct {
	time, severity uint64
	text           string // of the severity
}

// peek looks into the text that a message is, and in turn into the message there.
// Each message is shorter than the text around it.
func (p *plan) peek(w *worker, text string) (in wrapped) {
	if !p.worthLooking(text) {
		return in
	}
	if w.within == nil {
		w.within = new(worker)
	}
	w = w.within
	w.reset()
	fields, ok := p.lookInText(w, text)
	if w.numeric {
		w.readLevels(pcommon.NewMap(), fields, ok)
	}
	if m := message(w.hits); m != nil {
		in = p.peek(w, m.text)
	}
	var b best
	for i := range w.hits {
		if h := &w.hits[i]; h.result == readOK {
			b.offer(h.e.kind, h, h.order)
		}
	}
	if h := b.hit[kindTimestamp]; h != nil && in.time == 0 {
		in.time = h.num
	}
	if h := b.hit[kindSeverity]; h != nil && in.severity == 0 {
		in.severity, in.text = h.num, h.text
	}
	return in
}
