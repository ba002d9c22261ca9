package tracetree

import (
	"bufio"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/spanlake/spanlake/cmd/spanlake-sql/internal/format"
)

// Style is how a tree is drawn.
type Style struct {
	Width int  // of the lines, in cells
	ASCII bool // no other characters in what is drawn
	Color bool
}

const (
	minWidth      = 60
	durationWidth = 9
	// maxIndent bounds the levels that are drawn; deeper ones are told by number.
	maxIndent = 16
)

type glyphs struct {
	branch, last, pass, none  string // before a line, by its place among its siblings
	full, point, log, failure string
	ellipsis, micro           string
}

var (
	unicode = glyphs{"├─ ", "└─ ", "│  ", "   ", "█", "•", "·", "✗", "…", "µs"}
	ascii   = glyphs{"|- ", "`- ", "|  ", "   ", "=", "*", ".", "!", "...", "us"}
)

const (
	red   = "\x1b[31m"
	dim   = "\x1b[2m"
	reset = "\x1b[0m"
)

// printer draws the lines. The error of out is kept by it.
type printer struct {
	out        *bufio.Writer
	style      Style
	glyphs     glyphs
	start, end int64
	bar, label int // widths
}

// WriteText draws the trace.
func WriteText(w io.Writer, t *Trace, style Style) error {
	style.Width = max(style.Width, minWidth)
	p := &printer{out: bufio.NewWriter(w), style: style, glyphs: unicode}
	if style.ASCII {
		p.glyphs = ascii
	}
	p.start, p.end = t.bounds()
	p.bar = min(style.Width/3, 60)
	p.label = style.Width - p.bar - durationWidth - 2
	p.header(t)
	roots := t.build()
	for _, n := range roots {
		p.line(n, nil, "")
		p.children(n, "", 1)
	}
	if t.SpansLeft > 0 || t.LogsLeft > 0 {
		fmt.Fprintf(p.out, "%s %s and %s more are not shown\n", p.glyphs.ellipsis, count(t.SpansLeft, "span"), count(t.LogsLeft, "log record"))
	}
	return p.out.Flush()
}

func (p *printer) header(t *Trace) {
	services := map[string]bool{}
	failed, trimmed := 0, false
	for i := range t.Spans {
		services[t.Spans[i].Service] = true
		trimmed = trimmed || t.Spans[i].Trimmed
		if t.Spans[i].error() {
			failed++
		}
	}
	fmt.Fprintf(p.out, "trace %s  %s  %s\n%s of %s, %s, %s\n", t.ID,
		time.Unix(0, p.start).UTC().Format("2006-01-02T15:04:05.000000000Z"), p.duration(p.end-p.start),
		count(len(t.Spans)+t.SpansLeft, "span"), count(len(services), "service"), count(failed, "error"), count(len(t.Logs)+t.LogsLeft, "log record"))
	if trimmed {
		fmt.Fprintln(p.out, "the trace exceeded its size and was trimmed: it is not whole")
	}
	fmt.Fprintln(p.out)
}

func (p *printer) children(n *node, prefix string, depth int) {
	for i, c := range n.children {
		branch, next := p.glyphs.branch, p.glyphs.pass
		if i == len(n.children)-1 {
			branch, next = p.glyphs.last, p.glyphs.none
		}
		if depth > maxIndent {
			p.line(c, n, prefix+"["+strconv.Itoa(depth)+"] ")
			p.children(c, prefix, depth+1)
			continue
		}
		p.line(c, n, prefix+branch)
		p.children(c, prefix+next, depth+1)
	}
}

func (p *printer) line(n, parent *node, prefix string) {
	switch {
	case n.log != nil:
		p.log(n.log, prefix)
	case n.span != nil:
		p.span(n, parent, prefix)
	default:
		fmt.Fprintf(p.out, "%sparent %s is not in the store\n", prefix, format.Printable([]byte(n.missing)))
	}
}

