package columnarexporter

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"hash/crc32"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jonboulle/clockwork"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/spanlake/spanlake/internal/fsys"
	"github.com/spanlake/spanlake/internal/fsys/fsystest"
	"github.com/spanlake/spanlake/internal/parquetfile"
	v1 "github.com/spanlake/spanlake/internal/schema/v1"
)

// fill sends batches until one is refused, and returns those that were taken
// and the refusal.
func fill(t *testing.T, r *rig, from int) ([]any, error) {
	t.Helper()
	var taken []any
	for i := from; i < from+100; i++ {
		td := batch(byte(i), 10, "")
		td.ResourceSpans().At(0).Resource().Attributes().PutStr("filler", strings.Repeat("x", 10_000))
		if err := r.consumeTraces(t.Context(), td); err != nil {
			return taken, err
		}
		taken = append(taken, td)
	}
	t.Fatal("nothing was refused")
	return nil, nil
}

// readable lists the IDs in the files of the running store's lake, sorted.
func readable(t *testing.T, r *rig) []string {
	t.Helper()
	all := []string{}
	for _, f := range r.lake.Snapshot().Files {
		rows := v1.New(v1.ForSignal(f.Signal))
		data, err := fsystest.ReadFile(r.disk, path.Join("data/lake", f.Path))
		require.NoError(t, err)
		require.NoError(t, parquetfile.Read(bytes.NewReader(data), int64(len(data)), rows), f.Path)
		column := rows.Schema().Index(v1.ColSpanID)
		for row := range rows.Len() {
			id, _ := rows.IDValue(column, row)
			all = append(all, hex.EncodeToString(id))
		}
	}
	slices.Sort(all)
	return all
}

// resumes sends until the store takes it, without any help from outside, and
// waits until all is written.
func resumes(t *testing.T, r *rig, td ptrace.Traces) {
	t.Helper()
	require.Eventually(t, func() bool {
		r.clock.Advance(time.Second)
		return r.consumeTraces(t.Context(), td) == nil
	}, 10*time.Second, 5*time.Millisecond)
	require.Eventually(t, func() bool {
		r.clock.Advance(time.Minute)
		r.tick()
		return r.unwritten() == 0
	}, 10*time.Second, 5*time.Millisecond)
}

// The log and the lake are on one disk that is full, read-only or forbidden for
// a while: senders are told to try again, what was acknowledged is stored when
// the disk is well again, and what was in the lake stays readable.
func TestIllDisk(t *testing.T) {
	changes := []fsystest.Op{
		fsystest.OpWrite, fsystest.OpSync, fsystest.OpTruncate, fsystest.OpMkdir, fsystest.OpRename, fsystest.OpRemove,
	}
	refuseChanges := func(disk *fsystest.Crash, err error) {
		disk.Hook(func(op fsystest.Op, name string) error {
			if slices.Contains(changes, op) || op == fsystest.OpOpen && strings.HasSuffix(name, fsys.TempSuffix) {
				return &os.PathError{Op: op.String(), Path: name, Err: err}
			}
			return nil
		})
	}
	for name, tc := range map[string]struct {
		break_ func(*fsystest.Crash)
		want   error
	}{
		"full":             {func(d *fsystest.Crash) { d.SetFree(150_000) }, syscall.ENOSPC},
		"read-only":        {func(d *fsystest.Crash) { refuseChanges(d, syscall.EROFS) }, syscall.EROFS},
		"permission lost":  {func(d *fsystest.Crash) { refuseChanges(d, syscall.EACCES) }, syscall.EACCES},
		"input and output": {func(d *fsystest.Crash) { refuseChanges(d, syscall.EIO) }, syscall.EIO},
	} {
		t.Run(name, func(t *testing.T) {
			disk := fsystest.NewCrash()
			r := startRig(t, disk)
			before := batch(100, 10, "")
			resumes(t, r, before)
			tc.break_(disk)
			taken, err := fill(t, r, 0)
			require.ErrorIs(t, err, tc.want)
			require.False(t, consumererror.IsPermanent(err), "the sender has to try again")
			require.ErrorContains(t, err, "write-ahead log")
			require.Equal(t, ids(before), readable(t, r))
			for range 3 {
				r.clock.Advance(time.Minute)
				_, err = fill(t, r, 50)
				require.False(t, consumererror.IsPermanent(err))
			}

			disk.ClearFaults()
			after := batch(101, 10, "")
			resumes(t, r, after)
			require.Equal(t, ids(append(taken, before, after)...), readable(t, r))
			require.NoError(t, r.shutdown(t.Context()))
			require.Equal(t, ids(append(taken, before, after)...), storedIn(t, disk))
		})
	}
}

