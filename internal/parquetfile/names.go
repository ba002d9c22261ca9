package parquetfile

import (
	"fmt"
	"path"
	"regexp"
	"strconv"
	"strings"
	"time"

	v1 "github.com/spanlake/spanlake/internal/schema/v1"
)

// Partition is where rows of one signal, retention and hour lie.
type Partition struct {
	Signal    string
	Retention string
	Hour      int64 // since 1970 UTC
}

// Directory is the partition's, relative to the lake, with slashes.
func (p Partition) Directory() string {
	t := p.Begin()
	return fmt.Sprintf("%s/retention=%s/date=%s/hour=%02d", p.Signal, p.Retention, t.Format(time.DateOnly), t.Hour())
}

// Begin is the start of the hour.
func (p Partition) Begin() time.Time { return time.Unix(p.Hour*int64(time.Hour/time.Second), 0).UTC() }

// End is the end of the hour.
func (p Partition) End() time.Time { return p.Begin().Add(time.Hour) }

// Days is the retention.
func (p Partition) Days() int {
	days, _ := strconv.Atoi(strings.TrimSuffix(p.Retention, "d"))
	return days
}

// Expires is when rows of any time in the hour have expired.
func (p Partition) Expires() time.Time { return p.End().Add(time.Duration(p.Days()) * 24 * time.Hour) }

// PartitionOf is the partition of a file by its path, if it lies in one.
func PartitionOf(file string) (Partition, bool) {
	dir := path.Dir(file)
	parts := strings.Split(dir, "/")
	if len(parts) != 4 {
		return Partition{}, false
	}
	retention, _ := strings.CutPrefix(parts[1], "retention=")
	begin, err := time.Parse("date=2006-01-02/hour=15", parts[2]+"/"+parts[3])
	p := Partition{Signal: parts[0], Retention: retention, Hour: begin.Unix() / int64(time.Hour/time.Second)}
	if err != nil || !v1.ValidRetention(retention) || p.Directory() != dir {
		return Partition{}, false
	}
	return p, true
}

// SegmentName is the name of the nth file of a segment of a log.
func SegmentName(log string, segment uint64, n int) string {
	return fmt.Sprintf("%s-%010d-%d.parquet", log, segment, n)
}

// CompactName is the name of the nth file that a compaction makes, which was
// planned at a version of the manifest.
func CompactName(version uint64, n int) string {
	return fmt.Sprintf("compact-%010d-%d.parquet", version, n)
}

var (
	segmentName = regexp.MustCompile(`^([0-9a-f]{16})-([0-9]{10,20})-[0-9]+\.parquet$`)
	compactName = regexp.MustCompile(`^compact-([0-9]{10,20})-[0-9]+\.parquet$`)
)

// SegmentOf is the log and the segment of a file by its name.
func SegmentOf(file string) (log string, segment uint64, ok bool) {
	m := segmentName.FindStringSubmatch(path.Base(file))
	if m == nil {
		return "", 0, false
	}
	segment, err := strconv.ParseUint(m[2], 10, 64)
	return m[1], segment, err == nil
}

// CompactVersion is the version that a file of a compaction was planned at, by
// its name.
func CompactVersion(file string) (version uint64, ok bool) {
	m := compactName.FindStringSubmatch(path.Base(file))
	if m == nil {
		return 0, false
	}
	version, err := strconv.ParseUint(m[1], 10, 64)
	return version, err == nil
}
