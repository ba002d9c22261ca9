package tokenotlpreceiver

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTokenFileHoldsOneTokenALine(t *testing.T) {
	for name, test := range map[string]struct {
		content string
		want    map[string]int // line by token
	}{
		"one":                      {"first-token\n", map[string]int{"first-token": 1}},
		"no last line break":       {"first-token\nsecond-token", map[string]int{"first-token": 1, "second-token": 2}},
		"carriage returns":         {"first-token\r\nsecond-token\r\n", map[string]int{"first-token": 1, "second-token": 2}},
		"blank lines and comments": {"\n# of the shop\n  \t\nfirst-token\n\n#first-token\nsecond-token\n\n", map[string]int{"first-token": 4, "second-token": 7}},
		"blanks at the end":        {"first-token \t \nsecond-token\t", map[string]int{"first-token": 1, "second-token": 2}},
		"the longest":              {strings.Repeat("x", maxTokenLength), map[string]int{strings.Repeat("x", maxTokenLength): 1}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := parseTokens([]byte(test.content), "")
			require.NoError(t, err)
			lines := make(map[hash]int)
			for _, token := range got {
				lines[token.hash] = token.line
			}
			want := make(map[hash]int)
			for token, line := range test.want {
				want[sha256.Sum256([]byte(token))] = line
			}
			require.Equal(t, want, lines)
		})
	}
	most := strings.Repeat("# not counted\n", 10)
	for i := range maxFileTokens {
		most += fmt.Sprintf("token-%08d\n", i)
	}
	got, err := parseTokens([]byte(most), "")
	require.NoError(t, err)
	require.Len(t, got, maxFileTokens)
	_, err = parseTokens([]byte(most+"one-token-too-many"), "")
	require.EqualError(t, err, "line 10011: is one token too many: a file may hold 10000")
}

func TestFaultsOfATokenFileNameLineAndRule(t *testing.T) {
	for name, test := range map[string]struct {
		content, exposed, want string
	}{
		"empty":           {"", "", "holds no token: at least one is needed"},
		"comments alone":  {"# none yet\n\n", "", "holds no token: at least one is needed"},
		"short":           {"first-token\n\nshort", "", "line 3: has 5 characters: a token must have at least 8"},
		"long":            {strings.Repeat("x", 1025), "", "line 1: has 1025 characters: a token must have at most 1024"},
		"blank within":    {"first token", "", "line 1: has a blank, a line break or a character beyond ASCII at position 5: no client could send it"},
		"blank in front":  {" first-token", "", "line 1: has a blank, a line break or a character beyond ASCII at position 0: no client could send it"},
		"beyond ASCII":    {"first-tökên", "", "line 1: has a blank, a line break or a character beyond ASCII at position 7: no client could send it"},
		"NUL":             {"first-token\x00", "", "line 1: has a blank, a line break or a character beyond ASCII at position 11: no client could send it"},
		"byte order mark": {"\ufefffirst-token", "", "line 1: has a blank, a line break or a character beyond ASCII at position 0: no client could send it"},
		"twice":           {"first-token\nother-token\nfirst-token\n", "", "line 3: is the same token as line 1: a token must be listed once"},
		"development":     {"local-dev-token", `protocols.http.endpoint is ":4318"`, `line 1: is the development token, which everyone knows, and protocols.http.endpoint is ":4318": it may be used on loopback endpoints only`},
		"several":         {"short\nfirst-token\nfirst-token", "", "line 1: has 5 characters: a token must have at least 8\nline 3: is the same token as line 2: a token must be listed once"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := parseTokens([]byte(test.content), test.exposed)
			require.EqualError(t, err, test.want)
		})
	}
	_, err := parseTokens([]byte(strings.Repeat("short\n", 1000)), "")
	require.Equal(t, maxFaults, strings.Count(err.Error(), "\n")+1, "not a book of them")
	_, err = parseTokens([]byte("local-dev-token"), "")
	require.NoError(t, err)
}

func TestTokenFileThatCannotBeRead(t *testing.T) {
	dir := t.TempDir()
	large := filepath.Join(dir, "large")
	require.NoError(t, os.WriteFile(large, make([]byte, maxTokenFileSize+1), 0o600))
	pipe := filepath.Join(dir, "pipe")
	require.NoError(t, syscall.Mkfifo(pipe, 0o600))
	for path, want := range map[string]string{
		filepath.Join(dir, "missing"): "no such file or directory",
		dir:                           "is not a regular file",
		pipe:                          "is not a regular file",
		large:                         "is larger than 1048576 bytes",
	} {
		_, err := readTokenFile(path)
		require.EqualError(t, err, want)
	}
	require.NoError(t, os.WriteFile(large, make([]byte, maxTokenFileSize), 0o600))
	data, err := readTokenFile(large)
	require.NoError(t, err)
	require.Len(t, data, maxTokenFileSize)
}

// Whatever a file holds, what is told of it does not hold a line of it.
func FuzzTokenFile(f *testing.F) {
	for _, seed := range []string{"", "first-token\n# x\r\n\nsecond-token", "short\nwith blank in it\n\xff\xfe\nfirst-token\nfirst-token"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		tokens, err := parseTokens(data, "an endpoint")
		lines := strings.Split(string(data), "\n")
		if err != nil {
			told := err.Error()
			for _, line := range lines {
				// Short ones may be words of the message by chance.
				if line = strings.TrimSpace(line); len(line) >= 16 && !strings.Contains(rulesForFuzz, line) {
					require.NotContains(t, told, line)
				}
			}
			return
		}
		require.NotEmpty(t, tokens)
		seen := make(map[hash]bool)
		for _, token := range tokens {
			line := strings.TrimRight(lines[token.line-1], " \t\r")
			require.Equal(t, hash(sha256.Sum256([]byte(line))), token.hash)
			require.NoError(t, checkToken("line", line))
			require.False(t, seen[token.hash])
			seen[token.hash] = true
		}
	})
}

// rulesForFuzz is what messages are made of.
const rulesForFuzz = "holds no token: at least one is needed: has a blank, a line break or a character beyond ASCII at position : no client could send it: is the development token, which everyone knows, and an endpoint: it may be used on loopback endpoints only: is the same token as line : a token must be listed once: has characters: a token must have at least 8: a token must have at most 1024"
