package lake

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"maps"
	"slices"
	"strings"
)

var (
	errTorn    = errors.New("is cut short or damaged")
	errVersion = errors.New("has format version")
	errPlace   = errors.New("is not of a kind that belongs there")
)

// decode adds the lines of a manifest up. A last line that is torn is left out.
func decode(data []byte) (*state, error) {
	d := decoder{state: newState(), size: len(data)}
	for number := 1; len(data) > 0; number++ {
		var text []byte
		var err error
		end := bytes.IndexByte(data, '\n')
		if end < 0 {
			err, data = errTorn, nil
		} else {
			text, err = lineText(data[:end])
			data = data[end+1:]
		}
		if errors.Is(err, errTorn) && len(data) == 0 && d.complete() {
			break
		}
		if err == nil {
			err = d.line(text)
		}
		if err != nil {
			return nil, fmt.Errorf("line %d %w", number, err)
		}
	}
	if !d.complete() {
		return nil, errors.New("ends before its snapshot is complete")
	}
	return d.finish(), nil
}

// lineText checks a line and returns its JSON.
func lineText(b []byte) ([]byte, error) {
	if len(b) < sumSize+1 || b[sumSize] != ' ' {
		return nil, errTorn
	}
	sum := uint32(0)
	for _, c := range b[:sumSize] {
		digit := strings.IndexByte("0123456789abcdef", c)
		if digit < 0 {
			return nil, errTorn
		}
		sum = sum<<4 | uint32(digit)
	}
	text := b[sumSize+1:]
	if crc32.Checksum(text, castagnoli) != sum {
		return nil, errTorn
	}
	return text, nil
}

// decoder knows which lines may come next.
type decoder struct {
	state          *state
	header         bool
	snapshot       bool
	files, batches int  // still to come of the snapshot
	holes          bool // among the files of state
	size           int  // bytes of the manifest
}

func (d *decoder) complete() bool { return d.snapshot && d.files == 0 && d.batches == 0 }

func (d *decoder) line(text []byte) error {
	if !d.header {
		d.header = true
		return checkHeader(text)
	}
	if f, ok := parseFile(text); ok {
		return d.file(f)
	}
	var l line
	if err := json.Unmarshal(text, &l); err != nil {
		return fmt.Errorf("is not JSON as expected: %w", err)
	}
	switch {
	case l.Snapshot != nil && !d.snapshot:
		return d.begin(l.Snapshot)
	case l.Batches != nil && len(l.Batches) <= d.batches:
		d.batches -= len(l.Batches)
		for _, id := range l.Batches {
			d.state.batches.add(id)
		}
		return nil
	case l.File != nil:
		return d.file(*l.File)
	case l.Commit != nil && d.complete():
		return d.apply(l.Commit)
	default:
		return errPlace
	}
}

func (d *decoder) file(f File) error {
	if d.files == 0 || d.batches > 0 {
		return errPlace
	}
	d.files--
	if err := d.state.checkNew(f); err != nil {
		return fmt.Errorf("cannot be: %w", err)
	}
	d.state.add(f)
	return nil
}

func checkHeader(text []byte) error {
	var h header
	if err := json.Unmarshal(text, &h); err != nil {
		return fmt.Errorf("is not the header: %w", err)
	}
	if h.Format != formatName {
		return fmt.Errorf("has format %q, not %q", h.Format, formatName)
	}
	if h.Version != formatVersion {
		return fmt.Errorf("%w %d, this program reads version %d", errVersion, h.Version, formatVersion)
	}
	return nil
}

func (d *decoder) begin(s *snapshotLine) error {
	if s.Files < 0 || s.Batches < 0 || s.Batches > MaxBatches {
		return fmt.Errorf("has %d files and %d batches", s.Files, s.Batches)
	}
	d.snapshot, d.files, d.batches = true, s.Files, s.Batches
	// A wrong number must not make room for more than the manifest can hold.
	room := min(s.Files, d.size/minFileLine)
	d.state.files, d.state.index = make([]File, 0, room), make(map[string]int, room)
	d.state.version = s.Version
	maps.Copy(d.state.logs, s.Logs)
	return nil
}

func (d *decoder) apply(c *commit) error {
	if err := d.state.check(c); err != nil {
		return fmt.Errorf("cannot be: %w", err)
	}
	// Removed files leave holes until the end: closing them for each commit
	// would cost the number of files each time.
	for _, p := range c.Remove {
		d.state.files[d.state.index[p]] = File{}
		delete(d.state.index, p)
		d.holes = true
	}
	d.state.advance(c)
	return nil
}

func (d *decoder) finish() *state {
	if d.holes {
		d.state.replace(slices.DeleteFunc(d.state.files, func(f File) bool { return f.Path == "" }))
	}
	return d.state
}
