package tokenotlpreceiver

import (
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"strings"
	"sync/atomic"
)

const scheme = "Bearer"

// hash is what is kept of a token.
type hash [sha256.Size]byte

// tokenTable finds the source of a token. It may be used concurrently: its
// tokens are replaced as a whole.
type tokenTable struct{ tokens atomic.Pointer[tokenSet] }

// tokenSet is tokens by their hashes. It does not change once it is in a table.
type tokenSet map[hash]tokenEntry

type tokenEntry struct {
	hash   hash
	source *source
	place  place
}

// place is where a token is listed: for messages, which must not show it.
type place struct {
	source int // index in sources
	item   int // index in its tokens, or line of its file
	file   bool
}

func (p place) String() string {
	if p.file {
		return fmt.Sprintf("line %d of sources[%d].token_file", p.item, p.source)
	}
	return fmt.Sprintf("sources[%d].tokens[%d]", p.source, p.item)
}

// configured returns the tokens in the configuration itself, which
// Config.Validate found to be distinct. sources has one for each of configs.
func configured(configs []Source, sources []*source) tokenSet {
	set := make(tokenSet, len(configs))
	for i, c := range configs {
		for j, token := range c.Tokens {
			set.add(sha256.Sum256([]byte(token)), sources[i], place{source: i, item: j})
		}
	}
	return set
}

func (s tokenSet) add(h hash, of *source, at place) {
	s[h] = tokenEntry{hash: h, source: of, place: at}
}

func newTokenTable(set tokenSet) *tokenTable {
	t := new(tokenTable)
	t.replace(set)
	return t
}

// replace puts other tokens in force. Requests that were let in before go on.
func (t *tokenTable) replace(set tokenSet) { t.tokens.Store(&set) }

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
	h := hash(sha256.Sum256([]byte(token)))
	entry := (*t.tokens.Load())[h]
	if subtle.ConstantTimeCompare(h[:], entry.hash[:]) != 1 {
		return nil
	}
	return entry.source
}
