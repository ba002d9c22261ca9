package lake

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

// Readers hammer the manifest while the owner commits and rewrites it: each
// sees whole versions only, and never an older one than before.
func TestReadersSeeWholeVersionsWhileTheOwnerWrites(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, nil)
	const last = 150
	done := make(chan error, 2)
	for range cap(done) {
		go func() {
			version, reads := uint64(0), 0
			for version < last {
				got, err := ReadSnapshot(dir)
				if err != nil {
					done <- err
					return
				}
				// Version n holds the files n and n-1, in order.
				n := int(got.Version)
				want := Snapshot{Version: got.Version}
				switch {
				case n == 1:
					want.Files = files(1)
				case n > 1:
					want.Files = files(n-1, n)
				}
				if fmt.Sprint(got) != fmt.Sprint(want) || got.Version < version {
					done <- fmt.Errorf("after version %d: %v", version, got)
					return
				}
				version = got.Version
				reads++
			}
			done <- nil
		}()
	}
	for n := 1; n <= last; n++ {
		c := Commit{Log: logA, Segment: uint64(n), Add: files(n)}
		if n > 2 {
			c.Remove = paths(n - 2)
		}
		require.NoError(t, s.Commit(c))
		if n%10 == 0 {
			s.writing.Lock()
			err := s.rewrite(nil)
			s.writing.Unlock()
			require.NoError(t, err)
		}
	}
	for range cap(done) {
		require.NoError(t, <-done)
	}
}
