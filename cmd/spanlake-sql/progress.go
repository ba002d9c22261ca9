package main

import (
	"fmt"
	"io"
	"time"

	"github.com/spanlake/spanlake/cmd/spanlake-sql/internal/duck"
)

// progressLine is a line on a terminal for queries that take over a second,
// which goes away when rows come.
func progressLine(out io.Writer) *duck.Progress {
	return &duck.Progress{
		After: time.Second,
		Every: 250 * time.Millisecond,
		Show: func(percent float64) {
			if percent < 0 {
				fmt.Fprint(out, "\r\x1b[Kquery is running ...")
				return
			}
			fmt.Fprintf(out, "\r\x1b[Kquery is running: %.0f %%", percent)
		},
		Done: func() { fmt.Fprint(out, "\r\x1b[K") },
	}
}
