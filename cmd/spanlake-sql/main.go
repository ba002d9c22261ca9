// Command spanlake-sql answers SQL over a Spanlake store, while the collector
// writes to it.
package main

import (
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/term"
)

func main() {
	// A reader that goes away (head, less) ends the program by a write error,
	// after its temporary files are removed, not by a signal.
	signal.Ignore(syscall.SIGPIPE)
	os.Exit(run(os.Args[1:], streams{
		in:       os.Stdin,
		out:      os.Stdout,
		err:      os.Stderr,
		progress: term.IsTerminal(int(os.Stderr.Fd())),
		drawn:    term.IsTerminal(int(os.Stdout.Fd())),
		style:    styleOf(os.Stdout, os.Getenv),
		terminal: term.IsTerminal(int(os.Stdin.Fd())) && term.IsTerminal(int(os.Stdout.Fd())),
	}))
}
