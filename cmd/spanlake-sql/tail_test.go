package main

import (
	"bytes"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/cmd/spanlake-sql/internal/reader"
)

// untilLines interrupts the process once so many lines were written.
type untilLines struct {
	bytes.Buffer
	lines int
	once  sync.Once
}

func (w *untilLines) Write(p []byte) (int, error) {
	n, err := w.Buffer.Write(p)
	if strings.Count(w.String(), "\n") >= w.lines {
		w.once.Do(func() { err = syscall.Kill(syscall.Getpid(), syscall.SIGINT) })
	}
	return n, err
}

func TestTail(t *testing.T) {
	dir := newShop(t)
	from := []string{"--data", dir, "--from", "2026-11-21"}
	for name, tc := range map[string]struct {
		args []string
		want string
	}{
		"both": {[]string{"--tail"}, `2026-11-21T09:00:00.000Z span  shop: GET /cart 1.5ms  5b8efff798038103d269b633813fc60c
2026-11-21T09:00:00.000Z span  shop: SELECT\n"cart" 900µs ERROR   5b8efff798038103d269b633813fc60c
2026-11-21T09:00:00.000Z ERROR : cart lost  5b8efff798038103d269b633813fc60c
`},
		"spans that match": {[]string{"--tail", "spans", "--where", "status_code = 2 -- failed"}, `2026-11-21T09:00:00.000Z span  shop: SELECT\n"cart" 900µs ERROR   5b8efff798038103d269b633813fc60c
`},
		"logs as JSON": {[]string{"--tail=logs", "--format", "json"}, `{"signal":"log","timestamp":"2026-11-21T09:00:00.000200000Z","severity_number":17,"severity_text":"","body":"cart lost","trace_id":"5b8efff798038103d269b633813fc60c"}
`},
	} {
		t.Run(name, func(t *testing.T) {
			out, stderr := &untilLines{lines: strings.Count(tc.want, "\n")}, &bytes.Buffer{}
			code := run(append(from, tc.args...), streams{in: strings.NewReader(""), out: out, err: stderr})
			require.Empty(t, stderr.String())
			require.Equal(t, exitOK, code)
			require.ElementsMatch(t, strings.Split(tc.want, "\n"), strings.Split(out.String(), "\n"))
		})
	}
}

func TestTailEndsWithTheErrorOfItsPredicate(t *testing.T) {
	got := runWith("", "--data", newShop(t), "--since", "36500d", "--tail", "--where", "duration_ns > 1")
	require.Equal(t, exitFailed, got.code)
	require.Contains(t, got.err, `column "duration_ns" not found`)
}

func TestTailEndsWhenItsOutputFails(t *testing.T) {
	r, err := reader.Open(reader.Options{Dir: newShop(t)})
	require.NoError(t, err)
	defer func() { require.NoError(t, r.Close()) }()
	o := options{tail: "spans", window: reader.Window{From: time.Unix(0, 0)}}
	require.ErrorContains(t, tail(r, o, nil, streams{out: fullDisk{}}), "no space left on device")
}
