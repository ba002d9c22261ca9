package reader

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/cmd/spanlake-sql/internal/storetest"
	"github.com/spanlake/spanlake/internal/lake"
)

// While files are added, merged and unlinked at once, without a time of grace,
// every query succeeds and sees whole commits: each adds one row of each of the
// numbers 0 to 9 below a common trace ID.
func TestQueriesWhileFilesComeAndGo(t *testing.T) {
	const commits = 12
	dir := t.TempDir()
	store := storetest.New(t, dir)
	// Files are made ahead: making one takes as long as several queries.
	var small, merged [commits]lake.File
	for i := range commits {
		small[i] = store.File("traces", "select range as duration_ns, repeat('a', 32) as trace_id, timestamp_ns '2026-11-21 09:00:00' as timestamp from range(10)")
		merged[i] = store.Merged("traces", fmt.Sprintf("select range %% 10 as duration_ns, repeat('a', 32) as trace_id, timestamp_ns '2026-11-21 09:00:00' as timestamp from range(%d)", 10*(i+1)))
	}
	store.Commit([]lake.File{small[0]})
	s := openReader(t, dir)
	step := make(chan int)
	stepped := make(chan struct{})
	go func() {
		defer close(stepped)
		for i := range step {
			// What was there before becomes one file, beside the new small one.
			old := small[0]
			if i > 1 {
				old = merged[i-2]
			}
			add, remove := []lake.File{small[i]}, []string{}
			if i == 1 {
				add = append(add, merged[0])
				remove = append(remove, old.Path)
			} else {
				add = append(add, merged[i-1])
				remove = append(remove, old.Path, small[i-1].Path)
			}
			store.Commit(add, remove...)
			store.Unlink(old)
			if i > 1 {
				store.Unlink(small[i-1])
			}
		}
	}()
	last := 0
	for i := 1; i < commits; i++ {
		step <- i // the goroutine works while these run
		for _, condition := range []string{"", " where trace_id = repeat('a', 32)", " where timestamp >= '2026-11-21'"} {
			got := ask(t, s, "select count(*) // 10, count(*) = 10 * count(*) filter (duration_ns = 3) from spans"+condition)
			var seen int
			var whole bool
			_, err := fmt.Sscanf(got[0], "%d|%t", &seen, &whole)
			require.NoError(t, err)
			require.True(t, whole)
			require.GreaterOrEqual(t, seen, last)
			require.Contains(t, []int{i, i + 1}, seen)
			last = seen
		}
	}
	close(step)
	<-stepped
}
