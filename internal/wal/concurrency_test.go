package wal

import (
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/fsys/fsystest"
)

// Writers, a flusher that seals, reads and removes, and a disk that fails now
// and then: each record that was acknowledged is read once, no refused one is.
func TestWritersAndFlusherTogether(t *testing.T) {
	disk := fsystest.NewCrash()
	l := open(t, disk, "/wal")
	l.buffer = 3000
	const writers, each = 8, 200 // acknowledged records
	var (
		mu                    sync.Mutex
		acknowledged, refused = map[uint64]bool{}, map[uint64]bool{}
		read                  = map[uint64]int{}
		wg                    sync.WaitGroup
	)
	for w := range uint64(writers) {
		wg.Go(func() {
			body := make([]byte, 1500)
			for n, left := w, each; left > 0; n += writers {
				for j := range body {
					body[j] = byte(n)
				}
				p, err := l.Append(binary.LittleEndian.AppendUint64(nil, n), body[:rand.IntN(len(body))])
				if err == nil {
					err = l.Sync(t.Context(), p)
				}
				mu.Lock()
				if err == nil {
					acknowledged[n] = true
					left--
				} else if errors.Is(err, ErrFailed) {
					refused[n] = true
				} else {
					t.Error(err)
					left = 0
				}
				mu.Unlock()
			}
		})
	}
	flush := func() {
		if _, _, err := l.Seal(); err != nil && !errors.Is(err, errDisk) {
			t.Error(err)
		}
		for _, s := range l.Sealed() {
			stats, err := l.Read(s.Segment, func(r []byte) error {
				n := binary.LittleEndian.Uint64(r)
				read[n]++
				for _, b := range r[8:] {
					if b != byte(n) {
						return errors.New("bytes of another record")
					}
				}
				return nil
			})
			if err != nil || stats.DamagedRecords > 0 {
				t.Error(err, stats)
			}
			if err := l.Remove(s.Segment); err != nil {
				t.Error(err)
			}
		}
	}
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for round := 0; ; round++ {
			select {
			case <-stop:
				return
			default:
			}
			if round%10 == 0 {
				disk.Fail([]fsystest.Op{fsystest.OpWrite, fsystest.OpSync}[round/10%2], 1, errDisk)
			}
			flush()
		}
	}()
	wg.Wait()
	close(stop)
	<-stopped
	disk.ClearFaults()
	flush()
	flush()
	require.Len(t, acknowledged, writers*each)
	require.NotEmpty(t, refused)
	require.Len(t, read, len(acknowledged))
	for n := range acknowledged {
		require.Equal(t, 1, read[n], "record %d", n)
	}
	require.Equal(t, sizeOnDisk(t, disk, "/wal"), l.Bytes())
}
