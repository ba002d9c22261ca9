package lake

import "bytes"

// parseFile reads a file line in the very form in which this program writes it.
// A large lake is mostly such lines, and encoding/json takes ten times as long.
// Every other form, an escape in a string included, is left to encoding/json.
func parseFile(text []byte) (File, bool) {
	var f File
	p := parser{rest: text, ok: true}
	p.literal(`{"file":{"path":`)
	f.Path = p.string()
	p.literal(`,"signal":`)
	f.Signal = p.signal()
	p.literal(`,"schema":`)
	f.Schema = int(p.int())
	p.literal(`,"rows":`)
	f.Rows = p.int()
	p.literal(`,"bytes":`)
	f.Bytes = p.int()
	p.literal(`,"min_time":`)
	f.MinTime = p.int()
	p.literal(`,"max_time":`)
	f.MaxTime = p.int()
	p.literal(`}}`)
	return f, p.ok && len(p.rest) == 0
}

// parser takes text apart from the front; ok is false from the first thing on
// that is not as expected.
type parser struct {
	rest []byte
	ok   bool
}

func (p *parser) literal(s string) {
	if p.ok = p.ok && len(p.rest) >= len(s) && string(p.rest[:len(s)]) == s; p.ok {
		p.rest = p.rest[len(s):]
	}
}

// quoted returns the bytes of a string that has no escapes.
func (p *parser) quoted() []byte {
	p.literal(`"`)
	end := bytes.IndexByte(p.rest, '"')
	if p.ok = p.ok && end >= 0; !p.ok {
		return nil
	}
	s := p.rest[:end]
	p.rest = p.rest[end+1:]
	for _, c := range s {
		if c == '\\' || c < ' ' || c > '~' {
			p.ok = false
		}
	}
	return s
}

func (p *parser) string() string { return string(p.quoted()) }

// signal is string without an allocation for the two values there are.
func (p *parser) signal() string {
	s := p.quoted()
	for _, signal := range signals {
		if string(s) == signal {
			return signal
		}
	}
	return string(s)
}

// int reads up to 18 digits, which cannot overflow, or 19 that do not.
func (p *parser) int() int64 {
	digits := p.rest
	if len(digits) > 0 && digits[0] == '-' {
		digits = digits[1:]
	}
	n, v := 0, uint64(0)
	for n < len(digits) && n < 20 && '0' <= digits[n] && digits[n] <= '9' {
		v = 10*v + uint64(digits[n]-'0')
		n++
	}
	negative := len(digits) < len(p.rest)
	if n == 0 || n > 19 || n > 1 && digits[0] == '0' || v > 1<<63-1 {
		p.ok = false
		return 0
	}
	p.rest = digits[n:]
	if negative {
		return -int64(v)
	}
	return int64(v)
}
