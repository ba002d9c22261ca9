package logcorrelationprocessor

// form is the spelling of a value, as metrics name it.
type form uint8

const (
	formNone form = iota // of a value that is not readable
	formHex
	formHex64
	formUUID
	formBase64
	formBase64Hex
	formHexBase64
	formDecimal
	formBytes
	formTraceparent
	formB3
	formXRay
	formXRayHeader
	formGoogle
	formRequestID
	formNumber
	formBool
	formRFC3339
	formLocal
	formHTTP
	formCLF
	formSeconds
	formMillis
	formMicros
	formNanos
	formParts
	formName
	formOffset
	formPino
	formPython
	formSyslog
	formText
	formCount
)

var formNames = [formCount]string{
	formHex:         "hex",
	formHex64:       "hex64",
	formUUID:        "uuid",
	formBase64:      "base64",
	formBase64Hex:   "base64_of_hex",
	formHexBase64:   "hex_of_base64",
	formDecimal:     "decimal",
	formBytes:       "bytes",
	formTraceparent: "traceparent",
	formB3:          "b3",
	formXRay:        "xray",
	formXRayHeader:  "xray_header",
	formGoogle:      "google",
	formRequestID:   "request_id",
	formNumber:      "number",
	formBool:        "bool",
	formRFC3339:     "rfc3339",
	formLocal:       "local",
	formHTTP:        "http",
	formCLF:         "clf",
	formSeconds:     "epoch_s",
	formMillis:      "epoch_ms",
	formMicros:      "epoch_us",
	formNanos:       "epoch_ns",
	formParts:       "parts",
	formName:        "name",
	formOffset:      "offset",
	formPino:        "pino",
	formPython:      "python",
	formSyslog:      "syslog",
	formText:        "text",
}
