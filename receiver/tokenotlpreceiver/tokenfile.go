package tokenotlpreceiver

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

const (
	maxTokenFileSize = 1 << 20
	maxFileTokens    = 10_000

	// maxFaults is how many faults of a file are told: there may be one a line
	// where it is not a file of tokens at all.
	maxFaults = 20
)

// fileToken is a token in a file.
type fileToken struct {
	hash hash
	line int // from 1
}

// readTokenFile returns what is in the file at path. The errors do not name it.
func readTokenFile(path string) ([]byte, error) {
	data, err := readRegular(path)
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		err = e.Err // it has the path, which the caller names with its key
	}
	return data, err
}

func readRegular(path string) ([]byte, error) {
	// To open a pipe would wait for someone to write.
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("is not a regular file")
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxTokenFileSize+1))
	if err != nil {
		return nil, err
	}
	if len(data) > maxTokenFileSize {
		return nil, fmt.Errorf("is larger than %d bytes", maxTokenFileSize)
	}
	return data, nil
}

// parseTokens reads one token a line. Blank lines, and those that begin with #,
// are passed over, and blanks at the end of a line. A fault is told with its line
// and its rule, and without the token; exposed is an endpoint that others than
// this machine may reach, empty where there is none.
func parseTokens(data []byte, exposed string) ([]fileToken, error) {
	var (
		tokens []fileToken
		errs   []error
		lines  = make(map[hash]int)
		number = 0
	)
	for line := range bytes.Lines(data) {
		number++
		line = bytes.TrimRight(line, " \t\r\n")
		if len(line) == 0 || line[0] == '#' {
			continue
		}
		if len(tokens) == maxFileTokens {
			return nil, fmt.Errorf("line %d: is one token too many: a file may hold %d", number, maxFileTokens)
		}
		key := fmt.Sprintf("line %d", number)
		h := hash(sha256.Sum256(line))
		err := errors.Join(checkToken(key, string(line)), checkExposure(key, string(line), exposed))
		if first, taken := lines[h]; err == nil && taken {
			err = fmt.Errorf("%s: is the same token as line %d: a token must be listed once", key, first)
		}
		if err != nil {
			if errs = append(errs, err); len(errs) == maxFaults {
				break
			}
			continue
		}
		lines[h] = number
		tokens = append(tokens, fileToken{hash: h, line: number})
	}
	if len(errs) == 0 && len(tokens) == 0 {
		return nil, errors.New("holds no token: at least one is needed")
	}
	return tokens, errors.Join(errs...)
}
