package main

import (
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestParse(t *testing.T) {
	o, err := parse(nil, io.Discard)
	require.NoError(t, err)
	require.Equal(t, 256, o.memoryMiB)
	for args, want := range map[string]string{
		"-duration 0s":    "-duration: 0s must be above 0",
		"-connections -1": "-connections: -1 must be above 0",
		"-factor 0":       "-factor: 0 must be above 0",
	} {
		t.Run(args, func(t *testing.T) {
			_, err := parse(strings.Fields(args), io.Discard)
			require.ErrorContains(t, err, want)
		})
	}
}

func balanced() *books {
	return &books{
		accepted: 100, received: 100,
		kept: map[string]int{"errors": 60}, droppedByClass: map[string]int{"errors": 0, "normal": 30},
		handedOn: 60, droppedByReason: map[string]int{"trimmed": 10},
		stored: 60,
	}
}

func TestBooks(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*books)
		want   string // empty: they balance
	}{
		"balanced":                {func(*books) {}, ""},
		"taken without an answer": {func(b *books) { b.accepted, b.unanswered = 95, 5 }, ""},
		"acknowledged, not received": {
			func(b *books) { b.accepted++ },
			"101 spans were acknowledged and 0 not answered, but 100 received",
		},
		"received, never sent": {
			func(b *books) { b.accepted, b.unanswered = 90, 5 },
			"90 spans were acknowledged and 5 not answered, but 100 received",
		},
		"lost in the sampler": {
			func(b *books) { b.droppedByReason["trimmed"]-- },
			"100 spans were received, but 99 handed on or dropped",
		},
		"lost after it":       {func(b *books) { b.stored-- }, "60 spans were handed on, but 59 are stored"},
		"stored twice":        {func(b *books) { b.stored++ }, "60 spans were handed on, but 61 are stored"},
		"counted in two ways": {func(b *books) { b.droppedByClass["errors"]++ }, "100 spans were received, but 101 handed on or dropped"},
	} {
		t.Run(name, func(t *testing.T) {
			b := balanced()
			tc.change(b)
			err := b.check()
			if tc.want == "" {
				require.NoError(t, err)
				return
			}
			require.EqualError(t, err, tc.want)
		})
	}
}

func TestRecovery(t *testing.T) {
	for name, tc := range map[string]struct {
		calm        []second
		first, last int
	}{
		"at once":       {[]second{{10, 0}, {10, 0}}, 1, 0},
		"after a while": {[]second{{0, 10}, {5, 5}, {10, 0}}, 3, 2},
		"not for good":  {[]second{{0, 10}, {10, 0}, {9, 1}}, 2, 3},
		"never":         {[]second{{0, 10}, {0, 0}}, 0, 1},
	} {
		t.Run(name, func(t *testing.T) {
			r := result{calm: tc.calm}
			first, last := r.recovery()
			require.Equal(t, tc.first, first)
			require.Equal(t, tc.last, last)
		})
	}
}

func TestCheckNamesWhatWentWrong(t *testing.T) {
	o := &options{limitMiB: 512, giants: 2}
	r := &result{peak: 512 * mib, giants: 2, calm: []second{{1, 0}}}
	require.NoError(t, r.check(o))
	r.peak++
	r.giants = 1
	r.calm = []second{{1, 1}}
	r.counts.wrong = map[string]int{"status 500": 3}
	err := r.check(o)
	for _, want := range []string{"peak RSS 512 MiB is above 512", "3 requests: status 500", "only 1 of 2 giant traces", "refuses still at the base rate"} {
		require.ErrorContains(t, err, want)
	}
}
