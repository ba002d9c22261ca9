package lake

import (
	"bytes"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"slices"

	"github.com/spanlake/spanlake/internal/fsys"
)

// Layout of version 1; MANIFEST.md explains it.
const (
	formatName    = "spanlake-lake"
	formatVersion = 1

	manifestName = "MANIFEST"
	fileSuffix   = ".parquet"

	sumSize        = 8  // hex digits
	minFileLine    = 80 // bytes, at least
	batchesPerLine = 1024
	appendFlags    = os.O_WRONLY | os.O_APPEND
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// header is the JSON of the first line.
type header struct {
	Format  string `json:"format"`
	Version int    `json:"version"`
}

// line is the JSON of every other line; one field is set.
type line struct {
	Snapshot *snapshotLine `json:"snapshot,omitempty"`
	Batches  []string      `json:"batches,omitempty"`
	File     *File         `json:"file,omitempty"`
	Commit   *commit       `json:"commit,omitempty"`
}

type snapshotLine struct {
	Version uint64            `json:"version"`
	Files   int               `json:"files"`
	Batches int               `json:"batches"`
	Logs    map[string]uint64 `json:"logs"`
}

type commit struct {
	Version uint64   `json:"version"`
	Log     string   `json:"log,omitempty"`
	Segment uint64   `json:"segment,omitempty"`
	Batches []string `json:"batches,omitempty"`
	Add     []File   `json:"add,omitempty"`
	Remove  []string `json:"remove,omitempty"`
}

func appendLine(dst []byte, v any) []byte {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err) // numbers, and strings that were checked
	}
	dst = fmt.Appendf(dst, "%08x ", crc32.Checksum(text, castagnoli))
	return append(append(dst, text...), '\n')
}

// encode returns the manifest of the state, without commits.
func (s *state) encode() []byte {
	ids := s.batches.list()
	data := appendLine(nil, header{Format: formatName, Version: formatVersion})
	data = appendLine(data, line{Snapshot: &snapshotLine{
		Version: s.version, Files: len(s.files), Batches: len(ids), Logs: s.logs,
	}})
	for chunk := range slices.Chunk(ids, batchesPerLine) {
		data = appendLine(data, line{Batches: chunk})
	}
	for i := range s.files {
		data = appendLine(data, line{File: &s.files[i]})
	}
	return data
}

// ReadSnapshot reads the present version of a lake, for those who only read. It
// takes no lock and may be called while the owner writes. Its error wraps
// fs.ErrNotExist where there is no lake.
func ReadSnapshot(dir string) (Snapshot, error) {
	f, err := os.Open(filepath.Join(dir, manifestName))
	if err != nil {
		return Snapshot{}, fmt.Errorf("read lake: %w", err)
	}
	defer f.Close()
	s, err := readManifest(f)
	if err != nil {
		return Snapshot{}, fmt.Errorf("read lake: %s: %w", f.Name(), err)
	}
	return s.snapshot(), nil
}

func readManifest(f fsys.File) (*state, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	var data bytes.Buffer
	data.Grow(int(info.Size()) + bytes.MinRead) // it may have grown since
	if _, err := data.ReadFrom(f); err != nil {
		return nil, err
	}
	return decode(data.Bytes())
}
