package v1

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"
)

// maxDepth bounds the nesting of a value that is read. OTLP on its way in is
// bounded well below.
const maxDepth = 10_000

var errDepth = errors.New("values are nested too deep")

// readAttributes reads a JSON object of attributes into m, behind what it has.
func readAttributes(text []byte, m pcommon.Map) error {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	t, err := d.Token()
	if err != nil {
		return fmt.Errorf("attributes: %w", err)
	}
	if t != json.Delim('{') {
		return fmt.Errorf("attributes: %v where an object was expected", t)
	}
	if _, err := readMembers(d, m, 0); err != nil {
		return fmt.Errorf("attributes: %w", err)
	}
	return readEnd(d)
}

// readValue reads one JSON value into v.
func readValue(text []byte, v pcommon.Value) error {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	t, err := d.Token()
	if err != nil {
		return fmt.Errorf("value: %w", err)
	}
	if err := readToken(d, t, v, 0); err != nil {
		return fmt.Errorf("value: %w", err)
	}
	return readEnd(d)
}

func readEnd(d *json.Decoder) error {
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("more text behind a JSON value")
	}
	return nil
}

func readToken(d *json.Decoder, t json.Token, v pcommon.Value, depth int) error {
	if depth > maxDepth {
		return errDepth
	}
	switch t := t.(type) {
	case string:
		v.SetStr(t)
	case bool:
		v.SetBool(t)
	case json.Number:
		return readNumber(t.String(), v)
	case json.Delim:
		if t == '[' {
			s := v.SetEmptySlice()
			for d.More() {
				t, err := d.Token()
				if err != nil {
					return err
				}
				if err := readToken(d, t, s.AppendEmpty(), depth+1); err != nil {
					return err
				}
			}
			_, err := d.Token()
			return err
		}
		m := v.SetEmptyMap()
		n, err := readMembers(d, m, depth+1)
		if err != nil || n != 1 {
			return err
		}
		return resolveTag(v, m)
	}
	return nil // null: v is empty
}

// readMembers reads the members of an object behind its brace. Of a repeated
// key the first value is kept, the one that pcommon.Map.Get gave before. It
// returns how many members there were, repeated ones included.
func readMembers(d *json.Decoder, m pcommon.Map, depth int) (int, error) {
	n := 0
	for ; d.More(); n++ {
		key, err := d.Token()
		if err != nil {
			return n, err
		}
		t, err := d.Token()
		if err != nil {
			return n, err
		}
		value, known := m.GetOrPutEmpty(key.(string))
		if known {
			value = pcommon.NewValueEmpty()
		}
		if err := readToken(d, t, value, depth); err != nil {
			return n, err
		}
	}
	_, err := d.Token()
	return n, err
}

func readNumber(text string, v pcommon.Value) error {
	if strings.ContainsAny(text, ".eE") {
		f, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return err
		}
		v.SetDouble(f)
		return nil
	}
	i, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return err
	}
	v.SetInt(i)
	return nil
}

// resolveTag turns v, read as the map m of one member, into what it stands for.
func resolveTag(v pcommon.Value, m pcommon.Map) error {
	for key, tagged := range m.All() {
		switch {
		case key == tagBytes && tagged.Type() == pcommon.ValueTypeStr:
			raw, err := base64.StdEncoding.DecodeString(tagged.Str())
			if err != nil {
				return err
			}
			v.SetEmptyBytes().FromRaw(raw)
		case key == tagDouble && tagged.Type() == pcommon.ValueTypeStr:
			f, err := strconv.ParseFloat(tagged.Str(), 64)
			if err != nil || !math.IsNaN(f) && !math.IsInf(f, 0) {
				return fmt.Errorf("%q is no tagged double", tagged.Str())
			}
			v.SetDouble(f)
		case key == tagBytes || key == tagDouble:
			return fmt.Errorf("a value of type %s behind the tag %s", tagged.Type(), key)
		case isTag(key):
			inner := pcommon.NewValueEmpty()
			tagged.MoveTo(inner)
			inner.MoveTo(v.SetEmptyMap().PutEmpty(key[1:]))
		}
		break
	}
	return nil
}
