package fsystest

import (
	"errors"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/fsys"
)

var errBroken = errors.New("broken")

func disk(t *testing.T) *Crash {
	t.Helper()
	c := NewCrash()
	require.NoError(t, c.MkdirAll("/d"))
	return c
}

func TestCrashForgetsBytesSinceTheLastSync(t *testing.T) {
	c := disk(t)
	f := write(t, c, "/d/f", "synced", os.O_RDWR|os.O_CREATE)
	require.NoError(t, f.Sync())
	require.NoError(t, c.SyncDir("/d"))
	_, err := f.Write([]byte(" not"))
	require.NoError(t, err)
	require.Equal(t, "synced not", read(t, c, "/d/f"))
	require.Equal(t, "synced", read(t, c.Crash(), "/d/f"))
}

func TestCrashForgetsATruncationSinceTheLastSync(t *testing.T) {
	c := disk(t)
	f := write(t, c, "/d/f", "0123456789", os.O_RDWR|os.O_CREATE|os.O_APPEND)
	require.NoError(t, f.Sync())
	require.NoError(t, c.SyncDir("/d"))
	require.NoError(t, f.Truncate(4))
	after := c.Kill()
	require.Equal(t, "0123", read(t, after, "/d/f"))
	require.Equal(t, "0123456789", read(t, after.Crash(), "/d/f"))

	c = disk(t)
	f = write(t, c, "/d/f", "0123456789", os.O_RDWR|os.O_CREATE|os.O_APPEND)
	require.NoError(t, f.Sync())
	require.NoError(t, c.SyncDir("/d"))
	require.NoError(t, f.Truncate(4))
	_, err := f.Write([]byte("ab"))
	require.NoError(t, err)
	require.NoError(t, f.Sync())
	require.Equal(t, "0123ab", read(t, c.Crash(), "/d/f"))
}

func TestCrashForgetsEntriesSinceTheLastSyncDir(t *testing.T) {
	c := disk(t)
	for _, name := range []string{"/d/removed", "/d/old"} {
		require.NoError(t, fsys.WriteFile(c, name, []byte(name)))
	}
	f := write(t, c, "/d/created", "x", os.O_WRONLY|os.O_CREATE)
	require.NoError(t, f.Sync())
	require.NoError(t, c.Remove("/d/removed"))
	require.NoError(t, c.Rename("/d/old", "/d/new"))
	require.Equal(t, []string{"created", "new"}, names(t, c, "/d"))

	killed := c.Kill()
	require.Equal(t, []string{"created", "new"}, names(t, killed, "/d"), "the kernel lives")
	after := killed.Crash()
	require.Equal(t, []string{"old", "removed"}, names(t, after, "/d"))
	require.Equal(t, "/d/removed", read(t, after, "/d/removed"))
}

func TestCrashKeepsEntriesAfterSyncDir(t *testing.T) {
	c := disk(t)
	require.NoError(t, fsys.WriteFile(c, "/d/old", []byte("old")))
	require.NoError(t, c.Rename("/d/old", "/d/new"))
	_ = write(t, c, "/d/empty", "not synced", os.O_WRONLY|os.O_CREATE)
	require.NoError(t, c.SyncDir("/d"))
	after := c.Crash()
	require.Equal(t, []string{"empty", "new"}, names(t, after, "/d"))
	require.Empty(t, read(t, after, "/d/empty"), "an entry is durable without the bytes of its file")
}

func TestMkdirAllIsDurable(t *testing.T) {
	c := NewCrash()
	require.NoError(t, c.MkdirAll("/a/b/c"))
	after := c.Crash()
	info, err := after.Stat("/a/b/c")
	require.NoError(t, err)
	require.True(t, info.IsDir())

	after.Fail(OpSyncDir, 1, errBroken)
	require.ErrorIs(t, after.MkdirAll("/e"), errBroken)
	require.NoError(t, after.MkdirAll("/e"), "exists, but is not durable yet")
	require.Equal(t, []string{"a", "e"}, names(t, after.Crash(), "/"))
}

