package reader

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/spanlake/spanlake/internal/lake"
)

// maxProbed is how many files are read one by one to find the one at fault.
const maxProbed = 100

// Tolerate calls ask, which asks this reader, and calls it again without the
// files that could not be read, of which it tells. It is for answers that are
// of use where a part is missing; a query has all rows or fails.
func (r *Reader) Tolerate(ctx context.Context, notice func(text string), ask func() error) error {
	r.without = map[string]bool{}
	defer func() { r.without = nil }()
	for {
		err := ask()
		if err == nil || ctx.Err() != nil {
			return err
		}
		bad := r.unreadable(ctx, err)
		if len(bad) == 0 {
			return err
		}
		for _, f := range bad {
			r.without[f.Path] = true
			notice(fmt.Sprintf("the rows of %s are left out: %v", f.Path, f.why))
		}
	}
}

type badFile struct {
	lake.File
	why error
}

// unreadable finds the files that err comes from among those that the views show.
func (r *Reader) unreadable(ctx context.Context, err error) []badFile {
	for _, kind := range []string{"parser error", "binder error", "catalog error"} {
		if strings.HasPrefix(err.Error(), kind) {
			return nil
		}
	}
	var shown []lake.File
	for _, v := range r.views {
		shown = append(shown, v.shown...)
	}
	var bad []badFile
	for _, f := range shown {
		path := r.index.path(f)
		_, missing := os.Lstat(path)
		switch {
		case errors.Is(missing, fs.ErrNotExist):
			bad = append(bad, badFile{f, errors.New("it is not there")})
		case strings.Contains(err.Error(), path):
			bad = append(bad, badFile{f, err})
		}
	}
	if len(bad) > 0 || len(shown) > maxProbed {
		return bad
	}
	// Not all errors of the engine name the file.
	for _, f := range shown {
		if err := r.db.Exec(ctx, "from "+source(r.index.path(f))); err != nil && ctx.Err() == nil {
			bad = append(bad, badFile{f, err})
		}
	}
	return bad
}

// files are those within the window, but for what is left out.
func (r *Reader) files(files []lake.File) []lake.File {
	var kept []lake.File
	for _, f := range r.window.Files(files) {
		if !r.without[f.Path] {
			kept = append(kept, f)
		}
	}
	return kept
}
