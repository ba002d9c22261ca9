// Package upkeep keeps a lake fit to read: it merges small files, removes rows
// whose time is over, and unlinks files some time after the manifest gave them
// up, so that a reader can finish on the version it has read.
package upkeep

import (
	"context"
	"errors"
	"path"
	"path/filepath"
	"time"

	"github.com/jonboulle/clockwork"
	"go.uber.org/zap"

	"github.com/spanlake/spanlake/internal/fsys"
	"github.com/spanlake/spanlake/internal/lake"
	"github.com/spanlake/spanlake/internal/parquetfile"
)

const (
	// interval between two passes.
	interval = 5 * time.Second
	// retryAfter is the pause after a merge that failed.
	retryAfter = 30 * time.Second
	// settleEvery is the pause between attempts to learn what became of a commit.
	settleEvery = time.Second
	// mostWork bounds what a row group is taken to have cost.
	mostWork = time.Second
)

// Options of a Keeper.
type Options struct {
	Lake  *lake.Store
	FS    fsys.FS
	Dir   string // of the lake
	Clock clockwork.Clock
	Log   *zap.Logger
	// Compaction says what to merge.
	Compaction Compaction
	// RemoveAfter is how long a file outlives its removal from the manifest.
	RemoveAfter time.Duration
	// Orphans are files that no version of the manifest will have: they are
	// unlinked like removed ones.
	Orphans []string
	// Observe is told what was done.
	Observe Observer
}

// Compaction says what to merge.
type Compaction struct {
	Enabled bool
	// TargetBytes is the size of files to make. Those of half of it are left alone.
	TargetBytes int64
	// MemoryBytes bounds, about, what a merge holds.
	MemoryBytes int64
	// CPUShare is how much of one core merging takes, above 0 and up to 1.
	CPUShare float64
}

// Observer is told what a Keeper did. It is called by the goroutine of Pass.
type Observer interface {
	Merged(signal string, inputs, outputs []lake.File)
	MergeFailed()
	Expired(signal string, files []lake.File)
}

// Keeper looks after one lake. Pass is called by one goroutine at a time; all
// other methods are safe beside it.
type Keeper struct {
	Options

	writer *parquetfile.Writer
	trash  trash
	// unusable are files that cannot be merged, until the next start.
	unusable map[string]struct{}
	seen     map[string]partitionState // by directory
	resume   time.Time                 // merges may run again
	full     chan struct{}
	started  time.Time
	clock    steady
}

// New returns a keeper. It does nothing by itself.
func New(o Options) *Keeper {
	k := &Keeper{
		Options:  o,
		writer:   parquetfile.NewWriter(o.FS, o.Dir),
		trash:    trash{},
		unusable: map[string]struct{}{},
		seen:     map[string]partitionState{},
		full:     make(chan struct{}, 1),
		started:  o.Clock.Now(),
	}
	k.trash.add(o.Orphans, o.Clock.Now().Add(o.RemoveAfter))
	return k
}

// Run does passes until ctx ends.
func (k *Keeper) Run(ctx context.Context) {
	ticker := k.Clock.NewTicker(interval)
	defer ticker.Stop()
	for ctx.Err() == nil {
		if err := k.Pass(ctx); err != nil && ctx.Err() == nil {
			k.Log.Error("upkeep of the lake failed, will try again", zap.Error(err))
		}
		select {
		case <-ctx.Done():
		case <-ticker.Chan():
		case <-k.full:
			k.unlink(k.Clock.Now().Add(k.RemoveAfter))
		}
	}
}

// Relieve says that the disk is full: files that only wait for readers to finish
// are unlinked at once.
func (k *Keeper) Relieve() {
	select {
	case k.full <- struct{}{}:
	default:
	}
}

// Pass unlinks what is due, removes what has expired, and merges until nothing
// is left to merge. Merges of a partition that fail are tried again later, and
// keep no other from being merged.
func (k *Keeper) Pass(ctx context.Context) error {
	var failed []error
	for more := true; more && ctx.Err() == nil; {
		k.unlink(k.Clock.Now())
		if err := k.expire(ctx); err != nil {
			return errors.Join(append(failed, err)...)
		}
		if !k.Compaction.Enabled || k.Clock.Now().Before(k.resume) {
			break
		}
		var err error
		if more, err = k.mergeNext(ctx); err != nil {
			failed = append(failed, err)
		}
	}
	return errors.Join(failed...)
}