func TestNothingReachesTheNextLife(t *testing.T) {
	for name, end := range map[string]func(*Crash) *Crash{
		"crash": (*Crash).Crash,
		"kill":  (*Crash).Kill,
		"torn":  func(c *Crash) *Crash { return c.CrashTorn(3) },
	} {
		t.Run(name, func(t *testing.T) {
			c := disk(t)
			require.NoError(t, fsys.WriteFile(c, "/d/f", []byte("x")))
			f, err := c.OpenFile("/d/f", os.O_RDWR, 0)
			require.NoError(t, err)
			lock, err := c.Lock("/d")
			require.NoError(t, err)
			after := end(c)
			_, err = f.Write([]byte("y"))
			require.ErrorIs(t, err, ErrDead)
			require.ErrorIs(t, f.Sync(), ErrDead)
			require.ErrorIs(t, f.Truncate(0), ErrDead)
			require.ErrorIs(t, c.Remove("/d/f"), ErrDead)
			require.ErrorIs(t, c.Rename("/d/f", "/d/g"), ErrDead)
			require.ErrorIs(t, c.SyncDir("/d"), ErrDead)
			require.ErrorIs(t, c.MkdirAll("/e"), ErrDead)
			_, err = c.OpenFile("/d/f", os.O_RDONLY, 0)
			require.ErrorIs(t, err, ErrDead)
			lock2, err := after.Lock("/d")
			require.NoError(t, err, "locks end with their process")
			require.NoError(t, lock.Close())
			_, err = after.Lock("/d")
			require.ErrorIs(t, err, fsys.ErrInUse, "the dead owner does not give back the lock of the next")
			require.NoError(t, lock2.Close())
			require.NoError(t, f.Close())
			require.Equal(t, "x", read(t, after, "/d/f"))
		})
	}
}

func TestFailedSyncLosesItsBytesForGood(t *testing.T) {
	c := disk(t)
	f := write(t, c, "/d/f", "one,", os.O_RDWR|os.O_CREATE)
	require.NoError(t, f.Sync())
	require.NoError(t, c.SyncDir("/d"))
	_, err := f.Write([]byte("two,"))
	require.NoError(t, err)
	c.Fail(OpSync, 1, errBroken)
	require.ErrorIs(t, f.Sync(), errBroken)
	_, err = f.Write([]byte("three"))
	require.NoError(t, err)
	require.NoError(t, f.Sync(), "the kernel has forgotten about the failure")
	require.Equal(t, "one,two,three", read(t, c, "/d/f"))
	require.Equal(t, "one,\x00\x00\x00\x00three", read(t, c.Crash(), "/d/f"))
}

func TestFailHitsTheNthOnce(t *testing.T) {
	c := disk(t)
	f := write(t, c, "/d/f", "", os.O_RDWR|os.O_CREATE)
	c.Fail(OpWrite, 2, errBroken)
	for i, want := range []error{nil, errBroken, nil} {
		n, err := f.Write([]byte("1234"))
		require.ErrorIs(t, err, want)
		require.Equal(t, []int{4, 2, 4}[i], n, "half of a failed write is done")
	}
	require.Equal(t, "1234121234", read(t, c, "/d/f"))
	c.Fail(OpWrite, 1, errBroken)
	c.ClearFaults()
	_, err := f.Write(nil)
	require.NoError(t, err)
}

