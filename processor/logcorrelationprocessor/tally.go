package logcorrelationprocessor

// place is where a field was found.
type place uint8

const (
	// placeNone is that of fields of which the place is not counted.
	placeNone place = iota
	placeAttributes
	placeBody
	placeJSON
	placeLogfmt
	placePattern
	placeSpan
	placeEvent
	placeCount
)

var placeNames = [placeCount]string{"", "attributes", "body", "json", "logfmt", "pattern", "span", "span_event"}

// outcome is what became of a field.
type outcome uint8

const (
	// outcomeNone is that of a field that is no news: it says nothing, or names
	// something else than what was sought without contradicting it.
	outcomeNone outcome = iota
	outcomeMoved
	outcomeRead
	outcomeConflict
	outcomeUnreadable
	// outcomeOverLimit is that of text that is kept whole, because of its size.
	outcomeOverLimit
	outcomeCount
)

var outcomeNames = [outcomeCount]string{"", "moved", "read", "conflict", "unreadable", "over_limit"}

// What is known of the trace of a record.
const (
	recordSent = iota
	recordFound
	recordMissing
	recordCount
)

var recordNames = [recordCount]string{"sent", "found", "missing"}

// series is one series of the metric of fields. All its parts come from the
// configuration or from here, never from a sender. The form and the place are
// those of fields that moved alone, because else a sender could make more series
// than the SDK keeps. It is one number because each field found is compared by it.
type series uint64

// Where the parts of a series begin; each has the bits up to the next.
const (
	outcomeShift = 0
	placeShift   = 4
	kindShift    = 8
	formShift    = 12
	sourceShift  = 20
	nameShift    = 36
)

func seriesOf(source uint16, name uint32, k kind, o outcome) series {
	return series(name)<<nameShift | series(source)<<sourceShift | series(k)<<kindShift | series(o)<<outcomeShift
}

// at adds the place and the form of a field that moved.
func (s series) at(p place, f form) series {
	return s | series(p)<<placeShift | series(f)<<formShift
}

// anywhere is without place and form.
func (s series) anywhere() series {
	return seriesOf(s.source(), s.name(), s.kind(), s.outcome())
}

func (s series) outcome() outcome { return outcome(s >> outcomeShift & 0xf) }
func (s series) place() place     { return place(s >> placeShift & 0xf) }
func (s series) kind() kind       { return kind(s >> kindShift & 0xf) }
func (s series) form() form       { return form(s >> formShift & 0xff) }
func (s series) source() uint16   { return uint16(s >> sourceShift & 0xffff) }
func (s series) name() uint32     { return uint32(s >> nameShift) }

// maxSeries is more than the records of all but odd batches have.
const maxSeries = 32

// tally counts the fields and records of one resource's batch. A batch has few
// series, which are quicker to look through than to hash.
type tally struct {
	series  [maxSeries]series
	counts  [maxSeries]int64
	used    int
	next    int // the one that was counted behind the last, most often
	spilled map[series]int64
	records [recordCount]int64
}

// again counts a series that was counted behind the last one before, too.
func (t *tally) again(s series) bool {
	i := t.next
	if i >= t.used || t.series[i] != s {
		return false
	}
	t.counts[i]++
	t.next++
	return true
}

func (t *tally) add(s series) {
	for i := range t.series[:t.used] {
		if t.series[i] == s {
			t.counts[i]++
			t.next = i + 1
			return
		}
	}
	if t.used < maxSeries {
		t.series[t.used], t.counts[t.used] = s, 1
		t.used++
		return
	}
	if t.spilled == nil {
		t.spilled = make(map[series]int64)
	}
	t.spilled[s]++
}

func (t *tally) each(fn func(series, int64)) {
	for i, s := range t.series[:t.used] {
		fn(s, t.counts[i])
	}
	for s, n := range t.spilled {
		fn(s, n)
	}
}

func (t *tally) reset() {
	t.used, t.next, t.spilled, t.records = 0, 0, nil, [recordCount]int64{}
}

// nameNone is the name of what is no field: text in the body.
const nameNone = 0

func (w *worker) countOverLimit(p *plan) {
	w.tally.add(seriesOf(p.source, nameNone, kindMessage, outcomeOverLimit))
}

// count counts the hits. Where another round follows, that one comes by all that
// was not moved again.
func (w *worker) count(p *plan, last bool) {
	w.tally.next = 0 // most records of a batch are alike
	for i := range w.hits {
		h := &w.hits[i]
		switch {
		case h.outcome == outcomeNone,
			!last && h.outcome != outcomeMoved,
			p.writesSpanFields && h.place == placeAttributes && (h.e == p.written[0] || h.e == p.written[1]):
			continue
		}
		s := seriesOf(p.source, h.e.name, h.e.kind, h.outcome)
		if h.outcome == outcomeMoved {
			s = s.at(h.place, h.form)
		}
		if !w.tally.again(s) {
			w.tally.add(s)
		}
	}
}
