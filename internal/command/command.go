// Package command has what the programs that measure have in common.
package command

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// Main runs a program on the arguments of the process, until it ends or is
// interrupted. It does not return where the program fails.
func Main(name string, run func(ctx context.Context, args []string, stdout, stderr io.Writer) error) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, name+":", err)
		os.Exit(1)
	}
}

// Positive reports those of the flags named, numbers or durations, that are not
// above 0.
func Positive(f *flag.FlagSet, names ...string) error {
	var errs []error
	for _, name := range names {
		above, value := false, f.Lookup(name).Value
		switch v := value.(flag.Getter).Get().(type) {
		case int:
			above = v > 0
		case float64:
			above = v > 0
		case time.Duration:
			above = v > 0
		}
		if !above {
			errs = append(errs, fmt.Errorf("-%s: %s must be above 0", name, value))
		}
	}
	return errors.Join(errs...)
}
