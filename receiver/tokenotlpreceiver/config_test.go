package tokenotlpreceiver

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/config/configopaque"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/confmap/confmaptest"

	"github.com/spanlake/spanlake/receiver/tokenotlpreceiver/internal/metadata"
)

func load(t *testing.T, name string) (*Config, error) {
	t.Helper()
	all, err := confmaptest.LoadConf(filepath.Join("testdata", "config.yaml"))
	require.NoError(t, err)
	sub, err := all.Sub(component.NewIDWithName(metadata.Type, name).String())
	require.NoError(t, err)
	cfg := createDefaultConfig().(*Config)
	if err := sub.Unmarshal(cfg); err != nil {
		return nil, err
	}
	return cfg, nil
}

func TestDefaults(t *testing.T) {
	require.NoError(t, componenttest.CheckConfigStruct(createDefaultConfig()))
	cfg, err := load(t, "minimal")
	require.NoError(t, err)
	require.NoError(t, confmap.Validate(cfg))
	require.False(t, cfg.Protocols.GRPC.HasValue())
	http := cfg.Protocols.HTTP.Get()
	require.Equal(t, "localhost:4318", http.NetAddr.Endpoint)
	require.Equal(t, time.Minute, http.ReadTimeout)
	require.Equal(t, 10*time.Second, http.ReadHeaderTimeout)
	require.Equal(t, []Source{{Name: "shop", Tokens: []configopaque.String{"shop-token-1"}}}, cfg.Sources)
	require.Equal(t, int64(10), cfg.MaxRequestSizeMiB)
	require.Equal(t, int64(100), cfg.MaxUncompressedSizeMiB)
	require.Equal(t, int64(128), cfg.MaxDecodedSizeMiB)
	require.Equal(t, int64(256), cfg.MaxInFlightMiB)
	require.Equal(t, 64, cfg.MaxAttributeDepth)
	require.Equal(t, 1000, cfg.MaxConnections)

	grpc := createDefaultConfig().(*Config).Protocols.GRPC
	require.Equal(t, "localhost:4317", grpc.GetOrInsertDefault().NetAddr.Endpoint)
	require.Equal(t, uint32(100), grpc.Get().MaxConcurrentStreams)
	pings := grpc.Get().Keepalive.Get().ServerParameters.Get()
	require.Equal(t, []time.Duration{30 * time.Second, 10 * time.Second}, []time.Duration{pings.Time, pings.Timeout})
}

func TestEveryOptionIsRead(t *testing.T) {
	cfg, err := load(t, "full")
	require.NoError(t, err)
	require.NoError(t, cfg.Validate())
	require.Equal(t, "0.0.0.0:4317", cfg.Protocols.GRPC.Get().NetAddr.Endpoint)
	require.Equal(t, uint32(7), cfg.Protocols.GRPC.Get().MaxConcurrentStreams)
	require.True(t, cfg.Protocols.GRPC.Get().TLS.HasValue())
	pings := cfg.Protocols.GRPC.Get().Keepalive.Get().ServerParameters.Get()
	require.Equal(t, []time.Duration{7 * time.Second, 10 * time.Second, time.Hour}, []time.Duration{pings.Time, pings.Timeout, pings.MaxConnectionAge})
	require.Equal(t, "0.0.0.0:4318", cfg.Protocols.HTTP.Get().NetAddr.Endpoint)
	require.Equal(t, 5*time.Second, cfg.Protocols.HTTP.Get().ReadTimeout)
	require.True(t, cfg.Protocols.HTTP.Get().CORS.HasValue())
	require.Equal(t, []Source{
		{Name: "shop", Tokens: []configopaque.String{"shop-token-1", "shop-token-2"}, RateLimit: 1 << 20},
		{Name: "b.i-l_1", TokenFile: "/run/secrets/billing", Relay: true},
		{Name: "both", Tokens: []configopaque.String{"both-token-1"}, TokenFile: "tokens.txt"},
	}, cfg.Sources)
	require.Equal(t, int64(1), cfg.MaxRequestSizeMiB)
	require.Equal(t, int64(2), cfg.MaxUncompressedSizeMiB)
	require.Equal(t, int64(3), cfg.MaxDecodedSizeMiB)
	require.Equal(t, int64(14), cfg.MaxInFlightMiB)
	require.Equal(t, 5, cfg.MaxAttributeDepth)
	require.Equal(t, 6, cfg.MaxConnections)
}

func TestGoodConfigs(t *testing.T) {
	for _, name := range []string{"minimal", "full", "development_token_on_loopback", "development_token_on_a_socket"} {
		cfg, err := load(t, name)
		require.NoError(t, err)
		require.NoError(t, cfg.Validate(), name)
	}
}