// A disk that is full or read-only when the Collector starts again: what is
// acknowledged is stored once it is well.
func TestStartOnAnIllDisk(t *testing.T) {
	disk := fsystest.NewCrash()
	r := startRig(t, disk)
	one := batch(1, 10, "")
	require.NoError(t, r.consumeTraces(t.Context(), one))
	disk = disk.Crash()
	r.end()
	for want, ill := range map[string]func(){
		"make room on the disk": func() { disk.SetFree(0) },
		"the user of the collector must be able to write there": func() {
			disk.Hook(func(fsystest.Op, string) error { return syscall.EROFS })
		},
	} {
		ill()
		r = newRig(t, disk)
		if err := r.start(noHost); err != nil {
			require.ErrorContains(t, err, "log::directory")
			require.ErrorContains(t, err, want)
		}
		r.end()
		disk.ClearFaults()
	}
	r = startRig(t, disk)
	r.written(t)
	require.NoError(t, r.shutdown(t.Context()))
	require.Equal(t, ids(one), storedIn(t, disk))
}

// realConfig is of directories on the real disk, with a store in them that has
// run.
func realConfig(t *testing.T) *Config {
	t.Helper()
	cfg := testConfig(t.TempDir())
	s := realStore(t, cfg)
	require.NoError(t, s.start(noHost))
	require.NoError(t, s.consumeTraces(t.Context(), batch(1, 3, "")))
	require.NoError(t, s.shutdown(t.Context()))
	return cfg
}

func realStore(t *testing.T, cfg *Config) *store {
	t.Helper()
	s, err := newStore(cfg, componenttest.NewNopTelemetrySettings(), fsys.OS, clockwork.NewRealClock())
	require.NoError(t, err)
	return s
}

// What keeps the store from starting is told with the key, the directory and
// what to do.
func TestStartTellsWhatIsWrong(t *testing.T) {
	replace := func(name string, change func([]byte) []byte) func(*testing.T, *Config) {
		return func(t *testing.T, cfg *Config) {
			t.Helper()
			name = filepath.Join(filepath.Dir(cfg.Log.Directory), name)
			data, err := os.ReadFile(name)
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(name, change(data), 0o600))
		}
	}
	line := func(text string) []byte {
		return fmt.Appendf(nil, "%08x %s\n", crc32.Checksum([]byte(text), crc32.MakeTable(crc32.Castagnoli)), text)
	}
	flip := func(data []byte) []byte {
		data[bytes.IndexByte(data, '\n')+20] ^= 1 // in the second line
		return data
	}
	for name, tc := range map[string]struct {
		change func(*testing.T, *Config)
		want   []string
	}{
		"lake of another version": {
			replace("lake/MANIFEST", func([]byte) []byte {
				return line(`{"format":"spanlake-lake","version":2}`)
			}),
			[]string{"parquet::directory: ", "/lake", "MANIFEST", "has format version 2, this program reads version 1: a newer release wrote it, start that one"},
		},
		"damaged manifest": {
			replace("lake/MANIFEST", flip),
			[]string{"parquet::directory: ", "/lake", "MANIFEST", "line 2 is cut short or damaged; put it back from a copy"},
		},
		"no manifest": {
			func(t *testing.T, cfg *Config) {
				t.Helper()
				require.NoError(t, os.Remove(filepath.Join(cfg.Parquet.Get().Directory, "MANIFEST")))
			},
			[]string{"parquet::directory: ", "/lake", "MANIFEST is missing: put it back"},
		},
		"log of another version": {
			replace("wal/WAL", func([]byte) []byte {
				return line(`{"format":"spanlake-wal","version":2}`)
			}),
			[]string{"log::directory: ", "/wal", "file WAL has format version 2, this program reads version 1"},
		},
		"lake is a file": {
			func(t *testing.T, cfg *Config) {
				t.Helper()
				dir := cfg.Parquet.Get().Directory
				require.NoError(t, os.RemoveAll(dir))
				require.NoError(t, os.WriteFile(dir, nil, 0o600))
			},
			[]string{"parquet::directory: ", "/lake", "not a directory; name a directory"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := realConfig(t)
			tc.change(t, cfg)
			s := realStore(t, cfg)
			err := s.start(noHost)
			for _, want := range tc.want {
				require.ErrorContains(t, err, want)
			}
			require.NoError(t, s.shutdown(t.Context()))
		})
	}
}

func TestSecondCollectorIsRefused(t *testing.T) {
	cfg := realConfig(t)
	first := realStore(t, cfg)
	require.NoError(t, first.start(noHost))
	err := realStore(t, cfg).start(noHost)
	require.ErrorIs(t, err, fsys.ErrInUse)
	require.ErrorContains(t, err, "log::directory: ")
	require.ErrorContains(t, err, cfg.Log.Directory)
	require.ErrorContains(t, err, "each exporter needs a directory of its own")
	require.NoError(t, first.shutdown(t.Context()))
}
