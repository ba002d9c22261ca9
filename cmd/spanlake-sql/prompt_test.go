package main

import (
	"errors"
	"io"
	"testing"

	"github.com/stretchr/testify/require"
)

// typed is a terminal on which lines are typed.
type typed struct {
	lines   []string
	end     error
	prompts []string
	prompt  string
}

func (l *typed) SetPrompt(prompt string) { l.prompt = prompt }

func (l *typed) ReadLine() (string, error) {
	l.prompts = append(l.prompts, l.prompt)
	if len(l.lines) == 0 {
		return "", l.end
	}
	line := l.lines[0]
	l.lines = l.lines[1:]
	return line, nil
}

func TestPrompt(t *testing.T) {
	for name, tc := range map[string]struct {
		lines, want, prompts []string
	}{
		"one line":       {[]string{"select 1;"}, []string{"select 1;\n"}, []string{firstPrompt, firstPrompt}},
		"several lines":  {[]string{"", "select", "", "  1 ;  "}, []string{"select\n\n  1 ;  \n"}, []string{firstPrompt, firstPrompt, nextPrompt, nextPrompt, firstPrompt}},
		"two queries":    {[]string{"a;", "b;"}, []string{"a;\n", "b;\n"}, []string{firstPrompt, firstPrompt, firstPrompt}},
		"leave":          {[]string{`\q`, "select 1;"}, nil, []string{firstPrompt}},
		"leave in words": {[]string{"exit;", "select 1;"}, nil, []string{firstPrompt}},
		"a command":      {[]string{` \d spans `, "a", `\d;`}, []string{`command \d spans`, "a\n\\d;\n"}, []string{firstPrompt, firstPrompt, nextPrompt, firstPrompt}},
		"half a query":   {[]string{"select"}, nil, []string{firstPrompt, nextPrompt}},
		"quit in a query": {
			[]string{"select 1 as", "quit", ";"},
			[]string{"select 1 as\nquit\n;\n"},
			[]string{firstPrompt, nextPrompt, nextPrompt, firstPrompt},
		},
	} {
		t.Run(name, func(t *testing.T) {
			lines := &typed{lines: tc.lines, end: io.EOF}
			var got []string
			require.NoError(t, readQueries(lines, func(sql string) { got = append(got, sql) }, func(line string) { got = append(got, "command "+line) }))
			require.Equal(t, tc.want, got)
			require.Equal(t, tc.prompts, lines.prompts)
		})
	}
}

func TestATerminalThatFailsEndsThePrompt(t *testing.T) {
	gone := errors.New("gone")
	require.ErrorIs(t, readQueries(&typed{end: gone}, func(string) {}, func(string) {}), gone)
}
