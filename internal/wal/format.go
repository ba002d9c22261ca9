package wal

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"regexp"
	"strconv"
)

// Layout of version 1; FORMAT.md explains it.
const (
	formatName    = "spanlake-wal"
	formatVersion = 1

	identityName = "WAL"

	headerMagic = "SPLKWAL\n"
	headerSize  = 32
	frameSize   = 16
	trailerSize = frameSize
	maxRecord   = 512 << 20
)

var (
	recordMagic  = [4]byte{0xF5, 0xD7, 0xA1, 'R'}
	trailerMagic = [4]byte{0xF5, 0xD7, 0xA1, 'E'}

	castagnoli = crc32.MakeTable(crc32.Castagnoli)

	segmentPattern = regexp.MustCompile(`^([0-9]{10,20})\.wal$`)
)

func checksum(data []byte) uint32 { return crc32.Checksum(data, castagnoli) }

// identity is the id of a log.
type identity [8]byte

func (id identity) String() string { return hex.EncodeToString(id[:]) }

func newIdentity() identity {
	var id identity
	_, _ = rand.Read(id[:]) // never fails
	return id
}

type identityLine struct {
	Format  string `json:"format"`
	Version int    `json:"version"`
	ID      string `json:"id"`
}

func (id identity) encode() []byte {
	text := fmt.Appendf(nil, `{"format":%q,"version":%d,"id":%q}`, formatName, formatVersion, id.String())
	return fmt.Appendf(nil, "%08x %s\n", checksum(text), text)
}

func decodeIdentity(data []byte) (identity, error) {
	var id identity
	const sumSize = 8
	if len(data) < sumSize+2 || data[sumSize] != ' ' || data[len(data)-1] != '\n' {
		return id, errors.New("is damaged: not a line of checksum and text")
	}
	text := data[sumSize+1 : len(data)-1]
	if string(data[:sumSize]) != fmt.Sprintf("%08x", checksum(text)) {
		return id, errors.New("is damaged: wrong checksum")
	}
	var line identityLine
	if err := json.Unmarshal(text, &line); err != nil {
		return id, fmt.Errorf("is damaged: %w", err)
	}
	if line.Format != formatName {
		return id, fmt.Errorf("has format %q, not %q", line.Format, formatName)
	}
	if line.Version != formatVersion {
		return id, versionError(line.Version)
	}
	raw, err := hex.DecodeString(line.ID)
	if err != nil || len(raw) != len(id) {
		return id, fmt.Errorf("is damaged: id %q is not %d bytes of hex", line.ID, len(id))
	}
	return identity(raw), nil
}

func versionError(version int) error {
	return fmt.Errorf("has format version %d, this program reads version %d", version, formatVersion)
}

func segmentName(number uint64) string { return fmt.Sprintf("%010d.wal", number) }

// segmentNumber returns 0 for a name that is not that of a segment.
func segmentNumber(name string) uint64 {
	m := segmentPattern.FindStringSubmatch(name)
	if m == nil {
		return 0
	}
	number, err := strconv.ParseUint(m[1], 10, 64)
	if err != nil || segmentName(number) != name {
		return 0
	}
	return number
}

func encodeHeader(id identity, number uint64) []byte {
	h := make([]byte, 0, headerSize)
	h = append(h, headerMagic...)
	h = binary.LittleEndian.AppendUint32(h, formatVersion)
	h = append(h, id[:]...)
	h = binary.LittleEndian.AppendUint64(h, number)
	return binary.LittleEndian.AppendUint32(h, checksum(h))
}

// checkHeader reports whether the header is whole. The error is for one that
// is, and says that the segment is not for this program or this log.
func checkHeader(h []byte, id identity, number uint64) (bool, error) {
	if len(h) < headerSize || string(h[:8]) != headerMagic ||
		binary.LittleEndian.Uint32(h[28:]) != checksum(h[:28]) {
		return false, nil
	}
	if version := binary.LittleEndian.Uint32(h[8:]); version != formatVersion {
		return true, versionError(int(version))
	}
	if owner := identity(h[12:20]); owner != id {
		return true, fmt.Errorf("belongs to log %s, not to %s", owner, id)
	}
	if n := binary.LittleEndian.Uint64(h[20:]); n != number {
		return true, fmt.Errorf("is segment %d under another name", n)
	}
	return true, nil
}

// frameKey is the part of a frame's checksum that all frames of a segment share.
func frameKey(id identity, number uint64) uint32 {
	return checksum(binary.LittleEndian.AppendUint64(id[:len(id):len(id)], number))
}

func frameChecksum(key uint32, offset int64, frame []byte) uint32 {
	// The offset byte by byte, as crc32.Update does with a table: handing it to
	// Update as a slice would cost an allocation per record.
	sum := ^key
	for v, i := uint64(offset), 0; i < 8; v, i = v>>8, i+1 {
		sum = castagnoli[byte(sum)^byte(v)] ^ sum>>8
	}
	return crc32.Update(^sum, castagnoli, frame[:12])
}

func appendFrame(dst []byte, key uint32, offset int64, magic [4]byte, length int, payload uint32) []byte {
	start := len(dst)
	dst = append(dst, magic[:]...)
	dst = binary.LittleEndian.AppendUint32(dst, uint32(length))
	dst = binary.LittleEndian.AppendUint32(dst, payload)
	return binary.LittleEndian.AppendUint32(dst, frameChecksum(key, offset, dst[start:]))
}

// frame is a decoded record frame.
type frame struct {
	length  int64
	payload uint32 // checksum
}

// decodeFrame tells whether b begins with a frame of the kind that belongs at
// offset, and returns it.
func decodeFrame(b []byte, key uint32, offset int64, magic [4]byte) (frame, bool) {
	if len(b) < frameSize || [4]byte(b) != magic ||
		binary.LittleEndian.Uint32(b[12:]) != frameChecksum(key, offset, b) {
		return frame{}, false
	}
	f := frame{length: int64(binary.LittleEndian.Uint32(b[4:])), payload: binary.LittleEndian.Uint32(b[8:])}
	return f, f.length <= maxRecord
}
