package main

import (
	"bufio"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

const (
	// historyEnv names the file of the history; set and empty there is none.
	historyEnv = "SPANLAKE_SQL_HISTORY"
	// historyLines and historyLine, in bytes, bound it.
	historyLines = 1000
	historyLine  = 8 << 10
)

// history holds the lines typed at prompts, the newest last, and keeps them in a
// file that only the user reads. It serves one goroutine. That it cannot be kept
// is no reason to refuse a prompt: it is then the history of this one.
type history struct {
	path  string // "": not kept
	lines []string
}

// historyPath is where the user's state belongs by the XDG Base Directory
// Specification.
func historyPath(lookup func(string) (string, bool)) string {
	if path, set := lookup(historyEnv); set {
		return path
	}
	dir, _ := lookup("XDG_STATE_HOME")
	if !filepath.IsAbs(dir) {
		home, _ := lookup("HOME")
		if home == "" {
			return ""
		}
		dir = filepath.Join(home, ".local", "state")
	}
	return filepath.Join(dir, "spanlake", "sql_history")
}

func openHistory(path string) *history {
	h := &history{path: path}
	if path == "" {
		return h
	}
	text, err := os.ReadFile(path)
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) || os.MkdirAll(filepath.Dir(path), 0o700) != nil {
			h.path = ""
		}
		return h
	}
	for line := range strings.Lines(string(text)) {
		h.lines = append(h.lines, strings.TrimSuffix(line, "\n"))
	}
	if len(h.lines) > historyLines {
		h.lines = slices.Clone(h.lines[len(h.lines)-historyLines:])
		h.rewrite()
	}
	return h
}

// rewrite puts what is remembered in place of the file.
func (h *history) rewrite() {
	temp, err := os.CreateTemp(filepath.Dir(h.path), "sql_history-") // 0600
	if err != nil {
		return
	}
	out := bufio.NewWriter(temp)
	for _, line := range h.lines {
		_, _ = out.WriteString(line + "\n") // Flush tells
	}
	err = errors.Join(out.Flush(), temp.Close())
	if err == nil {
		err = os.Rename(temp.Name(), h.path)
	}
	if err != nil {
		_ = os.Remove(temp.Name())
	}
}

// Add appends to the file, so that prompts at the same time lose no lines of one
// another. A line that begins with a space, or repeats the one before, is not
// kept.
func (h *history) Add(line string) {
	if strings.TrimSpace(line) == "" || line[0] == ' ' || len(line) > historyLine || strings.ContainsAny(line, "\r\n") ||
		len(h.lines) > 0 && h.lines[len(h.lines)-1] == line {
		return
	}
	h.lines = append(h.lines, line)
	if len(h.lines) > historyLines {
		h.lines = slices.Delete(h.lines, 0, 1)
	}
	if h.path == "" {
		return
	}
	f, err := os.OpenFile(h.path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		h.path = ""
		return
	}
	_, err = f.WriteString(line + "\n")
	if errors.Join(err, f.Close()) != nil {
		h.path = ""
	}
}

// Len and At make it a history of a terminal, the newest first.
func (h *history) Len() int { return len(h.lines) }

func (h *history) At(i int) string { return h.lines[len(h.lines)-1-i] }
