package logcorrelationprocessor

import (
	"cmp"
	"math"
	"strconv"
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
)

// levelScale is what numbers in severity fields mean. 30 is information in pino
// and a warning in Python.
type levelScale uint8

const (
	// scaleAuto reads them as pino's and bunyan's where pid and hostname stand
	// beside them, as those libraries write them.
	scaleAuto levelScale = iota
	scalePino
	scalePython
	scaleSyslog
	scaleNone
)

var scaleNames = []string{scaleAuto: "auto", scalePino: "pino", scalePython: "python", scaleSyslog: "syslog", scaleNone: "none"}

// severities maps the names that loggers use, in lower case, as the appendix
// on severity mappings of the OpenTelemetry log data model does; those of
// java.util.logging and npm as the instrumentations of Java and winston do.
var severities = map[string]plog.SeverityNumber{
	"trace":         plog.SeverityNumberTrace,
	"verbose":       plog.SeverityNumberTrace,
	"finest":        plog.SeverityNumberTrace,
	"silly":         plog.SeverityNumberTrace,
	"debug":         plog.SeverityNumberDebug,
	"finer":         plog.SeverityNumberDebug,
	"fine":          plog.SeverityNumberDebug2,
	"config":        plog.SeverityNumberDebug3,
	"http":          plog.SeverityNumberDebug3,
	"info":          plog.SeverityNumberInfo,
	"information":   plog.SeverityNumberInfo,
	"informational": plog.SeverityNumberInfo,
	"notice":        plog.SeverityNumberInfo2,
	"success":       plog.SeverityNumberInfo2,
	"warn":          plog.SeverityNumberWarn,
	"warning":       plog.SeverityNumberWarn,
	"err":           plog.SeverityNumberError,
	"error":         plog.SeverityNumberError,
	"severe":        plog.SeverityNumberError,
	"crit":          plog.SeverityNumberError2,
	"critical":      plog.SeverityNumberError2,
	"dpanic":        plog.SeverityNumberError2,
	"alert":         plog.SeverityNumberError3,
	"panic":         plog.SeverityNumberError3,
	"emerg":         plog.SeverityNumberFatal,
	"emergency":     plog.SeverityNumberFatal,
	"fatal":         plog.SeverityNumberFatal,
}

// severityAliases are the names of which another is the same word, cut short.
var severityAliases = map[string]string{
	"information": "info", "informational": "info", "warning": "warn", "error": "err", "critical": "crit", "emergency": "emerg",
}

// sameSeverityText reports whether two texts are one word: alert and panic share
// a number, and are two.
func sameSeverityText(a, b string) bool {
	if len(a) > maxSeverityName || len(b) > maxSeverityName || strings.EqualFold(a, b) {
		return strings.EqualFold(a, b)
	}
	a, b = strings.ToLower(a), strings.ToLower(b)
	return cmp.Or(severityAliases[a], a) == cmp.Or(severityAliases[b], b)
}

// maxSeverityName is the length of the longest name.
const maxSeverityName = len("informational")

// severityByName returns the severity number of a name in any case, or zero.
func severityByName(name string) uint64 {
	if len(name) > maxSeverityName {
		return 0
	}
	var lower [maxSeverityName]byte
	for i := range len(name) {
		c := name[i]
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		lower[i] = c
	}
	return uint64(severities[string(lower[:len(name)])])
}

// severityByOffset returns the severity number of a level of Go's slog between
// its names, such as INFO+2, or zero. A step there is one here.
func severityByOffset(text string) uint64 {
	i := strings.IndexAny(text, "+-")
	if i < 0 {
		return 0
	}
	base := severityByName(text[:i])
	offset, err := strconv.ParseInt(text[i:], 10, 8)
	if n := int64(base) + offset; err == nil && base != 0 && n > 0 && n <= int64(plog.SeverityNumberFatal4) {
		return uint64(n)
	}
	return 0
}

func severityByText(text string) uint64 {
	if n := severityByName(text); n != 0 {
		return n
	}
	return severityByOffset(text)
}

func (rd *reader) readSeverity(e *entry, v pcommon.Value, r *reading) {
	if number, ok := wholeNumber(v); ok {
		rd.readLevel(e, number, v.AsString(), r)
	}
}

func (rd *reader) readSeverityText(e *entry, s string, r *reading) {
	if len(s) <= 3 && isDigit(s[0]) {
		if number, err := strconv.ParseInt(s, 10, 64); err == nil {
			rd.readLevel(e, number, s, r)
			return
		}
	}
	if e.variant == variantNumber {
		return
	}
	r.text = s
	if r.num = severityByName(s); r.num != 0 {
		r.ok(formName)
	} else if r.num = severityByOffset(s); r.num != 0 {
		r.ok(formOffset)
	}
}

// readLevel reads a number, whose text is what the sender wrote, as for a name.
func (rd *reader) readLevel(e *entry, number int64, text string, r *reading) {
	if e.variant == variantNumber {
		if 0 < number && number <= int64(plog.SeverityNumberFatal4) {
			r.num = uint64(number)
			r.ok(formNumber)
		}
		return
	}
	r.num, r.text = uint64(number), text
	switch rd.levels {
	case scaleAuto:
		r.result = readLevel
	case scalePino:
		r.setLevel(pinoLevels, formPino)
	case scalePython:
		r.setLevel(pythonLevels, formPython)
	case scaleSyslog:
		r.setLevel(syslogLevels, formSyslog)
	default:
	}
}

// wholeNumber is the value of an integer.
func wholeNumber(v pcommon.Value) (int64, bool) {
	switch v.Type() {
	case pcommon.ValueTypeInt:
		return v.Int(), true
	case pcommon.ValueTypeDouble:
		d := v.Double()
		return int64(d), d == math.Trunc(d) && math.Abs(d) < 1<<53
	default:
		return 0, false
	}
}

// The levels of a library, by number.
type levels map[uint64]plog.SeverityNumber

var (
	pinoLevels = levels{
		10: plog.SeverityNumberTrace, 20: plog.SeverityNumberDebug, 30: plog.SeverityNumberInfo,
		40: plog.SeverityNumberWarn, 50: plog.SeverityNumberError, 60: plog.SeverityNumberFatal,
	}
	pythonLevels = levels{
		10: plog.SeverityNumberDebug, 20: plog.SeverityNumberInfo, 30: plog.SeverityNumberWarn,
		40: plog.SeverityNumberError, 50: plog.SeverityNumberError2,
	}
	syslogLevels = levels{ // RFC 5424, section 6.2.1, as the names above
		0: plog.SeverityNumberFatal, 1: plog.SeverityNumberError3, 2: plog.SeverityNumberError2, 3: plog.SeverityNumberError,
		4: plog.SeverityNumberWarn, 5: plog.SeverityNumberInfo2, 6: plog.SeverityNumberInfo, 7: plog.SeverityNumberDebug,
	}
)

// setLevel settles a level that was read as a number.
func (r *reading) setLevel(by levels, f form) {
	r.result = readNot
	if n, ok := by[r.num]; ok {
		r.num = uint64(n)
		r.ok(f)
	}
}
