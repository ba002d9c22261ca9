package duck

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestProgressIsShownUntilRowsCome(t *testing.T) {
	var shown []float64
	done := 0
	db, err := Open(Settings{Threads: 1, Progress: &Progress{
		After: time.Millisecond, Every: time.Millisecond,
		Show: func(percent float64) { shown = append(shown, percent) },
		Done: func() { done++ },
	}})
	require.NoError(t, err)
	defer db.Close()
	got := collect{onRow: func() error {
		require.Equal(t, 1, done, "the line is gone before the first row")
		return nil
	}}
	require.NoError(t, db.Query(t.Context(), "create table t as select range as n from range(3000000)", &collect{}))
	shown, done = nil, 0
	require.NoError(t, db.Query(t.Context(), "select count(distinct hash(n)) from t", &got))
	require.NotEmpty(t, shown)
	require.LessOrEqual(t, shown[len(shown)-1], 100.0)
	require.Equal(t, 1, done)
}

func TestAQuickQueryShowsNoProgress(t *testing.T) {
	never := func() { t.Error("shown") }
	db, err := Open(Settings{Progress: &Progress{After: time.Hour, Every: time.Hour, Show: func(float64) { never() }, Done: never}})
	require.NoError(t, err)
	defer db.Close()
	require.NoError(t, db.Query(t.Context(), "select 1", &collect{}))
}