// mergeNext does the next merge, and reports false where none is due now.
func (k *Keeper) mergeNext(ctx context.Context) (more bool, err error) {
	defer func() {
		if err != nil && !more {
			k.resume = k.Clock.Now().Add(retryAfter)
		}
		if fsys.IsFull(err) {
			k.unlink(k.Clock.Now().Add(k.RemoveAfter))
		}
	}()
	// Files are named after the version they are planned at. One that a crash
	// leaves must not look newer than the manifest.
	snapshot, err := k.Lake.Settle()
	if err != nil {
		return false, err
	}
	job, ok := k.next(snapshot)
	if !ok {
		return false, nil
	}
	outputs, err := k.merge(ctx, job, snapshot.Version)
	switch {
	case err != nil:
		k.pause(path.Dir(job.files[0].Path))
		return !fsys.IsFull(err), err
	case outputs == nil:
		return true, nil
	}
	return true, k.replace(ctx, job.files, outputs)
}

// pause keeps a partition from being merged for a while.
func (k *Keeper) pause(dir string) {
	state := k.seen[dir]
	state.resume = k.Clock.Now().Add(retryAfter)
	k.seen[dir] = state
}

// merge makes the outputs of a job. A file that cannot be used is left out from
// then on, and is no error.
func (k *Keeper) merge(ctx context.Context, job job, version uint64) ([]lake.File, error) {
	outputs, err := k.writer.Merge(ctx, parquetfile.Merge{
		Signal: job.files[0].Signal, Inputs: job.files, Outputs: job.outputs, Version: version, Pace: k.pacer(),
	})
	if input, ok := errors.AsType[*parquetfile.InputError](err); ok {
		k.unusable[input.Path] = struct{}{}
		k.Log.Error("a file of the lake cannot be merged and stays as it is", zap.Error(err))
		err = nil
	} else if err == nil {
		return outputs, nil
	}
	if ctx.Err() == nil {
		k.Observe.MergeFailed()
	}
	return nil, err
}

// replace commits the outputs of a merge in the place of its inputs.
func (k *Keeper) replace(ctx context.Context, inputs, outputs []lake.File) error {
	k.trash.reclaim(paths(outputs))
	if err := k.commit(ctx, lake.Commit{Add: outputs, Remove: paths(inputs)}); err != nil {
		if !errors.Is(err, lake.ErrUnsettled) {
			k.trash.add(paths(outputs), k.Clock.Now())
		}
		return err
	}
	k.trash.add(paths(inputs), k.Clock.Now().Add(k.RemoveAfter))
	k.Observe.Merged(inputs[0].Signal, inputs, outputs)
	return nil
}

// commit repeats a commit until its fate is known: files of one that may or may
// not be in the manifest cannot be unlinked. Those that earlier ones gave up can,
// and may be the room that is missing. It returns lake.ErrUnsettled only where
// ctx ends before; the next start knows then.
func (k *Keeper) commit(ctx context.Context, c lake.Commit) error {
	for first := true; ; first = false {
		err := k.Lake.Commit(c)
		if !errors.Is(err, lake.ErrUnsettled) || ctx.Err() != nil {
			return err
		}
		if first {
			k.Log.Error("upkeep of the lake waits until the manifest can be written", zap.Error(err))
		}
		if fsys.IsFull(err) {
			k.unlink(k.Clock.Now().Add(k.RemoveAfter))
		}
		timer := k.Clock.NewTimer(settleEvery)
		select {
		case <-ctx.Done():
		case <-timer.Chan():
		case <-k.full:
			k.unlink(k.Clock.Now().Add(k.RemoveAfter))
		}
		timer.Stop()
	}
}

// pacer returns a pause for between row groups: work fills CPUShare of the time.
// Work that stood still, because the disk did, does not count in full.
func (k *Keeper) pacer() func(context.Context) error {
	last := k.Clock.Now()
	return func(ctx context.Context) error {
		worked := min(k.Clock.Since(last), mostWork)
		pause := time.Duration(float64(worked) * (1 - k.Compaction.CPUShare) / k.Compaction.CPUShare)
		if pause > 0 {
			timer := k.Clock.NewTimer(pause)
			defer timer.Stop()
			select {
			case <-ctx.Done():
			case <-timer.Chan():
			case <-k.full:
				k.unlink(k.Clock.Now().Add(k.RemoveAfter))
			}
		}
		last = k.Clock.Now()
		return ctx.Err()
	}
}

func (k *Keeper) local(name string) string {
	return filepath.Join(k.Dir, filepath.FromSlash(name))
}

func paths(files []lake.File) []string {
	list := make([]string, len(files))
	for i, f := range files {
		list[i] = f.Path
	}
	return list
}
