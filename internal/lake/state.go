package lake

import (
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// state is what the lines of a manifest add up to.
type state struct {
	version uint64
	// files are in the order of their commits. Elements that are in a snapshot
	// never change: adding appends, removing makes a new slice.
	files   []File
	index   map[string]int    // of files, by path
	logs    map[string]uint64 // highest segment committed, by log
	batches batches
}

func newState() *state {
	return &state{index: map[string]int{}, logs: map[string]uint64{}}
}

func (s *state) snapshot() Snapshot {
	return Snapshot{Version: s.version, Files: slices.Clip(s.files)}
}

// check says whether the commit can be applied.
func (s *state) check(c *commit) error {
	if c.Version != s.version+1 {
		return fmt.Errorf("version %d does not follow %d", c.Version, s.version)
	}
	switch {
	case c.Log == "" && c.Segment != 0:
		return fmt.Errorf("segment %d is of no log", c.Segment)
	case c.Log != "" && !logPattern.MatchString(c.Log):
		return fmt.Errorf("log %q is not 16 hex digits", c.Log)
	case c.Log != "" && c.Segment <= s.logs[c.Log]:
		return fmt.Errorf("segment %d of log %s does not follow %d", c.Segment, c.Log, s.logs[c.Log])
	}
	for _, id := range c.Batches {
		if err := checkBatch(id); err != nil {
			return err
		}
	}
	added := make(map[string]struct{}, len(c.Add))
	for _, f := range c.Add {
		if err := s.checkNew(f); err != nil {
			return err
		}
		if _, twice := added[f.Path]; twice {
			return fmt.Errorf("file %q is added twice", f.Path)
		}
		added[f.Path] = struct{}{}
	}
	removed := make(map[string]struct{}, len(c.Remove))
	for _, p := range c.Remove {
		if _, there := s.index[p]; !there {
			return fmt.Errorf("file %q to remove is not in the lake", p)
		}
		if _, twice := removed[p]; twice {
			return fmt.Errorf("file %q is removed twice", p)
		}
		removed[p] = struct{}{}
	}
	return nil
}

func (s *state) checkNew(f File) error {
	if _, there := s.index[f.Path]; there {
		return fmt.Errorf("file %q is in the lake already", f.Path)
	}
	return f.check()
}

// without returns the files but those of the paths, in a new slice.
func (s *state) without(paths []string) []File {
	gone := make(map[string]struct{}, len(paths))
	for _, p := range paths {
		gone[p] = struct{}{}
	}
	kept := make([]File, 0, len(s.files))
	for _, f := range s.files {
		if _, ok := gone[f.Path]; !ok {
			kept = append(kept, f)
		}
	}
	return kept
}

// replace takes the place of files by those of them that are kept.
func (s *state) replace(kept []File) {
	s.files = kept
	clear(s.index)
	for i := range kept {
		s.index[kept[i].Path] = i
	}
}

func (s *state) add(f File) {
	s.index[f.Path] = len(s.files)
	s.files = append(s.files, f)
}

// advance does a checked commit but for its removals, which come before.
func (s *state) advance(c *commit) {
	s.version = c.Version
	for _, f := range c.Add {
		s.add(f)
	}
	if c.Log != "" {
		s.logs[c.Log] = c.Segment
	}
	for _, id := range c.Batches {
		s.batches.add(id)
	}
}

var logPattern = regexp.MustCompile(`^[0-9a-f]{16}$`)

// signals are the first elements of paths.
var signals = []string{"traces", "logs"}

func (f File) check() error {
	fail := func(rule string) error { return fmt.Errorf("file %q: %s", f.Path, rule) }
	switch {
	case f.Signal != signals[0] && f.Signal != signals[1]:
		return fail(fmt.Sprintf("signal %q is neither traces nor logs", f.Signal))
	case !fs.ValidPath(f.Path) || strings.ContainsAny(f.Path, "\\\x00") || !strings.HasPrefix(f.Path, f.Signal+"/"):
		return fail("path is not a clean relative one below its signal")
	case !strings.HasSuffix(f.Path, fileSuffix):
		return fail("path does not end in " + fileSuffix)
	case f.Schema < 1:
		return fail(fmt.Sprintf("schema %d is less than 1", f.Schema))
	case f.Rows < 0 || f.Bytes < 0:
		return fail("rows or bytes are negative")
	case f.MinTime > f.MaxTime:
		return fail("min_time is after max_time")
	}
	return nil
}

func checkBatch(id string) error {
	switch {
	case id == "":
		return errors.New("a batch has no identity")
	case len(id) > MaxBatchID:
		return fmt.Errorf("a batch has an identity of %d bytes, more than %d", len(id), MaxBatchID)
	case !utf8.ValidString(id):
		return fmt.Errorf("batch %q is not UTF-8", id)
	}
	return nil
}

// batches remembers the last MaxBatches identities. The zero value is empty.
type batches struct {
	set   map[string]struct{}
	order []string // a ring once it is full
	next  int      // index of the oldest in a full ring
}

func (b *batches) has(id string) bool {
	_, ok := b.set[id]
	return ok
}

func (b *batches) add(id string) {
	if b.has(id) {
		return
	}
	if b.set == nil {
		b.set = map[string]struct{}{}
	}
	b.set[id] = struct{}{}
	if len(b.order) < MaxBatches {
		b.order = append(b.order, id)
		return
	}
	delete(b.set, b.order[b.next])
	b.order[b.next] = id
	b.next = (b.next + 1) % MaxBatches
}

// list returns them, oldest first.
func (b *batches) list() []string {
	return append(append([]string(nil), b.order[b.next:]...), b.order[:b.next]...)
}
