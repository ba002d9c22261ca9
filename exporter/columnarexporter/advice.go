package columnarexporter

import (
	"errors"
	"io/fs"
	"syscall"

	"github.com/spanlake/spanlake/internal/fsys"
)

// advice says what to do about a directory that cannot be opened, where the
// error itself does not.
func advice(err error) string {
	switch {
	case errors.Is(err, fsys.ErrInUse):
		return "; a collector that runs, or another exporter of this one, has it: each exporter needs a directory of its own"
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		return "; the user of the collector must be able to write there"
	case fsys.IsFull(err):
		return "; make room on the disk"
	case errors.Is(err, syscall.ENOTDIR):
		return "; name a directory, or a path where one can be made"
	}
	return ""
}
