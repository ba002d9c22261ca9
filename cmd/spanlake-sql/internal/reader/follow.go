package reader

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strconv"
	"time"

	"github.com/spanlake/spanlake/cmd/spanlake-sql/internal/duck"
	"github.com/spanlake/spanlake/internal/lake"
)

// Follow is what Reader.Follow runs for files as they come.
type Follow struct {
	// SQL is run with views that show only the new files. It hands out no row
	// before it has read all of them, so that it can be run again without one.
	SQL  string
	Sink duck.Sink
	// Old asks for the rows, within the window, that are in the store already.
	Old bool
	// Ticks says when to look for new files.
	Ticks <-chan time.Time
	// Notice tells what is not an error.
	Notice func(text string)
}

// Follow runs a query over the rows of each segment that is committed, once for
// each, until ctx ends or something fails. Files that cannot be read are told of
// and left out. Files that merge others hold rows
// that were seen. The store need not be there yet.
func (r *Reader) Follow(ctx context.Context, f Follow) error {
	news := newNews(f.Old)
	for waiting := false; ; {
		switch err := r.follow(ctx, f, news); {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case errors.Is(err, fs.ErrNotExist):
			news.old = true // what a new store has is new
			if !waiting {
				waiting = true
				f.Notice("waiting for a store in " + r.dir)
			}
		case err != nil:
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-f.Ticks:
		}
	}
}

func (r *Reader) follow(ctx context.Context, f Follow, news *news) error {
	snapshot, err := r.manifest.next(r.dir)
	if err != nil {
		return err
	}
	files, missed := news.in(snapshot.Files)
	if missed > 0 {
		f.Notice(fmt.Sprintf("%d segments were merged before they were read here: their rows are not shown", missed))
	}
	if len(files) == 0 {
		return nil
	}
	if err := r.update(ctx, snapshot); err != nil {
		return err
	}
	return r.Tolerate(ctx, f.Notice, func() error {
		for _, v := range r.views {
			var own []lake.File
			for _, file := range r.files(files) {
				if file.Signal == v.signal {
					own = append(own, file)
				}
			}
			if err := v.show(ctx, r.db, r.index, r.window, own); err != nil {
				return fmt.Errorf("define the view %s: %w", v.name, err)
			}
		}
		return r.db.Query(ctx, f.SQL, f.Sink)
	})
}

// segmentName is that of a file of a segment: the log, the number of the
// segment, and that of the file in it. Files that merge others have another.
var segmentName = regexp.MustCompile(`^([0-9a-f]{16})-([0-9]{10,20})-[0-9]+\.parquet$`)

// news tells the files of segments that are new. It remembers the paths of one
// snapshot.
type news struct {
	old      bool // files of the first snapshot are new
	begun    bool
	seen     map[string]bool
	segments map[string]uint64 // the highest seen of each log
}

func newNews(old bool) *news {
	return &news{old: old, seen: map[string]bool{}, segments: map[string]uint64{}}
}

// in returns the files that are new, and how many segments there were between
// two looks that are gone again. In the first snapshot every file is new or
// none is.
func (n *news) in(files []lake.File) (fresh []lake.File, missed int) {
	numbers := map[string][]uint64{} // new segments by log
	seen := make(map[string]bool, len(files))
	for _, f := range files {
		seen[f.Path] = true
		if n.seen[f.Path] {
			continue
		}
		name := segmentName.FindStringSubmatch(path.Base(f.Path))
		if name != nil {
			if number, err := strconv.ParseUint(name[2], 10, 64); err == nil {
				numbers[name[1]] = append(numbers[name[1]], number)
			}
		}
		if !n.begun && n.old || n.begun && name != nil {
			fresh = append(fresh, f)
		}
	}
	for log, list := range numbers {
		slices.Sort(list)
		list = slices.Compact(list)
		before, known := n.segments[log]
		last := list[len(list)-1]
		if known && last > before {
			missed += int(last-before) - len(list)
		}
		n.segments[log] = max(before, last)
	}
	n.begun, n.seen = true, seen
	return fresh, max(missed, 0)
}
