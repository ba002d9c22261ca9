package wal

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/fsys"
	"github.com/spanlake/spanlake/internal/fsys/fsystest"
)

// The bytes of version 1, written here from FORMAT.md alone. A change that
// fails this test needs a new version.
func TestBytesOfVersion1(t *testing.T) {
	disk := fsystest.NewCrash()
	require.NoError(t, disk.MkdirAll("/wal"))
	sum := func(parts ...[]byte) []byte {
		return binary.LittleEndian.AppendUint32(nil, crc32.Checksum(bytes.Join(parts, nil), crc32.MakeTable(crc32.Castagnoli)))
	}
	line := []byte("ba171663 {\"format\":\"spanlake-wal\",\"version\":1,\"id\":\"0123456789abcdef\"}\n")
	require.NoError(t, fsys.WriteFile(disk, "/wal/WAL", line))

	id := []byte("\x01\x23\x45\x67\x89\xab\xcd\xef")
	segment := []byte("\x01\x00\x00\x00\x00\x00\x00\x00")
	header := bytes.Join([][]byte{[]byte("SPLKWAL\n\x01\x00\x00\x00"), id, segment}, nil)
	file := append(header, sum(header)...)
	frame := func(kind string, payload string) {
		offset := binary.LittleEndian.AppendUint64(nil, uint64(len(file)))
		f := bytes.Join([][]byte{[]byte("\xF5\xD7\xA1" + kind), binary.LittleEndian.AppendUint32(nil, uint32(len(payload))), sum([]byte(payload))}, nil)
		file = append(append(append(file, f...), sum(id, segment, offset, f)...), payload...)
	}
	frame("R", "first")
	frame("R", "")
	frame("E", "")

	l := open(t, disk, "/wal")
	require.Equal(t, "0123456789abcdef", l.ID())
	p, err := l.Append([]byte("first"))
	require.NoError(t, err)
	require.Equal(t, Position{Segment: 1, End: 53}, p)
	_, err = l.Append(nil)
	require.NoError(t, err)
	seal(t, l)
	require.Equal(t, file, readFile(t, disk, "/wal/0000000001.wal"))
	require.Equal(t, file[:12], readFile(t, disk, "/wal/0000000002.wal")[:12])
	require.Equal(t, line, l.id.encode())
}
