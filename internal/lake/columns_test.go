package lake

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/fsys"
	"github.com/spanlake/spanlake/internal/fsys/fsystest"
)

func TestColumnsAreListedForTheLifeOfTheLake(t *testing.T) {
	dir := t.TempDir()
	s, err := Open(dir, nil)
	require.NoError(t, err)
	got, err := ReadColumns(dir)
	require.NoError(t, err)
	require.Empty(t, got)
	require.NoError(t, s.DeclareColumns("traces", nil))
	require.NoFileExists(t, filepath.Join(dir, columnsName), "nothing to list")
	require.NoError(t, s.DeclareColumns("traces", []Column{{"tenant", "string"}}))
	require.NoError(t, s.DeclareColumns("logs", []Column{{"tenant", "int"}}))
	require.NoError(t, s.Close())

	s, err = Open(dir, nil)
	require.NoError(t, err)
	defer s.Close()
	require.NoError(t, s.DeclareColumns("traces", []Column{{"items", "int"}, {"tenant", "string"}}))
	got, err = ReadColumns(dir)
	require.NoError(t, err)
	require.Equal(t, map[string][]Column{
		"traces": {{"tenant", "string"}, {"items", "int"}}, "logs": {{"tenant", "int"}},
	}, got)

	for _, other := range []Column{{"tenant", "int"}, {"Tenant", "string"}} {
		err = s.DeclareColumns("traces", []Column{{"new", "bool"}, other})
		require.ErrorIs(t, err, ErrColumns)
		require.ErrorContains(t, err, filepath.Join(dir, columnsName))
		require.ErrorContains(t, err, "tenant of type string")
	}
	again, err := ReadColumns(dir)
	require.NoError(t, err)
	require.Equal(t, got, again, "a refused list changes nothing")
}

func TestTooManyColumns(t *testing.T) {
	s, err := Open("lake", fsystest.NewCrash())
	require.NoError(t, err)
	defer s.Close()
	for i := range MaxColumns {
		require.NoError(t, s.DeclareColumns("traces", []Column{{string(rune('a'+i%26)) + string(rune('0'+i/26)), "int"}}))
	}
	require.ErrorContains(t, s.DeclareColumns("traces", []Column{{"more", "int"}}), "at most 128")
}

// Cut at any moment, the next start finds the old list or the new, and nothing
// temporary.
func TestColumnsSurviveACrash(t *testing.T) {
	for op := fsystest.OpOpen; op <= fsystest.OpSyncDir; op++ {
		disk := fsystest.NewCrash()
		s, err := Open("lake", disk)
		require.NoError(t, err)
		require.NoError(t, s.DeclareColumns("traces", []Column{{"a", "int"}}))
		disk.Hook(func(o fsystest.Op, _ string) error {
			if o == op || o == fsystest.OpRemove {
				return fsystest.ErrDead
			}
			return nil
		})
		_ = s.DeclareColumns("traces", []Column{{"b", "int"}})
		disk = disk.Kill()
		s, err = Open("lake", disk)
		require.NoError(t, err)
		require.NoError(t, s.DeclareColumns("traces", []Column{{"a", "int"}}))
		require.ErrorIs(t, s.DeclareColumns("traces", []Column{{"a", "bool"}}), ErrColumns)
		_, err = disk.Stat(filepath.Join("lake", columnsName+fsys.TempSuffix))
		require.Error(t, err, op)
		require.NoError(t, s.Close())
	}
}

func TestDamagedListOfColumnsIsRefused(t *testing.T) {
	for data, want := range map[string]string{
		`{`: "damaged",
		`{"format":"spanlake-columns","version":2}`: "a newer release wrote it",
		`{}`: "was expected",
	} {
		_, err := decodeColumns([]byte(data))
		require.ErrorContains(t, err, want)
	}
}

func FuzzDecodeColumns(f *testing.F) {
	f.Add([]byte(`{"format":"spanlake-columns","version":1,"columns":{"traces":[{"name":"a","type":"int"}]}}`))
	f.Fuzz(func(_ *testing.T, data []byte) { _, _ = decodeColumns(data) })
}
