package otlpjson

// The specification wants enums as numbers; protobuf's own JSON writes their
// names, and so do some senders.
var (
	spanKinds = map[string]int32{
		"SPAN_KIND_UNSPECIFIED": 0,
		"SPAN_KIND_INTERNAL":    1,
		"SPAN_KIND_SERVER":      2,
		"SPAN_KIND_CLIENT":      3,
		"SPAN_KIND_PRODUCER":    4,
		"SPAN_KIND_CONSUMER":    5,
	}
	statusCodes = map[string]int32{
		"STATUS_CODE_UNSET": 0,
		"STATUS_CODE_OK":    1,
		"STATUS_CODE_ERROR": 2,
	}
	temporalities = map[string]int32{
		"AGGREGATION_TEMPORALITY_UNSPECIFIED": 0,
		"AGGREGATION_TEMPORALITY_DELTA":       1,
		"AGGREGATION_TEMPORALITY_CUMULATIVE":  2,
	}
	severityNumbers = severities()
)

func severities() map[string]int32 {
	names := map[string]int32{"SEVERITY_NUMBER_UNSPECIFIED": 0}
	number := int32(1)
	for _, level := range []string{"TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"} {
		for _, step := range []string{"", "2", "3", "4"} {
			names["SEVERITY_NUMBER_"+level+step] = number
			number++
		}
	}
	// pdata knows the lowest level only with a space behind it.
	names["SEVERITY_NUMBER_TRACE"+" "] = names["SEVERITY_NUMBER_TRACE"]
	return names
}
