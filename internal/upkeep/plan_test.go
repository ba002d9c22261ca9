package upkeep

import (
	"fmt"
	"path"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/lake"
	"github.com/spanlake/spanlake/internal/parquetfile"
)

var noon = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// large is for the sizes in TestPlan.
var large = Compaction{Enabled: true, TargetBytes: 32 << 20, MemoryBytes: 128 << 20, CPUShare: 1}

var standard = Compaction{Enabled: true, TargetBytes: 10 << 20, MemoryBytes: 128 << 20, CPUShare: 1}

// hourOf is the partition of a time.
func hourOf(t time.Time) parquetfile.Partition {
	return parquetfile.Partition{Signal: "traces", Retention: "7d", Hour: t.Unix() / 3600}
}

func fileAt(t time.Time, name string, rows, bytes int64) lake.File {
	return lake.File{
		Path: path.Join(hourOf(t).Directory(), name), Signal: "traces", Schema: 1, Rows: rows, Bytes: bytes,
		MinTime: t.UnixNano(), MaxTime: t.UnixNano(),
	}
}

func same(n int, rows, bytes int64) []lake.File {
	files := make([]lake.File, n)
	for i := range files {
		files[i] = fileAt(noon, fmt.Sprintf("%03d.parquet", i), rows, bytes)
	}
	return files
}

func TestPlan(t *testing.T) {
	const mib = 1 << 20
	for name, tc := range map[string]struct {
		files     []lake.File
		after     time.Duration // of the start of the hour
		unchanged time.Duration
		inputs    int // 0: no merge
		outputs   int
	}{
		"an open hour with few files":                 {same(31, 500, 40_000), 30 * time.Minute, time.Hour, 0, 0},
		"an open hour with many":                      {same(32, 500, 40_000), 30 * time.Minute, 0, 32, 1},
		"an hour whose last rows may be on their way": {same(31, 500, 40_000), 69 * time.Minute, 0, 0, 0},
		"a closed hour":                               {same(8, 500, 40_000), 71 * time.Minute, 0, 8, 1},
		"a closed hour with few files":                {same(7, 500, 40_000), 71 * time.Minute, 9 * time.Minute, 0, 0},
		"a closed hour with few files that is quiet":  {same(2, 500, 40_000), 71 * time.Minute, 10 * time.Minute, 2, 1},
		"one file": {same(1, 500, 40_000), 5 * time.Hour, time.Hour, 0, 0},
		"a late file does not rewrite a large one":     {append(same(1, 500, 40_000), fileAt(noon, "x.parquet", 200_000, 10*mib)), 5 * time.Hour, time.Hour, 0, 0},
		"late files go together":                       {append(same(8, 500, 40_000), fileAt(noon, "x.parquet", 200_000, 10*mib)), 5 * time.Hour, 0, 8, 1},
		"small ones first":                             {append(same(32, 12_000, 600_000), fileAt(noon, "x.parquet", 200_000, 10*mib)), 5 * time.Hour, 0, 22, 1},
		"as many as memory takes":                      {same(40, 30_000, 2*mib), 30 * time.Minute, 0, 10, 1},
		"as many as make a file":                       {same(40, 1_000, 4*mib), 30 * time.Minute, 0, 8, 1},
		"a smaller one stands not in the way of many":  {append(same(31, 500, mib), fileAt(noon, "x.parquet", 1, 9_000)), 71 * time.Minute, 0, 31, 1},
		"small ones are too few to go with large ones": {append(same(3, 500, 9_000), same(9, 90_000, 4*mib)...), 71 * time.Minute, 0, 8, 1},
	} {
		t.Run(name, func(t *testing.T) {
			p := hourOf(noon)
			j, ok := large.plan(tc.files, p, p.Begin().Add(tc.after), tc.unchanged)
			require.Equal(t, tc.inputs > 0, ok)
			require.Len(t, j.files, tc.inputs)
			require.Equal(t, tc.outputs, j.outputs)
		})
	}
}

// A day of segments of a rate, on a simulated clock: what is written, and how
// many files there are. The sizes of merged files are the sums of theirs.
type day struct {
	compaction Compaction
	files      map[string][]lake.File // by directory
	changed    map[string]time.Time
	written    int64 // bytes by merges
	flushed    int64
	merges     int
	small      int // small files in a partition, at most
	name       int
}

func (d *day) add(f lake.File, now time.Time) {
	dir := path.Dir(f.Path)
	d.files[dir] = append(d.files[dir], f)
	d.changed[dir] = now
}

func (d *day) pass(now time.Time) {
	for dir, files := range d.files {
		p, _ := parquetfile.PartitionOf(files[0].Path)
		if now.After(p.End().Add(3 * time.Hour)) {
			continue // nothing changes any more
		}
		small := slices.DeleteFunc(slices.Clone(files), func(f lake.File) bool { return f.Bytes >= d.compaction.TargetBytes/2 })
		d.small = max(d.small, len(small))
		j, ok := d.compaction.plan(small, p, now, now.Sub(d.changed[dir]))
		if !ok {
			continue
		}
		gone := map[string]bool{}
		merged := lake.File{MinTime: j.files[0].MinTime}
		for _, f := range j.files {
			gone[f.Path] = true
			merged.Rows += f.Rows
			merged.Bytes += f.Bytes
			d.written += f.Bytes
		}
		d.merges++
		d.files[dir] = slices.DeleteFunc(d.files[dir], func(f lake.File) bool { return gone[f.Path] })
		for range j.outputs {
			d.name++
			d.files[dir] = append(d.files[dir], lake.File{
				Path: path.Join(dir, fmt.Sprintf("c%d.parquet", d.name)), Rows: merged.Rows / int64(j.outputs),
				Bytes: merged.Bytes / int64(j.outputs), MinTime: merged.MinTime,
			})
		}
		d.changed[dir] = now
	}
}

// simulate runs a day of rate spans a second, a segment every five seconds.
func simulate(c Compaction, rate int64) (d *day, perHour int) {
	const footer, perSpan = 18 << 10, 48
	d = &day{compaction: c, files: map[string][]lake.File{}, changed: map[string]time.Time{}}
	start := noon.Truncate(24 * time.Hour)
	for at := time.Duration(0); at < 24*time.Hour; at += 5 * time.Second {
		now := start.Add(at)
		f := fileAt(now, fmt.Sprintf("s%d.parquet", at), 5*rate, footer+5*rate*perSpan)
		d.flushed += f.Bytes
		d.add(f, now)
		d.pass(now)
	}
	for range 50 {
		d.pass(start.Add(26 * time.Hour))
	}
	for _, files := range d.files {
		perHour = max(perHour, len(files))
	}
	return d, perHour
}

func TestDaySimulated(t *testing.T) {
	for _, tc := range []struct {
		rate           int64
		amplification  float64 // merged bytes a byte flushed
		perHour, small int
	}{
		{116, 2.5, 7, 36},
		{5_000, 1.01, 80, 10},
	} {
		t.Run(fmt.Sprint(tc.rate), func(t *testing.T) {
			d, perHour := simulate(standard, tc.rate)
			got := float64(d.written) / float64(d.flushed)
			t.Logf("merged %.2f bytes a byte flushed in %d merges; %d files an hour, at most %d small", got, d.merges, perHour, d.small)
			require.LessOrEqual(t, got, tc.amplification)
			require.LessOrEqual(t, perHour, tc.perHour)
			require.LessOrEqual(t, d.small, tc.small)
		})
	}
}