func TestBadConfigsNameKeyAndRule(t *testing.T) {
	for name, want := range map[string][]string{
		"nothing": {
			"protocols: is empty: name grpc, http or both",
			"sources: is empty: at least one source must be named",
		},
		"no_protocols": {"protocols: is empty: name grpc, http or both"},
		"no_sources":   {"sources: is empty: at least one source must be named"},
		"bad_sources": {
			`sources[0].name: "" must match ^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`,
			`sources[1].name: "../etc" must match ^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`,
			`sources[2].tokens: is empty: a source needs at least one token, here or in token_file`,
			`sources[3].name: "shop" is already the name of sources[2]`,
			`sources[3].tokens[0]: is empty: is its environment variable set?`,
			`sources[3].tokens[1]: has 5 characters: a token must have at least 8`,
			`sources[3].tokens[2]: has a blank, a line break or a character beyond ASCII at position 5: no client could send it`,
			`sources[3].tokens[3]: has a blank, a line break or a character beyond ASCII at position 21: no client could send it`,
			`sources[4].tokens[1]: is the same token as sources[0].tokens[0]: a token must be listed once`,
			`sources[4].tokens[2]: is the same token as sources[4].tokens[0]: a token must be listed once`,
		},
		"bad_source_options": {
			`sources[0].tokens: is empty: a source needs at least one token, here or in token_file`,
			`sources[1].rate_limit: -1 must not be negative: bytes a second, or 0 for no limit`,
			`sources[2].token_file: "/run/./secrets//b" is already the token_file of sources[1]: a token must be listed once`,
		},
		"long_name": {`sources[0].name: "a123456789012345678901234567890123456789012345678901234567890123x" must match ^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`},
		"development_token_in_the_open": {
			`sources[0].tokens[1]: is the development token, which everyone knows, and protocols.http.endpoint is "0.0.0.0:4318": it may be used on loopback endpoints only`,
		},
		"development_token_on_every_interface": {
			`sources[0].tokens[0]: is the development token, which everyone knows, and protocols.grpc.endpoint is ":4317": it may be used on loopback endpoints only`,
		},
		"development_token_on_a_name": {
			`sources[0].tokens[0]: is the development token, which everyone knows, and protocols.grpc.endpoint is "collector.example.com:4317": it may be used on loopback endpoints only`,
		},
		"inherited": {
			"protocols.grpc.max_recv_msg_size_mib: cannot be set: use max_request_size_mib and max_uncompressed_size_mib",
			"protocols.grpc.auth: cannot be set: use sources",
			"protocols.http.max_request_body_size: cannot be set: use max_request_size_mib and max_uncompressed_size_mib",
			"protocols.http.auth: cannot be set: use sources",
			"protocols.http.compression_algorithms: cannot be set: every algorithm is accepted, bounded by max_uncompressed_size_mib",
		},
		"small": {
			"max_request_size_mib: 0 must be between 1 and 1024",
			"max_uncompressed_size_mib: -1 must be between 1 and 1024",
			"max_decoded_size_mib: 0 must be between 1 and 1048576",
			"max_in_flight_mib: 0 must be between 1 and 1048576",
			"max_attribute_depth: 0 must be between 1 and 200",
			"max_connections: 0 must be between 1 and 1048576",
			"max_uncompressed_size_mib: -1 must not be less than max_request_size_mib, which is 0",
			"max_in_flight_mib: 0 must be at least 9: max_request_size_mib, max_uncompressed_size_mib and max_decoded_size_mib (or 10) together, or twice the last",
		},
		"large": {
			"max_request_size_mib: 2000 must be between 1 and 1024",
			"max_uncompressed_size_mib: 1500 must be between 1 and 1024",
			"max_decoded_size_mib: 2000000 must be between 1 and 1048576",
			"max_in_flight_mib: 2000000 must be between 1 and 1048576",
			"max_attribute_depth: 201 must be between 1 and 200",
			"max_connections: 2000000 must be between 1 and 1048576",
			"max_uncompressed_size_mib: 1500 must not be less than max_request_size_mib, which is 2000",
			"max_in_flight_mib: 2000000 must be at least 4000000: max_request_size_mib, max_uncompressed_size_mib and max_decoded_size_mib (or 10) together, or twice the last",
		},
		"in_flight": {"max_in_flight_mib: 100 must be at least 256: max_request_size_mib, max_uncompressed_size_mib and max_decoded_size_mib (or 10) together, or twice the last"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg, err := load(t, name)
			require.NoError(t, err)
			err = cfg.Validate()
			require.Error(t, err)
			require.Equal(t, want, strings.Split(err.Error(), "\n"))
			require.Equal(t, err.Error(), cfg.Validate().Error(), "Validate must be pure")
			for _, source := range cfg.Sources {
				for _, token := range source.Tokens {
					if token != "" {
						require.NotContains(t, err.Error(), string(token))
					}
				}
			}
		})
	}
}

func TestUnreadableConfigsNameTheKey(t *testing.T) {
	for name, key := range map[string]string{
		"unknown_key":            "token",
		"rate_limit_with_a_unit": "rate_limit",
		"relay_without_a_truth":  "relay",
		"token_files":            "token_files",
	} {
		_, err := load(t, name)
		require.ErrorContains(t, err, key, name)
	}
}

func TestReceiverLeavesItsConfigAlone(t *testing.T) {
	h := start(t, options{})
	want := testConfig()
	require.Equal(t, want, h.cfg)
}
