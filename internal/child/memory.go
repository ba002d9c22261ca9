package child

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Memory is the resident set of a process in bytes, 0 where the system does not
// tell.
type Memory struct {
	Now int64
	// Peak is the largest it has been. The rusage of an ended child is second best:
	// on Linux it is no less than the resident set of the parent when it forked.
	Peak int64
}

// Memory returns the resident set of the running process.
func (p *Process) Memory() Memory {
	b, err := os.ReadFile(p.proc("status"))
	if err != nil {
		return Memory{}
	}
	return Memory{Now: statusField(b, "VmRSS:"), Peak: statusField(b, "VmHWM:")}
}

// ForgetPeak lets the peak begin anew. Where that is not allowed, it stays.
func (p *Process) ForgetPeak() { _ = os.WriteFile(p.proc("clear_refs"), []byte("5"), 0) }

func (p *Process) proc(name string) string {
	return filepath.Join("/proc", strconv.Itoa(p.cmd.Process.Pid), name)
}

func statusField(status []byte, name string) int64 {
	_, after, ok := bytes.Cut(status, []byte(name))
	if !ok {
		return 0
	}
	fields := strings.Fields(string(after))
	if len(fields) == 0 {
		return 0
	}
	kib, err := strconv.ParseInt(fields[0], 10, 64)
	if err != nil {
		return 0
	}
	return kib << 10
}
