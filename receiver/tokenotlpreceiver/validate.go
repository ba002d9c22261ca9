package tokenotlpreceiver

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"regexp"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/config/confignet"

	"github.com/spanlake/spanlake/receiver/tokenotlpreceiver/internal/body"
	"github.com/spanlake/spanlake/receiver/tokenotlpreceiver/internal/wire"
)

const (
	// developmentToken is what `make run` uses where no token is set. Everyone
	// knows it.
	developmentToken = "local-dev-token"

	minTokenLength = 8
	maxTokenLength = 1024

	maxSizeMiB     = 1024
	maxInFlightMiB = 1 << 20

	maxConnections = 1 << 20
)

// nameRule keeps a source name fit for a path, a metric attribute and a column.
var nameRule = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

var _ component.Config = (*Config)(nil)

// Validate reports every fault of the configuration.
func (cfg *Config) Validate() error {
	return errors.Join(
		cfg.Protocols.check(),
		cfg.checkSources(),
		cfg.checkSizes(),
	)
}

func (p *Protocols) check() error {
	if !p.GRPC.HasValue() && !p.HTTP.HasValue() {
		return errors.New("protocols: is empty: name grpc, http or both")
	}
	var errs []error
	refuse := func(key, instead string) {
		errs = append(errs, fmt.Errorf("%s: cannot be set: %s", key, instead))
	}
	if grpc := p.GRPC.Get(); grpc != nil {
		if grpc.MaxRecvMsgSizeMiB != 0 {
			refuse("protocols.grpc.max_recv_msg_size_mib", "use max_request_size_mib and max_uncompressed_size_mib")
		}
		if grpc.Auth.HasValue() {
			refuse("protocols.grpc.auth", "use sources")
		}
	}
	if http := p.HTTP.Get(); http != nil {
		if http.MaxRequestBodySize != 0 {
			refuse("protocols.http.max_request_body_size", "use max_request_size_mib and max_uncompressed_size_mib")
		}
		if http.Auth.HasValue() {
			refuse("protocols.http.auth", "use sources")
		}
		if http.CompressionAlgorithms != nil {
			refuse("protocols.http.compression_algorithms", "every algorithm is accepted, bounded by max_uncompressed_size_mib")
		}
	}
	return errors.Join(errs...)
}

func (cfg *Config) checkSources() error {
	if len(cfg.Sources) == 0 {
		return errors.New("sources: is empty: at least one source must be named")
	}
	var errs []error
	names := make(map[string]int, len(cfg.Sources))
	files := make(map[string]int)
	tokens := make(map[hash]place, len(cfg.Sources))
	exposed := cfg.exposedEndpoint()
	for i, source := range cfg.Sources {
		key := fmt.Sprintf("sources[%d]", i)
		if !nameRule.MatchString(source.Name) {
			errs = append(errs, fmt.Errorf("%s.name: %q must match %s", key, source.Name, nameRule))
		} else if first, taken := names[source.Name]; taken {
			errs = append(errs, fmt.Errorf("%s.name: %q is already the name of sources[%d]", key, source.Name, first))
		} else {
			names[source.Name] = i
		}
		if len(source.Tokens) == 0 && source.TokenFile == "" {
			errs = append(errs, fmt.Errorf("%s.tokens: is empty: a source needs at least one token, here or in token_file", key))
		}
		if source.TokenFile != "" {
			path := filepath.Clean(source.TokenFile)
			if first, taken := files[path]; taken {
				errs = append(errs, fmt.Errorf("%s.token_file: %q is already the token_file of sources[%d]: a token must be listed once", key, source.TokenFile, first))
			} else {
				files[path] = i
			}
		}
		if source.RateLimit < 0 {
			errs = append(errs, fmt.Errorf("%s.rate_limit: %d must not be negative: bytes a second, or 0 for no limit", key, source.RateLimit))
		}
		for j, token := range source.Tokens {
			key := fmt.Sprintf("%s.tokens[%d]", key, j)
			if err := checkToken(key, string(token)); err != nil {
				errs = append(errs, err)
				continue
			}
			if err := checkExposure(key, string(token), exposed); err != nil {
				errs = append(errs, err)
			}
			h := hash(sha256.Sum256([]byte(token)))
			if first, taken := tokens[h]; taken {
				errs = append(errs, fmt.Errorf("%s: is the same token as %s: a token must be listed once", key, first))
			} else {
				tokens[h] = place{source: i, item: j}
			}
		}
	}
	return errors.Join(errs...)
}

