package tracetree

import (
	"fmt"
	"strings"

	"github.com/spanlake/spanlake/internal/traceid"
)

// ParseID reads a trace ID in any form that receivers take, and a W3C
// traceparent, which holds one, and writes it as the store does.
func ParseID(text string) (string, error) {
	text = strings.TrimSpace(text)
	id := text
	// Version, trace ID, parent ID and flags (https://www.w3.org/TR/trace-context/).
	if parts := strings.Split(text, "-"); len(parts) >= 4 && len(parts[0]) == 2 && len(parts[1]) == 32 {
		id = parts[1]
	}
	parsed, ok := traceid.ParseTrace(id)
	if !ok || parsed.IsEmpty() {
		return "", fmt.Errorf("%q is no trace ID: give 32 hexadecimal digits, 16, a UUID or a traceparent", text)
	}
	return parsed.String(), nil
}
