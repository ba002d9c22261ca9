package upkeep

import (
	"fmt"

	"github.com/spanlake/spanlake/internal/lake"
	"github.com/spanlake/spanlake/internal/parquetfile"
)

// Orphans are the data files of a lake that are not in its manifest, by what
// there is to do with them.
type Orphans struct {
	// Stale files were given up, or never came to count: unlink them, once readers
	// of an earlier version have finished.
	Stale []string
	// Rewritten files are of segments that the log still has, and that will be
	// written anew: unlink them before that.
	Rewritten []string
	// Foreign files are of another log, or of no writer of this lake: leave them.
	Foreign []string
}

// Judge says what to do with the orphans that a lake was opened with. log is the
// write-ahead log in use, and inLog whether a segment of it is still there. It
// fails where a file is newer than the manifest: what an older manifest does not
// know must not be taken for given up. For the same reason nothing is stale where
// the manifest lists files that are missing.
func Judge(l *lake.Store, log string, inLog func(segment uint64) bool) (Orphans, error) {
	var o Orphans
	version := l.Snapshot().Version
	for _, path := range l.Orphans() {
		newer := false
		if v, ok := parquetfile.CompactVersion(path); ok {
			newer = v > version
			o.Stale = append(o.Stale, path)
		} else if of, segment, ok := parquetfile.SegmentOf(path); !ok || of != log && !l.Committed(of, segment) {
			o.Foreign = append(o.Foreign, path)
		} else if l.Committed(of, segment) {
			o.Stale = append(o.Stale, path)
		} else {
			newer = !inLog(segment)
			o.Rewritten = append(o.Rewritten, path)
		}
		if newer {
			return Orphans{}, fmt.Errorf("%s is newer than the file MANIFEST, which does not have it: "+
				"put the newer MANIFEST back, or move the data file away", path)
		}
	}
	if len(l.Missing()) > 0 {
		o.Foreign, o.Stale = append(o.Foreign, o.Stale...), nil
	}
	return o, nil
}