// checkToken never puts a token, or part of one, into the message.
func checkToken(key, token string) error {
	switch n := len(token); {
	case n == 0:
		return fmt.Errorf("%s: is empty: is its environment variable set?", key)
	case n < minTokenLength:
		return fmt.Errorf("%s: has %d characters: a token must have at least %d", key, n, minTokenLength)
	case n > maxTokenLength:
		return fmt.Errorf("%s: has %d characters: a token must have at most %d", key, n, maxTokenLength)
	}
	for i := range len(token) {
		if token[i] <= ' ' || token[i] > '~' {
			return fmt.Errorf("%s: has a blank, a line break or a character beyond ASCII at position %d: no client could send it", key, i)
		}
	}
	return nil
}

// checkExposure refuses the development token where exposed, an endpoint that
// others than this machine may reach, is not empty.
func checkExposure(key, token, exposed string) error {
	if token != developmentToken || exposed == "" {
		return nil
	}
	return fmt.Errorf("%s: is the development token, which everyone knows, and %s: it may be used on loopback endpoints only", key, exposed)
}

// exposedEndpoint describes an endpoint that others than this machine may reach,
// empty when there is none. Names other than localhost are taken as exposed.
func (cfg *Config) exposedEndpoint() string {
	endpoint := func(key string, addr confignet.AddrConfig) string {
		if addr.Transport == confignet.TransportTypeUnix {
			return ""
		}
		host, _, err := net.SplitHostPort(addr.Endpoint)
		if err != nil {
			host = addr.Endpoint
		}
		if ip := net.ParseIP(host); host == "localhost" || ip != nil && ip.IsLoopback() {
			return ""
		}
		return fmt.Sprintf("%s is %q", key, addr.Endpoint)
	}
	if grpc := cfg.Protocols.GRPC.Get(); grpc != nil {
		if e := endpoint("protocols.grpc.endpoint", grpc.NetAddr); e != "" {
			return e
		}
	}
	if http := cfg.Protocols.HTTP.Get(); http != nil {
		return endpoint("protocols.http.endpoint", http.NetAddr)
	}
	return ""
}

func (cfg *Config) checkSizes() error {
	var errs []error
	atMost := func(key string, value, high int64) {
		if value < 1 || value > high {
			errs = append(errs, fmt.Errorf("%s: %d must be between 1 and %d", key, value, high))
		}
	}
	atMost("max_request_size_mib", cfg.MaxRequestSizeMiB, maxSizeMiB)
	atMost("max_uncompressed_size_mib", cfg.MaxUncompressedSizeMiB, maxSizeMiB)
	atMost("max_decoded_size_mib", cfg.MaxDecodedSizeMiB, maxInFlightMiB)
	atMost("max_in_flight_mib", cfg.MaxInFlightMiB, maxInFlightMiB)
	atMost("max_attribute_depth", int64(cfg.MaxAttributeDepth), wire.MaxDepth)
	atMost("max_connections", int64(cfg.MaxConnections), maxConnections)
	if cfg.MaxUncompressedSizeMiB < cfg.MaxRequestSizeMiB {
		errs = append(errs, fmt.Errorf("max_uncompressed_size_mib: %d must not be less than max_request_size_mib, which is %d", cfg.MaxUncompressedSizeMiB, cfg.MaxRequestSizeMiB))
	}
	// Otherwise the largest request could never be taken, and be told to retry. A
	// block of snappy is held compressed until it is decompressed, other codings
	// need memory of their own before anything is decoded, and what is rewritten
	// before it is decoded is as large as that may be.
	working := max(cfg.MaxDecodedSizeMiB, body.MaxDecoderCost/mib)
	if least := max(cfg.MaxRequestSizeMiB+cfg.MaxUncompressedSizeMiB+working, 2*cfg.MaxDecodedSizeMiB); cfg.MaxInFlightMiB < least {
		errs = append(errs, fmt.Errorf("max_in_flight_mib: %d must be at least %d: max_request_size_mib, max_uncompressed_size_mib and max_decoded_size_mib (or %d) together, or twice the last", cfg.MaxInFlightMiB, least, body.MaxDecoderCost/mib))
	}
	return errors.Join(errs...)
}
