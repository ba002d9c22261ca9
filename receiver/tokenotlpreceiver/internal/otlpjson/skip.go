package otlpjson

// maxSkipped is how many brackets may be open in a field that is skipped.
const maxSkipped = 1024

// skip passes over the value at pos, which must be JSON. It keeps one bit for
// each open bracket, set for that of an object.
func (t *transcoder) skip() bool {
	var objects [maxSkipped / 64]uint64
	open := 0
	isObject := func() bool { return objects[(open-1)/64]>>((open-1)%64)&1 == 1 }
	for {
		// A value begins here.
		switch c := t.next(); c {
		case '{', '[':
			if open == maxSkipped {
				return t.tooDeep()
			}
			t.pos++
			open++
			bit := uint64(1) << ((open - 1) % 64)
			if objects[(open-1)/64] &^= bit; c == '{' {
				objects[(open-1)/64] |= bit
			}
			switch next := t.next(); {
			case next == '}' && c == '{', next == ']' && c == '[':
			case c == '{':
				if !t.skipName() {
					return false
				}
				continue
			default:
				continue
			}
		default:
			if !t.skipScalar(c) {
				return false
			}
		}
		// A value or an empty bracket ends here.
		for more := false; !more; {
			if open == 0 {
				return true
			}
			c := t.next()
			t.pos++
			switch {
			case c == ',' && isObject():
				if t.next(); !t.skipName() {
					return false
				}
				more = true
			case c == ',':
				more = true
			case c == '}' && isObject(), c == ']' && !isObject():
				open--
			default:
				return t.fail(t.pos-1, "neither a comma nor a bracket")
			}
		}
	}
}

func (t *transcoder) skipName() bool {
	if !t.skipString() {
		return false
	}
	if t.next() != ':' {
		return t.fail(t.pos, "not a colon")
	}
	t.pos++
	return true
}

func (t *transcoder) skipScalar(c byte) bool {
	switch c {
	case '"':
		return t.skipString()
	case 't':
		return t.literal("true")
	case 'f':
		return t.literal("false")
	case 'n':
		return t.literal("null")
	default:
		_, ok := t.numberToken("not a value")
		return ok
	}
}

func (t *transcoder) skipString() bool {
	from, to, escaped, ok := t.token()
	if !ok || !escaped {
		return ok
	}
	for from < to {
		if t.src[from] != '\\' {
			from++
			continue
		}
		_, n := escape(t.src[from+1 : to])
		if n == 0 {
			return t.fail(from, "not an escape")
		}
		from += 1 + n
	}
	return true
}
