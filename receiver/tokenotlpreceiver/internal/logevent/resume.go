package logevent

import (
	"bytes"

	"go.opentelemetry.io/collector/pdata/pcommon"
)

// openArray is an array that has a fault. The rest of it is read as if it were
// lines, but that its commas and its closing bracket are passed over.
type openArray struct {
	open  bool
	line  int  // on which it begins, from 0
	named bool // as one that could not be read
}

// resume goes to where reading can go on after a fault, as the package comment
// says. It parses only lines behind the fault, each once at most. No byte is
// therefore parsed more than twice: up to a fault, and where reading goes on.
func (r *reader) resume(fault int) {
	indent := r.indent(r.lineStart(r.from))
	line := r.lineStart(fault)
	first := line + r.indent(line)
	if line > r.from {
		if start := r.last.start; (first == fault || fault == len(r.data)) && r.swallowed(indent) {
			r.pos = start
			return
		}
		if r.kept <= line && r.opens(first) &&
			(r.between || first-line <= indent || first == fault && r.isWhole(first)) {
			r.pos = first
			return
		}
	}
	r.pos = r.nextLine(fault)
	if r.opens(r.from) {
		r.skipParts(indent)
	}
}

// swallowed reports whether the value before the fault is an event on lines of its
// own: one that follows a line which was cut off before a value.
func (r *reader) swallowed(indent int) bool {
	start, end := r.last.start, r.last.end
	line := r.lineStart(start)
	return end > r.kept && line > r.from && start-line == r.indent(line) &&
		(start-line <= indent || bytes.IndexByte(r.data[start:end], '\n') < 0) &&
		len(bytes.TrimLeft(r.data[end:r.pos], " \t\r\n")) == 0
}

// skipParts skips the lines that belong to a bad event of that indentation: those
// indented deeper, and those that begin with a closing bracket. A line indented
// deeper that is an object or an array as a whole is an event.
func (r *reader) skipParts(indent int) {
	for ; r.pos < len(r.data); r.pos = r.nextLine(r.pos) {
		line := r.pos
		first := line + r.indent(line)
		if first == len(r.data) {
			continue
		}
		deeper := first-line > indent
		switch c := r.data[first]; {
		case c == '\n', c == '\r', c == '}', c == ']' && (deeper || !r.broken.open):
		case !deeper, r.opens(first) && r.isWhole(first):
			return
		}
	}
}

// isWhole reports whether the line at pos has one JSON value from there to its
// end. It leaves the position.
func (r *reader) isWhole(pos int) bool {
	back, data := r.pos, r.data
	defer func() { r.pos, r.data = back, data }()
	r.pos, r.data = pos, data[:r.nextLine(pos)]
	err := r.value(pcommon.NewValueEmpty(), 1)
	r.looked += r.pos - pos
	r.skipSpace()
	return err == nil && r.pos == len(r.data)
}

func (r *reader) opens(pos int) bool {
	return pos < len(r.data) && (r.data[pos] == '{' || r.data[pos] == '[')
}

func (r *reader) lineStart(pos int) int { return bytes.LastIndexByte(r.data[:pos], '\n') + 1 }

func (r *reader) nextLine(pos int) int {
	if eol := bytes.IndexByte(r.data[pos:], '\n'); eol >= 0 {
		return pos + eol + 1
	}
	return len(r.data)
}

// indent is how many spaces and tabs begin a line.
func (r *reader) indent(line int) int {
	n := 0
	for line+n < len(r.data) && (r.data[line+n] == ' ' || r.data[line+n] == '\t') {
		n++
	}
	return n
}
