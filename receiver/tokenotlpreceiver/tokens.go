package tokenotlpreceiver

import (
	"crypto/sha256"
	"crypto/subtle"
	"strings"
)

const scheme = "Bearer"

// tokenTable finds the source of a token. It holds hashes only, and does not
// change, so that it may be used concurrently.
type tokenTable struct {
	sources map[[sha256.Size]byte]tokenEntry
}

type tokenEntry struct {
	hash   [sha256.Size]byte
	source *source
}

// newTokenTable takes tokens that Config.Validate found to be distinct.
func newTokenTable(configs []Source) *tokenTable {
	t := &tokenTable{sources: make(map[[sha256.Size]byte]tokenEntry, len(configs))}
	for _, c := range configs {
		s := newSource(c.Name)
		for _, token := range c.Tokens {
			hash := sha256.Sum256([]byte(token))
			t.sources[hash] = tokenEntry{hash: hash, source: s}
		}
	}
	return t
}

// authenticate returns the source whose token a request carried, nil when it
// carried none. authorization is the values of the Authorization header, of
// which there must be one: `Bearer` in any case, blanks, and the token (RFC 6750).
//
// How long it takes depends on neither the number of sources nor on how much of
// a token is right: what is looked up is a hash that the client cannot steer.
func (t *tokenTable) authenticate(authorization []string) *source {
	if len(authorization) != 1 {
		return nil
	}
	got, token, _ := strings.Cut(authorization[0], " ")
	if !strings.EqualFold(got, scheme) {
		return nil
	}
	token = strings.Trim(token, " ")
	if len(token) > maxTokenLength {
		return nil
	}
	hash := sha256.Sum256([]byte(token))
	entry := t.sources[hash]
	if subtle.ConstantTimeCompare(hash[:], entry.hash[:]) != 1 {
		return nil
	}
	return entry.source
}
