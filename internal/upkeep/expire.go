package upkeep

import (
	"context"
	"path"
	"time"

	"github.com/spanlake/spanlake/internal/lake"
	"github.com/spanlake/spanlake/internal/parquetfile"
)

// ahead is how far the time of rows may be in the future before it is not
// believed.
const ahead = 24 * time.Hour

// expire removes files whose partition is over: the last time that its hour can
// hold is as long ago as its retention says.
func (k *Keeper) expire(ctx context.Context) error {
	now := k.Clock.Now()
	expired := map[string][]lake.File{}
	var all []lake.File
	partitions := map[string]parquetfile.Partition{} // by directory; the zero one is none
	for _, f := range k.Lake.Snapshot().Files {
		dir := path.Dir(f.Path)
		p, known := partitions[dir]
		if !known {
			p, _ = parquetfile.PartitionOf(f.Path)
			partitions[dir] = p
		}
		if p != (parquetfile.Partition{}) && k.over(p, f, now) {
			expired[f.Signal] = append(expired[f.Signal], f)
			all = append(all, f)
		}
	}
	if len(all) == 0 {
		return nil
	}
	if err := k.commit(ctx, lake.Commit{Remove: paths(all)}); err != nil {
		return err
	}
	k.trash.add(paths(all), now.Add(k.RemoveAfter))
	for signal, files := range expired {
		k.Observe.Expired(signal, files)
	}
	return nil
}

// over reports whether rows of a partition have expired. Rows of the far future,
// from a sender whose clock is wrong, would never: they go by the age of their
// file.
func (k *Keeper) over(p parquetfile.Partition, f lake.File, now time.Time) bool {
	from := p.End()
	if p.Begin().After(now.Add(ahead)) {
		info, err := k.FS.Stat(k.local(f.Path))
		if err != nil {
			return false
		}
		from = info.ModTime()
	}
	return !from.Add(time.Duration(p.Days()) * 24 * time.Hour).After(now)
}
