package logcorrelationprocessor

import "go.opentelemetry.io/collector/pdata/pcommon"

// bodyMode is what a body of text is taken for.
type bodyMode uint8

const (
	// bodyAuto: a JSON object by its braces, else logfmt.
	bodyAuto bodyMode = iota
	bodyJSON
	bodyLogfmt
	bodyNone
)

var bodyNames = []string{bodyAuto: "auto", bodyJSON: "json", bodyLogfmt: "logfmt", bodyNone: "none"}

func isBlank(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }

// trim cuts the blanks that may stand around a line.
func trim(s string) string { return trimLeft(trimRight(s)) }

func trimRight(s string) string {
	for s != "" && isBlank(s[len(s)-1]) {
		s = s[:len(s)-1]
	}
	return s
}

func trimLeft(s string) string {
	for s != "" && isBlank(s[0]) {
		s = s[1:]
	}
	return s
}

// mayBeJSON and mayBeLogfmt look for a known key in text of that look, and see
// one wherever parsing would find one. They spare most text the parsing.
func (p *plan) mayBeJSON(line string) bool {
	return (p.body == bodyAuto || p.body == bodyJSON) && len(line) > 1 && line[0] == '{' && line[len(line)-1] == '}' && hasJSONKey(line, p.root)
}

func (p *plan) mayBeLogfmt(line string) bool {
	return (p.body == bodyAuto || p.body == bodyLogfmt) && line != "" && line[0] != '{' && hasLogfmtKey(line, p.root)
}

func (p *plan) mayHaveFields(line string) bool { return p.mayBeJSON(line) || p.mayBeLogfmt(line) }

// worthLooking reports whether text is worth a round.
func (p *plan) worthLooking(text string) bool {
	return len(p.patterns) > 0 || p.mayHaveFields(trim(text))
}

const (
	// maxText is how long text may be to be parsed.
	maxText = 1 << 20
	// maxValues is how many values such text may have, those of its maps and lists
	// included: one of two bytes of text takes some hundred parsed.
	maxValues = 4096
)

// lookInText looks for fields in a body of text, and reports whether it is one
// with fields. They are in the worker's parser then.
func (p *plan) lookInText(w *worker, text string) bool {
	line := trim(text)
	pl, ok := placeJSON, false
	switch {
	case len(line) > maxText:
		w.overLimit = w.overLimit || p.mayHaveFields(line)
	case p.mayBeJSON(line):
		ok = w.parserOfText().readJSON(line)
		w.overLimit = w.overLimit || w.parser.overLimit
	case p.mayBeLogfmt(line):
		pl = placeLogfmt
		ok = w.parserOfText().readLogfmt(line)
		w.overLimit = w.overLimit || w.parser.overLimit
	}
	if ok {
		others, found := len(w.hits), w.found
		w.found = false
		w.lookInNodes(&p.reader, p.root, 0, pl)
		if w.found {
			return true
		}
		w.hits, w.found = w.hits[:others], found
	}
	if len(p.patterns) > 0 {
		p.match(w, text)
	}
	return false
}

func (w *worker) parserOfText() *parser {
	if w.parser == nil {
		w.parser = newParser()
	}
	return w.parser
}

// worthParsing reports whether the text is to give way to its fields: where one
// of them moves. Text that has no more than a message to move is kept where it
// only looks like logfmt: event=click may be a message itself.
func (p *plan) worthParsing(w *worker, hits []hit, attributes pcommon.Map) bool {
	if anyMoved(hits) {
		return true
	}
	if hits[0].place == placeLogfmt && p.body == bodyAuto {
		return false
	}
	m := message(hits)
	return m != nil && p.liftableNodes(attributes, w.parser, m.text)
}
