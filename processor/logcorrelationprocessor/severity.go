package logcorrelationprocessor

import "go.opentelemetry.io/collector/pdata/plog"

// severities maps the names that loggers use, in lower case, as the appendix
// on severity mappings of the OpenTelemetry log data model does. Numbers are
// not read: 30 is a warning in Python and an information in pino.
var severities = map[string]plog.SeverityNumber{
	"trace":         plog.SeverityNumberTrace,
	"verbose":       plog.SeverityNumberTrace,
	"debug":         plog.SeverityNumberDebug,
	"info":          plog.SeverityNumberInfo,
	"information":   plog.SeverityNumberInfo,
	"informational": plog.SeverityNumberInfo,
	"notice":        plog.SeverityNumberInfo2,
	"warn":          plog.SeverityNumberWarn,
	"warning":       plog.SeverityNumberWarn,
	"err":           plog.SeverityNumberError,
	"error":         plog.SeverityNumberError,
	"crit":          plog.SeverityNumberError2,
	"critical":      plog.SeverityNumberError2,
	"dpanic":        plog.SeverityNumberError2,
	"alert":         plog.SeverityNumberError3,
	"panic":         plog.SeverityNumberError3,
	"emerg":         plog.SeverityNumberFatal,
	"emergency":     plog.SeverityNumberFatal,
	"fatal":         plog.SeverityNumberFatal,
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