func TestDiskFull(t *testing.T) {
	c := disk(t)
	f := write(t, c, "/d/f", "12345678", os.O_RDWR|os.O_CREATE|os.O_APPEND)
	c.SetFree(6)
	_, err := f.Write([]byte("abcd"))
	require.NoError(t, err)
	n, err := f.Write([]byte("efgh"))
	require.ErrorIs(t, err, syscall.ENOSPC)
	require.Equal(t, 2, n)
	require.NoError(t, f.Truncate(4))
	n, err = f.Write([]byte("0123456789abc"))
	require.ErrorIs(t, err, syscall.ENOSPC)
	require.Equal(t, 10, n, "a truncation gives space back")
	require.NoError(t, fsys.WriteFile(c, "/d/empty", nil), "entries take no space")
	require.NoError(t, c.Remove("/d/f"))
	require.NoError(t, fsys.WriteFile(c, "/d/g", make([]byte, 14)))
	require.ErrorIs(t, fsys.WriteFile(c.Crash(), "/d/h", []byte("1")), syscall.ENOSPC, "full after a restart too")
	c = c.Kill()
	c.SetFree(-1)
}

func TestHookMayWaitAndRefuse(t *testing.T) {
	c := disk(t)
	f := write(t, c, "/d/f", "x", os.O_RDWR|os.O_CREATE)
	var after *Crash
	c.Hook(func(op Op, name string) error {
		switch {
		case op == OpSync && name == "/d/f":
			after = c.Kill()
		case op == OpRename:
			return errBroken
		}
		return nil
	})
	require.ErrorIs(t, c.Rename("/d/f", "/d/g"), errBroken)
	require.ErrorIs(t, f.Sync(), ErrDead)
	require.Equal(t, "x", read(t, after, "/d/f"))
}

// With enough seeds every outcome a real disk may leave has to come up, what
// was synced has to be in all of them, and a seed has to give one outcome.
func TestCrashTornLeavesEveryKindOfRest(t *testing.T) {
	const synced = "synced"
	tail := strings.Repeat("t", 3*sector)
	build := func() *Crash {
		c := disk(t)
		f := write(t, c, "/d/f", synced, os.O_RDWR|os.O_CREATE)
		require.NoError(t, f.Sync())
		require.NoError(t, c.SyncDir("/d"))
		_, err := f.Write([]byte(tail))
		require.NoError(t, err)
		require.NoError(t, write(t, c, "/d/a", "", os.O_WRONLY|os.O_CREATE).Close())
		require.NoError(t, c.Rename("/d/a", "/d/b"))
		return c
	}
	seen := map[string]bool{}
	for seed := range uint64(200) {
		c := build().CrashTorn(seed)
		require.Equal(t, names(t, c, "/d"), names(t, build().CrashTorn(seed), "/d"))
		got := read(t, c, "/d/f")
		require.Equal(t, got, read(t, build().CrashTorn(seed), "/d/f"))
		require.True(t, strings.HasPrefix(got, synced))
		rest := got[len(synced):]
		zeros, kept := strings.Contains(rest, "\x00"), strings.Contains(rest, "t")
		switch {
		case rest == "":
			seen["nothing"] = true
		case rest == tail:
			seen["everything"] = true
		case zeros && !kept:
			seen["zeros"] = true
		case zeros && strings.HasSuffix(rest, "t"):
			seen["hole"] = true
		case !zeros:
			seen["prefix"] = true
		}
		seen[strings.Join(names(t, c, "/d"), " ")] = true
	}
	for _, kind := range []string{"nothing", "everything", "zeros", "hole", "prefix", "f", "a f", "b f"} {
		require.True(t, seen[kind], "%s never came up: %v", kind, seen)
	}
}

func TestCrashTornMayForgetATruncation(t *testing.T) {
	seen := map[string]bool{}
	for seed := range uint64(100) {
		c := disk(t)
		f := write(t, c, "/d/f", "0123456789", os.O_RDWR|os.O_CREATE|os.O_APPEND)
		require.NoError(t, f.Sync())
		require.NoError(t, c.SyncDir("/d"))
		require.NoError(t, f.Truncate(4))
		seen[read(t, c.CrashTorn(seed), "/d/f")] = true
	}
	require.True(t, seen["0123456789"] && seen["0123"], "%v", seen)
}