func (p *printer) span(n, parent *node, prefix string) {
	s := n.span
	label := s.Service + ": " + s.Name
	color := ""
	if s.error() {
		label, color = p.glyphs.failure+" "+label, red
	}
	if s.Trimmed && parent == nil {
		label += " (trimmed)"
	}
	took := "no end"
	if s.Duration >= 0 {
		took = p.duration(s.Duration)
	}
	p.row(prefix, label, took, p.spanBar(s), color)
	var notes []string
	if s.error() && s.StatusMessage != "" {
		notes = append(notes, s.StatusMessage)
	}
	if n.loop {
		notes = append(notes, "is its own ancestor: parent "+s.Parent+" is below")
	}
	if parent != nil && parent.span != nil && s.Start < parent.at {
		notes = append(notes, "starts "+p.duration(parent.at-s.Start)+" before its parent: clocks differ")
	}
	for _, note := range notes {
		below := strings.ReplaceAll(strings.ReplaceAll(prefix, p.glyphs.branch, p.glyphs.pass), p.glyphs.last, p.glyphs.none)
		p.row(below+"  ", note, "", "", color)
	}
}

func (p *printer) log(l *Log, prefix string) {
	severity := l.SeverityText
	if severity == "" {
		severity = format.SeverityName(l.Severity)
	}
	color := dim
	if l.Severity >= 17 {
		color = red
	}
	at := "+" + p.duration(l.Time-p.start)
	if l.Time < p.start {
		at = "-" + p.duration(p.start-l.Time)
	}
	place := p.column(l.Time)
	if l.Time < p.start || l.Time > p.end {
		p.row(prefix, p.glyphs.log+" "+severity+" "+l.Body, at, "", color)
		return
	}
	p.row(prefix, p.glyphs.log+" "+severity+" "+l.Body, at, strings.Repeat(" ", place)+p.glyphs.point, color)
}

// row writes a line: a label cut or filled to its width, a time, a bar.
func (p *printer) row(prefix, label, took, bar, color string) {
	room := max(p.label-format.DisplayWidth(prefix), minWidth/4)
	label = p.cut(format.Printable([]byte(label)), room)
	padding := strings.Repeat(" ", max(0, p.label-format.DisplayWidth(prefix)-format.DisplayWidth(label)))
	if p.style.Color && color != "" {
		label = color + label + reset
		if bar != "" && color == red {
			bar = red + bar + reset
		}
	}
	fmt.Fprintln(p.out, strings.TrimRight(fmt.Sprintf("%s%s%s%s%s  %s", prefix, label, padding,
		strings.Repeat(" ", max(0, durationWidth-format.DisplayWidth(took))), took, bar), " "))
}

// cut shortens text to a width.
func (p *printer) cut(text string, width int) string {
	if format.DisplayWidth(text) <= width {
		return text
	}
	width -= format.DisplayWidth(p.glyphs.ellipsis)
	used := 0
	for i, r := range text {
		if used += format.DisplayWidth(string(r)); used > width {
			return text[:i] + p.glyphs.ellipsis
		}
	}
	return text
}

// spanBar draws a span within the time of the trace, one cell at least.
func (p *printer) spanBar(s *Span) string {
	from := p.column(s.Start)
	to := max(p.column(s.end()), from)
	return strings.Repeat(" ", from) + strings.Repeat(p.glyphs.full, to-from+1)
}

// column is where a time is within the bar.
func (p *printer) column(at int64) int {
	if p.end <= p.start {
		return 0
	}
	return int(float64(at-p.start) / float64(p.end-p.start) * float64(p.bar-1))
}

// duration writes nanoseconds in the unit that people would, with three digits.
func (p *printer) duration(n int64) string {
	d := time.Duration(n)
	three := func(unit time.Duration, name string) string {
		v := float64(d) / float64(unit)
		digits := 2
		switch {
		case v >= 99.95:
			digits = 0
		case v >= 9.995:
			digits = 1
		}
		return strconv.FormatFloat(v, 'f', digits, 64) + name
	}
	switch {
	case d < time.Microsecond:
		return strconv.FormatInt(n, 10) + "ns"
	case d < time.Millisecond:
		return three(time.Microsecond, p.glyphs.micro)
	case d < time.Second:
		return three(time.Millisecond, "ms")
	case d < time.Minute:
		return three(time.Second, "s")
	default:
		return d.Round(time.Second).String()
	}
}

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return strconv.Itoa(n) + " " + noun + "s"
}
