package lake

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// filled makes a lake of n files.
func filled(b *testing.B, n int) (string, *Store) {
	b.Helper()
	dir := b.TempDir()
	s := open(b, dir, nil)
	add := make([]File, n)
	for i := range add {
		add[i] = file(i + 1)
	}
	require.NoError(b, s.Commit(Commit{Log: logA, Segment: 1, Add: add}))
	s.writing.Lock()
	defer s.writing.Unlock()
	require.NoError(b, s.rewrite(nil))
	return dir, s
}

func BenchmarkReadSnapshot100kFiles(b *testing.B) {
	dir, s := filled(b, 100_000)
	b.SetBytes(s.size)
	b.ReportAllocs()
	for b.Loop() {
		got, err := ReadSnapshot(dir)
		if err != nil || len(got.Files) != 100_000 {
			b.Fatal(err)
		}
	}
}

// BenchmarkCommit is one segment into a lake of 10,000 files.
func BenchmarkCommit(b *testing.B) {
	_, s := filled(b, 10_000)
	b.ReportAllocs()
	n := 10_000
	for b.Loop() {
		n++
		if err := s.Commit(Commit{Log: logA, Segment: uint64(n), Add: files(n)}); err != nil {
			b.Fatal(err)
		}
	}
}
