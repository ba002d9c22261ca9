package upkeep

import (
	"errors"
	"io/fs"
	"maps"
	"path"
	"time"

	"go.uber.org/zap"
)

// trash is when the files are to be unlinked that no version of the manifest has
// any more. After a crash they are found as orphans.
type trash map[string]time.Time

func (t trash) add(paths []string, due time.Time) {
	for _, p := range paths {
		t[p] = due
	}
}

// reclaim takes files out that were made again under the names of those that an
// interrupted merge left.
func (t trash) reclaim(paths []string) {
	for _, p := range paths {
		delete(t, p)
	}
}

// unlink unlinks files that are due at a time, and the directories that are
// empty then. What cannot be unlinked is tried again later.
func (k *Keeper) unlink(now time.Time) {
	dirs := map[string]struct{}{}
	var failed error
	maps.DeleteFunc(k.trash, func(name string, due time.Time) bool {
		if due.After(now) {
			return false
		}
		err := k.FS.Remove(k.local(name))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			failed = err
			return false
		}
		dirs[path.Dir(name)] = struct{}{}
		return true
	})
	if failed != nil {
		k.Log.Warn("a file that is no longer in the lake could not be removed, will try again", zap.Error(failed))
	}
	for dir := range dirs {
		k.prune(dir)
	}
}

// prune removes a directory of the lake and those above it as long as they are
// empty, but for that of the signal. A writer that is about to use one makes it
// again.
func (k *Keeper) prune(dir string) {
	for path.Dir(dir) != "." && k.FS.Remove(k.local(dir)) == nil {
		delete(k.seen, dir)
		dir = path.Dir(dir)
	}
}
