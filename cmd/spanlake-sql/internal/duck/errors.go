package duck

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	duckdb "github.com/duckdb/duckdb-go-bindings"
)

// ErrIO marks a statement that failed on a file: the caller may have to look
// whether the file is still there.
var ErrIO = errors.New("file error")

// ioError keeps the engine's words and answers to ErrIO.
type ioError struct{ error }

func (ioError) Is(target error) bool { return target == ErrIO }

// resultError is the error a result carries, nil when it carries none. An
// interrupt is told as the end of ctx, which is the only cause of one.
func resultError(ctx context.Context, result *duckdb.Result) error {
	message := duckdb.ResultError(result)
	if message == "" {
		return nil
	}
	switch duckdb.ResultErrorType(result) {
	case duckdb.ErrorTypeInterrupt:
		if ctx.Err() != nil {
			return cancelled(ctx)
		}
	case duckdb.ErrorTypeErrorIO:
		return ioError{lowerError(message)}
	}
	return lowerError(message)
}

// messageError is for the stages that give a message but no error type.
func messageError(ctx context.Context, message string) error {
	switch {
	case ctx.Err() != nil && strings.HasPrefix(message, "INTERRUPT"):
		return cancelled(ctx)
	case strings.HasPrefix(message, "IO Error"):
		return ioError{lowerError(message)}
	}
	return lowerError(message)
}

func cancelled(ctx context.Context) error {
	return fmt.Errorf("query cancelled: %w", context.Cause(ctx))
}

// lowerError puts the engine's "Binder Error: Referenced column …" into the
// case of our own messages. What follows the first line is the place in the
// query, which stays as it is.
func lowerError(message string) error {
	message = strings.TrimRightFunc(message, unicode.IsSpace)
	kind, rest, found := strings.Cut(message, ": ")
	if !found {
		return errors.New(lowerFirst(message))
	}
	return errors.New(strings.ToLower(kind) + ": " + lowerFirst(rest))
}

// lowerFirst lowers the first letter unless the second is a capital too: "No
// files" but "JSON value".
func lowerFirst(s string) string {
	first, size := utf8.DecodeRuneInString(s)
	if size == 0 {
		return s
	}
	if second, _ := utf8.DecodeRuneInString(s[size:]); unicode.IsUpper(second) {
		return s
	}
	return string(unicode.ToLower(first)) + s[size:]
}
