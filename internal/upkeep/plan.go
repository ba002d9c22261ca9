package upkeep

import (
	"cmp"
	"math/bits"
	"path"
	"slices"
	"time"

	"github.com/spanlake/spanlake/internal/lake"
	"github.com/spanlake/spanlake/internal/parquetfile"
)

const (
	// lag is how long after its end an hour takes rows as a matter of course.
	lag = 10 * time.Minute
	// quiet is how long a closed hour has had no new file before its last few are
	// merged.
	quiet = 10 * time.Minute
	// openFiles and closedFiles are how many small files of an hour are merged
	// before and after its end, where they do not make a file of the target's size
	// before.
	openFiles, closedFiles = 32, 8
	// maxInputs bounds the files that a merge opens.
	maxInputs = 128
	// perFile is what opening, reading and listing a file costs, as bytes.
	perFile = 32 << 10
	// growth bounds the cost of a file in a merge by that of the files smaller
	// than it: rows are rewritten only where that makes their file so much larger.
	growth = 2
)

// Memory of a merge, measured on files of realistic spans.
const (
	mergeBytes = 20 << 20 // the output's row group
	inputBytes = 1 << 20  // an input: its footer, and buffers
	rowBytes   = 320      // a row of an open row group of an input
	keyBytes   = 16       // any row
	groupRows  = 30_000   // of a row group
	groupShare = 4        // of the bytes of a file of large rows
)

// job is files to merge, and how many to make of them.
type job struct {
	files   []lake.File
	outputs int
}

// partitionState is what is known of a partition between two looks.
type partitionState struct {
	files   int
	changed time.Time
	resume  time.Time // it may be merged again
}

// next is the merge of a version that helps most, if any is due: that of the
// most files.
func (k *Keeper) next(snapshot lake.Snapshot) (job, bool) {
	now := k.Clock.Now()
	small := map[string][]lake.File{}
	for _, f := range snapshot.Files {
		if _, ok := k.unusable[f.Path]; !ok && f.Bytes < k.Compaction.TargetBytes/2 {
			dir := path.Dir(f.Path)
			small[dir] = append(small[dir], f)
		}
	}
	for dir := range k.seen {
		if len(small[dir]) == 0 {
			delete(k.seen, dir)
		}
	}
	var best job
	for dir, files := range small {
		p, ok := parquetfile.PartitionOf(files[0].Path)
		if !ok || !p.Expires().After(now) {
			continue // a merge would only make its files younger
		}
		state := k.seen[dir]
		if state.files != len(files) {
			state.files, state.changed = len(files), now
			k.seen[dir] = state
		}
		if now.Before(state.resume) {
			continue
		}
		j, ok := k.Compaction.plan(files, p, now, now.Sub(state.changed))
		if ok && (len(j.files) > len(best.files) || len(j.files) == len(best.files) && j.files[0].Path < best.files[0].Path) {
			best = j
		}
	}
	return best, len(best.files) > 0
}

// plan says which of the small files of a partition to merge now, if any.
func (c Compaction) plan(files []lake.File, p parquetfile.Partition, now time.Time, unchanged time.Duration) (job, bool) {
	least := openFiles
	if now.After(p.End().Add(lag)) {
		least = closedFiles
		if unchanged >= quiet {
			least = 2
		}
	}
	bytes := int64(0)
	for _, f := range files {
		bytes += f.Bytes
	}
	if len(files) < least && bytes < c.TargetBytes {
		return job{}, false
	}
	files = slices.Clone(files)
	// Files of a like size that are next to each other in time, smallest first.
	slices.SortFunc(files, func(a, b lake.File) int {
		return cmp.Or(cmp.Compare(tier(a), tier(b)), cmp.Compare(a.MinTime, b.MinTime), cmp.Compare(a.Path, b.Path))
	})
	for from := 0; len(files)-from >= 2; {
		chosen, whole := c.choose(files[from:])
		if len(chosen) >= least || whole && len(chosen) >= 2 {
			return c.job(chosen), true
		}
		from += max(1, len(chosen))
	}
	return job{}, false
}

// choose returns the files from the front that go together, and whether they are
// as many as a merge can take.
func (c Compaction) choose(files []lake.File) (chosen []lake.File, whole bool) {
	memory, bytes, costs := int64(mergeBytes), int64(0), int64(0)
	for i, f := range files {
		memory += inputBytes + max(rowBytes*min(f.Rows, groupRows), f.Bytes/groupShare) + keyBytes*f.Rows
		switch {
		case i >= maxInputs, i >= 2 && memory > c.MemoryBytes, bytes >= c.TargetBytes:
			return files[:i], true
		case i > 0 && cost(f) > growth*costs:
			return files[:i], false
		}
		bytes += f.Bytes
		costs += cost(f)
	}
	return files, false
}

func (c Compaction) job(files []lake.File) job {
	bytes := int64(0)
	for _, f := range files {
		bytes += f.Bytes
	}
	return job{files, max(1, int(bytes/c.TargetBytes))}
}

func cost(f lake.File) int64 { return f.Bytes + perFile }

// tier groups files of like cost.
func tier(f lake.File) int { return bits.Len64(uint64(cost(f))) / 2 }
