package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"

	"github.com/spanlake/spanlake/cmd/spanlake-sql/internal/format"
	"github.com/spanlake/spanlake/cmd/spanlake-sql/internal/reader"
)

const (
	firstPrompt = "spanlake> "
	nextPrompt  = "       -> "
)

// lineReader is the part of a terminal that the prompt needs.
type lineReader interface {
	SetPrompt(prompt string)
	ReadLine() (string, error)
}

// prompt answers queries and commands until the user leaves. An error in one of
// them is shown and the next is awaited.
func prompt(r *reader.Reader, o options, std streams) error {
	fmt.Fprintln(std.out, `Views: spans, logs; "\d spans" lists columns. A query ends with ";". \? for help, \q or Ctrl-D to leave.`)
	s := &session{reader: r, options: o, std: std}
	show := func(err error) {
		if err != nil {
			fmt.Fprintln(std.err, format.PrintableLines(err.Error()))
		}
	}
	lines := newTerminal(openHistory(historyPath(os.LookupEnv)))
	return readQueries(lines, func(sql string) { show(s.query(sql)) }, func(line string) { show(s.command(line)) })
}

// readQueries joins lines to queries and hands each on. A line that begins with
// a backslash, where a query may begin, is a command.
func readQueries(lines lineReader, answer, command func(string)) error {
	var sql strings.Builder
	for {
		lines.SetPrompt(firstPrompt)
		if sql.Len() > 0 {
			lines.SetPrompt(nextPrompt)
		}
		line, err := lines.ReadLine()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil && !errors.Is(err, term.ErrPasteIndicator) {
			return fmt.Errorf("read the terminal: %w", err)
		}
		text := strings.TrimSpace(line)
		if sql.Len() == 0 {
			switch text {
			case "":
				continue
			case `\q`, "quit", "exit", "quit;", "exit;":
				return nil
			}
			if text[0] == '\\' {
				command(text)
				continue
			}
		}
		sql.WriteString(line)
		sql.WriteByte('\n')
		if strings.HasSuffix(text, ";") {
			answer(sql.String())
			sql.Reset()
		}
	}
}

// terminal edits lines with the terminal in raw mode, which lasts only as long
// as a line is read: while a query runs, Ctrl-C is a signal again.
type terminal struct {
	*term.Terminal
	fd int
}

func newTerminal(h term.History) *terminal {
	type readWriter struct {
		io.Reader
		io.Writer
	}
	t := term.NewTerminal(readWriter{os.Stdin, os.Stdout}, firstPrompt)
	t.History = h
	return &terminal{Terminal: t, fd: int(os.Stdin.Fd())}
}

func (t *terminal) ReadLine() (string, error) {
	state, err := term.MakeRaw(t.fd)
	if err != nil {
		return "", err
	}
	line, err := t.readLine()
	return line, errors.Join(err, term.Restore(t.fd, state))
}

func (t *terminal) readLine() (string, error) {
	if width, height, err := term.GetSize(t.fd); err == nil && width > 0 {
		if err := t.SetSize(width, height); err != nil {
			return "", err
		}
	}
	return t.Terminal.ReadLine()
}
