package otlpjson

import (
	"math"
	"strconv"
)

// maxNumber is the length in bytes from which on a number that is no integer is
// refused: a double that is written out whole takes less.
const maxNumber = 1100

// integer reads an integer, quoted or not, from -below to above. A negative one
// is returned in two's complement.
func (t *transcoder) integer(below, above uint64, what string) (uint64, bool) {
	at := t.pos
	v, negative, ok := t.plainInteger()
	if !ok {
		var number []byte
		if t.has(`"`) {
			number, ok = t.quoted()
		} else {
			number, ok = t.numberToken(what)
		}
		if !ok {
			return 0, false
		}
		v, negative, ok = integral(number)
	}
	if negative {
		above = below
	}
	if !ok || v > above {
		return 0, t.fail(at, what)
	}
	if negative {
		v = -v
	}
	return v, true
}

// plainInteger reads an integer of up to 19 digits in its usual form. Where
// there is something else it reads nothing.
func (t *transcoder) plainInteger() (v uint64, negative, ok bool) {
	const digits = 19 // of which any number fits
	src, i := t.src, t.pos
	quoted := i < len(src) && src[i] == '"'
	if quoted {
		i++
	}
	if i < len(src) && src[i] == '-' {
		negative = true
		i++
	}
	first := i
	for ; i < len(src); i++ {
		digit := src[i] - '0'
		if digit > 9 {
			break
		}
		v = v*10 + uint64(digit)
	}
	n := i - first
	if n == 0 || n > digits || n > 1 && src[first] == '0' || i == len(src) {
		return 0, false, false
	}
	switch c := src[i]; {
	case quoted:
		if c != '"' {
			return 0, false, false
		}
		i++
	case c == '.' || c == 'e' || c == 'E':
		return 0, false, false
	}
	t.pos = i
	return v, negative, true
}

// double reads a double, quoted or not.
func (t *transcoder) double() (float64, bool) {
	const what = "not a double"
	at := t.pos
	var number []byte
	var ok bool
	if t.has(`"`) {
		number, ok = t.quoted()
	} else {
		number, ok = t.numberToken(what)
	}
	if !ok {
		return 0, false
	}
	if len(number) > maxNumber {
		return 0, t.fail(at, "too long a number")
	}
	v, err := strconv.ParseFloat(string(number), 64)
	if err != nil {
		return 0, t.fail(at, what)
	}
	return v, true
}

// numberToken reads a number as RFC 8259 has it.
func (t *transcoder) numberToken(what string) ([]byte, bool) {
	src, i := t.src, t.pos
	at := func(c byte) bool { return i < len(src) && src[i] == c }
	digits := func() bool {
		first := i
		for i < len(src) && src[i]-'0' <= 9 {
			i++
		}
		return i > first
	}
	if at('-') {
		i++
	}
	ok := true
	if at('0') {
		i++
	} else {
		ok = digits()
	}
	if ok && at('.') {
		i++
		ok = digits()
	}
	if ok && (at('e') || at('E')) {
		i++
		if at('+') || at('-') {
			i++
		}
		ok = digits()
	}
	if !ok {
		return nil, t.fail(t.pos, what)
	}
	number := src[t.pos:i]
	t.pos = i
	return number, true
}

// integral returns the magnitude and the sign of a decimal number in any
// notation, if it is integral and its magnitude fits.
func integral(s []byte) (v uint64, negative, ok bool) {
	i := 0
	if i < len(s) && (s[i] == '-' || s[i] == '+') {
		negative = s[i] == '-'
		i++
	}
	var (
		digits, point  bool
		scale, pending int64 // powers of ten: of the value so far, of zeros not yet in it
	)
	for ; i < len(s) && (s[i]-'0' <= 9 || s[i] == '.' && !point); i++ {
		if s[i] == '.' {
			point = true
			continue
		}
		digits = true
		if point {
			scale--
		}
		if s[i] == '0' {
			pending++
			continue
		}
		if v != 0 {
			if v, ok = shifted(v, pending+1); !ok {
				return 0, false, false
			}
		}
		pending = 0
		digit := uint64(s[i] - '0')
		if v > math.MaxUint64-digit {
			return 0, false, false
		}
		v += digit
	}
	if !digits {
		return 0, false, false
	}
	if i < len(s) {
		e, ok := exponent(s[i:])
		if !ok {
			return 0, false, false
		}
		scale += e
	}
	if v == 0 {
		return 0, negative, true
	}
	// The last digit of v is not zero.
	v, ok = shifted(v, scale+pending)
	return v, negative, ok
}

// exponent reads the e and what follows it. What is beyond maxExponent is
// beyond any number that fits in memory, too.
func exponent(s []byte) (int64, bool) {
	const maxExponent = 1 << 40
	if len(s) < 2 || s[0] != 'e' && s[0] != 'E' {
		return 0, false
	}
	s = s[1:]
	negative := s[0] == '-'
	if s[0] == '-' || s[0] == '+' {
		s = s[1:]
	}
	e := int64(0)
	for _, c := range s {
		if c-'0' > 9 {
			return 0, false
		}
		e = min(e*10+int64(c-'0'), maxExponent)
	}
	if negative {
		e = -e
	}
	return e, len(s) > 0
}

// shifted returns v times ten to the power of n.
func shifted(v uint64, n int64) (uint64, bool) {
	if n < 0 || n > 19 {
		return 0, false
	}
	for range n {
		if v > math.MaxUint64/10 {
			return 0, false
		}
		v *= 10
	}
	return v, true
}
