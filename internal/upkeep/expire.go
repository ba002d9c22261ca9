package upkeep

import (
	"context"
	"path"
	"time"

	"github.com/spanlake/spanlake/internal/lake"
	"github.com/spanlake/spanlake/internal/parquetfile"
)

const (
	// ahead is how far the time of rows may be in the future before it is not
	// believed.
	ahead = 24 * time.Hour
	// residence is how long a file stays whatever its time.
	residence = 30 * time.Second
)

// expire removes files whose partition is over: the last time that its hour can
// hold is as long ago as its retention says.
func (k *Keeper) expire(ctx context.Context) error {
	now := k.Clock.Now()
	if !k.clock.believed(now, now.Sub(k.started)) {
		return nil
	}
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

// over reports whether all rows of a file have expired. Most files hold the rows
// of their partition's hour; one that holds later ones waits for those, unless
// they are of the far future: from a sender whose clock is wrong, they would
// never expire.
func (k *Keeper) over(p parquetfile.Partition, f lake.File, now time.Time) bool {
	kept := time.Duration(p.Days()) * 24 * time.Hour
	future := p.Begin().After(now.Add(ahead))
	last := time.Unix(0, f.MaxTime)
	if !future && (p.Expires().After(now) || !last.After(now.Add(ahead)) && last.Add(kept).After(now)) {
		return false
	}
	info, err := k.FS.Stat(k.local(f.Path))
	if err != nil {
		return !future // a file that is not there goes by its partition
	}
	age := now.Sub(info.ModTime())
	return age >= residence && (!future || age >= kept)
}

const (
	// jump is how far the clock may run ahead of the time that has passed before
	// it is doubted, and doubt how long it has to go on steadily then.
	jump  = time.Minute
	doubt = time.Hour
)

// steady tells a clock that goes from one that was set: one forward step, to a
// wrong time, would expire all there is.
type steady struct {
	wall   time.Time
	passed time.Duration
	until  time.Duration // of passed: doubted
}

// believed reports whether nothing speaks against the time of day, after so much
// time has passed since the start by a clock that nobody sets.
func (s *steady) believed(wall time.Time, passed time.Duration) bool {
	wall = wall.Round(0) // without the monotonic reading
	if !s.wall.IsZero() && wall.Sub(s.wall)-(passed-s.passed) > jump {
		s.until = passed + doubt
	}
	s.wall, s.passed = wall, passed
	return passed >= s.until
}
