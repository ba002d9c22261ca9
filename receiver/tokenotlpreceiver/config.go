package tokenotlpreceiver

import (
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/config/configgrpc"
	"go.opentelemetry.io/collector/config/confighttp"
	"go.opentelemetry.io/collector/config/configopaque"
	"go.opentelemetry.io/collector/config/configoptional"
)

// Config is what the user writes under token_otlp.
type Config struct {
	// Protocols are the servers to run: at least one.
	Protocols Protocols `mapstructure:"protocols"`

	// Sources are those who may send, told apart by their tokens.
	Sources []Source `mapstructure:"sources"`

	// MaxRequestSizeMiB bounds a request body as it is received, in MiB.
	MaxRequestSizeMiB int64 `mapstructure:"max_request_size_mib"`

	// MaxUncompressedSizeMiB bounds a request body after decompression, in MiB.
	MaxUncompressedSizeMiB int64 `mapstructure:"max_uncompressed_size_mib"`

	// MaxDecodedSizeMiB bounds the estimated memory of a decoded request, in MiB.
	MaxDecodedSizeMiB int64 `mapstructure:"max_decoded_size_mib"`

	// MaxInFlightMiB bounds what all requests hold at once, in MiB: their bodies, what
	// it takes to decompress them, and what they decode to.
	MaxInFlightMiB int64 `mapstructure:"max_in_flight_mib"`

	// MaxAttributeDepth bounds how deep attribute values and log bodies may nest:
	// 1 is a plain value, 2 an array or map of plain values.
	MaxAttributeDepth int `mapstructure:"max_attribute_depth"`

	// MaxConnections bounds the connections that each server has open at once.
	MaxConnections int `mapstructure:"max_connections"`

	// prevent unkeyed literal initialization
	_ struct{}
}

// Protocols are the servers of the receiver; one that is absent does not run.
type Protocols struct {
	// GRPC serves OTLP over gRPC.
	GRPC configoptional.Optional[configgrpc.ServerConfig] `mapstructure:"grpc"`

	// HTTP serves OTLP and JSON log events over HTTP.
	HTTP configoptional.Optional[confighttp.ServerConfig] `mapstructure:"http"`

	// prevent unkeyed literal initialization
	_ struct{}
}

// Source is one sender, or a group of them under one name.
type Source struct {
	// Name is stamped on what the source sends, as resource attribute spanlake.source.
	Name string `mapstructure:"name"`

	// Tokens are the bearer tokens of the source. Several let it change its token
	// without a gap.
	Tokens []configopaque.String `mapstructure:"tokens"`

	// TokenFile is the path of a file with more tokens, one a line. It is read
	// again when it changes.
	TokenFile string `mapstructure:"token_file"`

	// RateLimit is how many bytes a second the source may send, counted after
	// decompression; 0 is no limit.
	RateLimit int64 `mapstructure:"rate_limit"`

	// Relay lets the source say for each resource which source it comes from. It
	// is for our own agents, which have stamped that themselves.
	Relay bool `mapstructure:"relay"`

	// prevent unkeyed literal initialization
	_ struct{}
}

const (
	defaultGRPCEndpoint = "localhost:4317"
	defaultHTTPEndpoint = "localhost:4318"

	// A sender that takes longer than this to send a request holds memory and a
	// connection for nothing.
	defaultReadTimeout       = time.Minute
	defaultReadHeaderTimeout = 10 * time.Second

	// An SDK has one request under way, a Collector as many as it has consumers.
	defaultMaxConcurrentStreams = 100

	// A silent gRPC connection whose other end does not answer is closed. HTTP has
	// its idle timeout.
	defaultPingInterval = 30 * time.Second
	defaultPingTimeout  = 10 * time.Second

	// A gRPC client that answers pings can leave its answers behind for as long as
	// its connection lasts. Others connect again at no cost: their calls end first.
	defaultMaxConnectionAge      = 10 * time.Minute
	defaultMaxConnectionAgeGrace = 2 * time.Minute

	// An idle connection holds some 20 KiB with HTTP, 32 KiB with TLS and 52 KiB with
	// gRPC.
	defaultMaxConnections = 1000
)

func createDefaultConfig() component.Config {
	grpc := configgrpc.NewDefaultServerConfig()
	grpc.NetAddr.Endpoint = defaultGRPCEndpoint
	grpc.MaxConcurrentStreams = defaultMaxConcurrentStreams
	grpc.Keepalive = configoptional.Some(configgrpc.NewDefaultKeepaliveServerConfig())
	pings := configgrpc.NewDefaultKeepaliveServerParameters()
	pings.Time, pings.Timeout = defaultPingInterval, defaultPingTimeout
	pings.MaxConnectionAge, pings.MaxConnectionAgeGrace = defaultMaxConnectionAge, defaultMaxConnectionAgeGrace
	grpc.Keepalive.Get().ServerParameters = configoptional.Some(pings)

	http := confighttp.NewDefaultServerConfig()
	http.NetAddr.Endpoint = defaultHTTPEndpoint
	http.ReadTimeout = defaultReadTimeout
	http.ReadHeaderTimeout = defaultReadHeaderTimeout

	return &Config{
		Protocols: Protocols{
			GRPC: configoptional.Default(grpc),
			HTTP: configoptional.Default(http),
		},
		MaxRequestSizeMiB:      10,
		MaxUncompressedSizeMiB: 100,
		MaxDecodedSizeMiB:      128,
		MaxInFlightMiB:         256,
		MaxAttributeDepth:      64,
		MaxConnections:         defaultMaxConnections,
	}
}
