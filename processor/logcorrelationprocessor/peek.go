package logcorrelationprocessor

// wrapped is what the text within a wrapper says of the time and the severity.
// It is nearer to the event than what a container runtime or a journal says that
// wraps the line: their time is that of arrival, their severity that of a stream.
// Other messages are the program's own, whatever text they quote, and so are the
// time and the severity beside them.
type wrapped struct {
	time, severity uint64
	text           string // of the severity
}

// maxWrapped is how many messages are opened within another. Each may be little
// shorter than the text around it, and each is parsed.
const maxWrapped = 4

// peek looks into the text of a wrapper that is within depth others, counted with
// itself, and in turn into the message there.
func (p *plan) peek(w *worker, text string, depth int) (in wrapped) {
	if depth > maxWrapped || !p.worthLooking(text) {
		return in
	}
	if w.within == nil {
		w.within = new(worker)
	}
	w = w.within
	w.reset()
	isText := p.lookInText(w, text)
	if w.numeric {
		w.readLevels(func(key string) bool { return isText && w.parser.has(key) })
	}
	isWrapper := false
	if m := message(w.hits); m != nil {
		in, isWrapper = p.peek(w, m.text, depth+1), m.e.isWrapper
	}
	var b best
	for i := range w.hits {
		if h := &w.hits[i]; h.result == readOK {
			b.offer(h.e.kind, h, h.order)
		}
	}
	if h := b.hit[kindTimestamp]; h != nil && (in.time == 0 || !isWrapper) {
		in.time = h.num
	}
	if h := b.hit[kindSeverity]; h != nil && (in.severity == 0 || !isWrapper) {
		in.severity, in.text = h.num, h.text
	}
	return in
}
