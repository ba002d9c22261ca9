package lake

import (
	"errors"
	"fmt"
	"io"

	"github.com/spanlake/spanlake/internal/fsys"
)

// slack is how many bytes the manifest may grow beyond twice what its state
// took at the last rewrite.
const slack = 1 << 20

// Commit makes the step durable and visible. Where it returns an error that
// does not wrap ErrUnsettled, the commit is not in the lake and will not be.
func (s *Store) Commit(c Commit) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	if s.isClosed() {
		return ErrClosed
	}
	step := &commit{
		Version: s.state.version + 1, Log: c.Log, Segment: c.Segment,
		Batches: c.Batches, Add: c.Add, Remove: c.Remove,
	}
	err := s.state.check(step)
	if err == nil {
		err = s.store(appendLine(nil, line{Commit: step}))
	}
	if err != nil {
		return fmt.Errorf("commit to lake %s: %w", s.dir, err)
	}
	s.apply(step)
	if s.file != nil && s.size > 2*s.base+slack {
		// The commit is in the old file and in the new one, whichever it will be.
		_ = s.rewrite(nil)
	}
	return nil
}

func (s *Store) isClosed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closed
}

func (s *Store) apply(c *commit) {
	kept := s.state.files
	if len(c.Remove) > 0 {
		kept = s.state.without(c.Remove)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(c.Remove) > 0 {
		s.state.replace(kept)
	}
	s.state.advance(c)
}

// store makes the line of a commit durable behind the present state.
func (s *Store) store(line []byte) error {
	if s.file == nil {
		if err := s.rewrite(line); err != nil {
			s.skipVersion()
			return fmt.Errorf("%w: %w", ErrUnsettled, err)
		}
		return nil
	}
	n, err := s.file.Write(line)
	if err == nil && n < len(line) {
		err = io.ErrShortWrite
	}
	if err == nil {
		err = s.file.Sync()
	}
	if err == nil {
		s.size += int64(len(line))
		return nil
	}
	// The line may be in the file, and a later sync may or may not keep it. A
	// new file without it settles that.
	s.skipVersion()
	if again := s.writeSettled(); again != nil {
		return fmt.Errorf("%w: %w", ErrUnsettled, errors.Join(err, again))
	}
	return err
}

// Settle returns the present version once it is on disk, and with it the fate of
// every commit before: after a failure, the version in memory may be ahead of
// any that a restart finds. What is named after a settled version is never newer
// than the manifest.
func (s *Store) Settle() (Snapshot, error) {
	s.writing.Lock()
	defer s.writing.Unlock()
	if s.isClosed() {
		return Snapshot{}, ErrClosed
	}
	if s.file == nil {
		if err := s.writeSettled(); err != nil {
			return Snapshot{}, fmt.Errorf("settle lake %s: %w", s.dir, err)
		}
	}
	return s.Snapshot(), nil
}

// writeSettled writes a manifest without the commit that failed, and under a
// version that is not its own.
func (s *Store) writeSettled() error {
	s.skipVersion()
	return s.rewrite(nil)
}

// skipVersion gives the version of a failed commit up: a reader may have seen
// it, and must not see other content under the same number.
func (s *Store) skipVersion() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state.version++
}

// rewrite writes the manifest anew from the state, with the line of a commit
// behind it where there is one. After an error it is not known whether the file
// is the old one or the new one.
func (s *Store) rewrite(line []byte) error {
	if s.file != nil {
		_ = s.file.Close() // replaced, or no longer trusted
		s.file = nil
	}
	data := s.state.encode()
	base := int64(len(data))
	data = append(data, line...)
	if err := fsys.WriteFile(s.fs, s.path(), data); err != nil {
		return err
	}
	s.base, s.size = base, int64(len(data))
	// Where this fails, the next commit is a rewrite too.
	if f, err := s.fs.OpenFile(s.path(), appendFlags, 0); err == nil {
		s.file = f
	}
	return nil
}
