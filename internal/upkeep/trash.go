package upkeep

import (
	"errors"
	"io/fs"
	"path"
	"slices"
	"time"

	"go.uber.org/zap"
)

// trash is files that no version of the manifest has any more, by when they are
// to be unlinked. After a crash they are found as orphans.
type trash struct {
	files []discarded
}

type discarded struct {
	path string
	due  time.Time
}

func (t *trash) add(paths []string, due time.Time) {
	for _, p := range paths {
		t.files = append(t.files, discarded{p, due})
	}
}

// unlink unlinks files that are due at a time, and the directories that are
// empty then. What cannot be unlinked is tried again later.
func (k *Keeper) unlink(now time.Time) {
	dirs := map[string]struct{}{}
	var failed error
	k.trash.files = slices.DeleteFunc(k.trash.files, func(d discarded) bool {
		if d.due.After(now) {
			return false
		}
		if k.Lake.Holds(d.path) {
			return true // a file of an interrupted merge, made again under its name
		}
		err := k.FS.Remove(k.local(d.path))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			failed = err
			return false
		}
		dirs[path.Dir(d.path)] = struct{}{}
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
