package wal

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/spanlake/spanlake/internal/fsys"
	"github.com/spanlake/spanlake/internal/fsys/fsystest"
)

// BenchmarkAppendSync is what a request costs that waits for its 10 kB to be
// on disk, at a number of requests at once.
func BenchmarkAppendSync(b *testing.B) {
	for _, writers := range []int{1, 8, 64} {
		b.Run(fmt.Sprintf("writers=%d", writers), func(b *testing.B) {
			fs := &fsystest.CountSyncs{FS: fsys.OS}
			l := open(b, fs, b.TempDir())
			record := []byte(strings.Repeat("0123456789", 1000))
			b.SetBytes(int64(len(record)))
			b.ReportAllocs()
			before := fs.Syncs.Load()
			b.ResetTimer()
			var (
				wg   sync.WaitGroup
				done atomic.Int64
			)
			for range writers {
				wg.Go(func() {
					for done.Add(1) <= int64(b.N) {
						p, err := l.Append(record)
						if err == nil {
							err = l.Sync(b.Context(), p)
						}
						if err != nil {
							b.Error(err)
						}
					}
				})
			}
			wg.Wait()
			b.ReportMetric(float64(fs.Syncs.Load()-before)/float64(b.N), "syncs/record")
		})
	}
}

// BenchmarkAppend is the cost without the disk's answer.
func BenchmarkAppend(b *testing.B) {
	l := open(b, fsys.OS, b.TempDir())
	record := make([]byte, 10_000)
	b.SetBytes(int64(len(record)))
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		if _, err := l.Append(record[:100], record[100:]); err != nil {
			b.Fatal(err)
		}
		if n++; n%20_000 == 0 {
			b.StopTimer()
			s, _, err := l.Seal()
			if err == nil {
				err = l.Remove(s.Segment)
			}
			if err != nil {
				b.Fatal(err)
			}
			b.StartTimer()
		}
	}
}

func BenchmarkRead(b *testing.B) {
	l := open(b, fsys.OS, b.TempDir())
	record := make([]byte, 10_000)
	const n = 5000
	for range n {
		if _, err := l.Append(record); err != nil {
			b.Fatal(err)
		}
	}
	s := seal(b, l)
	b.SetBytes(s.End)
	b.ReportAllocs()
	for b.Loop() {
		stats, err := l.Read(s.Segment, func([]byte) error { return nil })
		if err != nil || stats.Records != n {
			b.Fatal(stats, err)
		}
	}
}
