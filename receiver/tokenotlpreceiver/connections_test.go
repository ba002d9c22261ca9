package tokenotlpreceiver

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/config/confighttp"
	"go.opentelemetry.io/collector/config/confignet"
	"go.opentelemetry.io/collector/config/configoptional"
	"go.opentelemetry.io/collector/config/configtls"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
)

// certificates are files of an authority, a server and a client, and what a
// client needs to use them.
type certificates struct {
	ca, cert, key string
	client        *tls.Config // without a certificate of its own
	pair          tls.Certificate
}

func newCertificates(t *testing.T) certificates {
	t.Helper()
	dir := t.TempDir()
	write := func(name, kind string, der []byte) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600))
		return path
	}
	// One certificate is its own authority, and stands for both ends.
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		Subject:               pkix.Name{CommonName: "localhost"},
		DNSNames:              []string{"localhost"},
		NotBefore:             time.Now().Add(-time.Hour),
		NotAfter:              time.Now().Add(time.Hour),
		IsCA:                  true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	keyDER, err := x509.MarshalECPrivateKey(key)
	require.NoError(t, err)
	c := certificates{cert: write("cert.pem", "CERTIFICATE", der), key: write("key.pem", "EC PRIVATE KEY", keyDER)}
	c.ca = c.cert
	parsed, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	roots := x509.NewCertPool()
	roots.AddCert(parsed)
	c.client = &tls.Config{RootCAs: roots, ServerName: "localhost"}
	c.pair = tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
	return c
}

func (c certificates) server(mutual bool) configoptional.Optional[configtls.ServerConfig] {
	cfg := configtls.NewDefaultServerConfig()
	cfg.CertFile, cfg.KeyFile = c.cert, c.key
	if mutual {
		cfg.ClientCAFile = c.ca
	}
	return configoptional.Some(cfg)
}

func (c certificates) withOwn() *tls.Config {
	own := c.client.Clone()
	own.Certificates = []tls.Certificate{c.pair}
	return own
}

// sender sends requests over one connection of its own.
type sender struct {
	send  func(token string) error
	close func()
}

var errUnauthorized = errors.New("unauthorized")

// sendersOver returns how to make senders to a receiver, by transport.
func sendersOver(t *testing.T, h *harness, secure *tls.Config) map[string]func() sender {
	t.Helper()
	scheme := "http://localhost"
	if secure != nil {
		scheme = "https://localhost"
	}
	overHTTP := func(version int) func() sender {
		return func() sender {
			transport := &http.Transport{
				DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
					return new(net.Dialer).DialContext(ctx, h.receiver.httpAddr.Network(), h.receiver.httpAddr.String())
				},
				TLSClientConfig:   secure.Clone(), // which the transport changes
				ForceAttemptHTTP2: version == 2,
			}
			client := &http.Client{Transport: transport}
			return sender{
				send: func(token string) error {
					req, err := http.NewRequest(http.MethodPost, scheme+"/", bytes.NewReader([]byte(`{"a":1}`)))
					require.NoError(t, err)
					req.GetBody = nil // not to be sent again
					req.Header.Set("Authorization", "Bearer "+token)
					resp, err := client.Do(req)
					if err != nil {
						return err
					}
					defer resp.Body.Close()
					_, _ = io.Copy(io.Discard, resp.Body)
					require.Equal(t, version, resp.ProtoMajor)
					if resp.StatusCode == http.StatusUnauthorized {
						return errUnauthorized
					}
					require.Equal(t, http.StatusAccepted, resp.StatusCode)
					return nil
				},
				close: transport.CloseIdleConnections,
			}
		}
	}
	overGRPC := func() sender {
		creds := insecure.NewCredentials()
		if secure != nil {
			creds = credentials.NewTLS(secure.Clone())
		}
		conn, err := grpc.NewClient("passthrough:///localhost", grpc.WithTransportCredentials(creds), grpc.WithDisableRetry(),
			grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) {
				return new(net.Dialer).DialContext(ctx, h.receiver.grpcAddr.Network(), h.receiver.grpcAddr.String())
			}))
		require.NoError(t, err)
		own := *h
		own.conn = conn
		return sender{
			send: func(token string) error {
				_, err := own.send(own.withToken(token), exportMethod(traces), protoOf(t, requestOf(traces)))
				if err != nil && strings.Contains(err.Error(), "Unauthorized") {
					return errUnauthorized
				}
				return err
			},
			close: func() { _ = conn.Close() },
		}
	}
	all := map[string]func() sender{"http": overHTTP(1), "grpc": overGRPC}
	if secure != nil {
		all["http/2"] = overHTTP(2)
	}
	return all
}

// At the limit, those without a token make room and those with one stay: over
// every transport, so that each knows whose connection a request came over.
func TestConnectionsAreBounded(t *testing.T) {
	certs := newCertificates(t)
	for _, network := range []string{"tcp", "tls", "unix"} {
		var secure *tls.Config
		config := func(cfg *Config) {
			cfg.MaxConnections = 2
			switch network {
			case "tls":
				cfg.Protocols.GRPC.Get().TLS = certs.server(false)
				cfg.Protocols.HTTP.Get().TLS = certs.server(false)
			case "unix":
				dir := t.TempDir()
				cfg.Protocols.GRPC.Get().NetAddr = confignet.AddrConfig{Transport: confignet.TransportTypeUnix, Endpoint: filepath.Join(dir, "g")}
				cfg.Protocols.HTTP.Get().NetAddr = confignet.AddrConfig{Transport: confignet.TransportTypeUnix, Endpoint: filepath.Join(dir, "h")}
			}
		}
		if network == "tls" {
			secure = certs.client
		}
		h := start(t, options{config: config})
		for name, newSender := range sendersOver(t, h, secure) {
			t.Run(network+"/"+name, func(t *testing.T) {
				transport := strings.TrimSuffix(name, "/2")
				open := func() int64 { return h.counted("otelcol_token_otlp_open_connections", "transport", transport) }
				closed := func(reason string) int64 {
					return h.counted("otelcol_token_otlp_closed_connections", "transport", transport, "reason", reason)
				}
				evicted, refused := closed("evicted"), closed("refused")

				stranger, first, second, third := newSender(), newSender(), newSender(), newSender()
				for _, s := range []sender{stranger, first, second, third} {
					defer s.close()
				}
				require.ErrorIs(t, stranger.send("wrong-token"), errUnauthorized)
				require.NoError(t, first.send(shopToken))
				require.Equal(t, int64(2), open())
				require.NoError(t, second.send(otherToken), "in place of the stranger")
				require.Equal(t, evicted+1, closed("evicted"))
				require.Equal(t, int64(2), open())
				require.Error(t, third.send(shopToken), "both have shown a token")
				require.Less(t, refused, closed("refused"))
				require.NoError(t, first.send(shopToken))
				require.NoError(t, second.send(shopToken))
				require.Equal(t, evicted+1, closed("evicted"))
				for _, s := range []sender{stranger, first, second, third} {
					s.close()
				}
				require.Eventually(t, func() bool { return open() == 0 }, 10*time.Second, time.Millisecond)
			})
		}
	}
}

func TestMutualTLS(t *testing.T) {
	certs := newCertificates(t)
	h := start(t, options{config: func(cfg *Config) {
		cfg.Protocols.GRPC.Get().TLS = certs.server(true)
		cfg.Protocols.HTTP.Get().TLS = certs.server(true)
	}})
	for name, newSender := range sendersOver(t, h, certs.withOwn()) {
		s := newSender()
		require.NoError(t, s.send(shopToken), name)
		require.ErrorIs(t, s.send("wrong-token"), errUnauthorized, "%s: a certificate is not a token", name)
		s.close()
	}
	for name, newSender := range sendersOver(t, h, certs.client) {
		s := newSender()
		err := s.send(shopToken)
		require.Error(t, err, name)
		require.NotErrorIs(t, err, errUnauthorized)
		s.close()
	}
}

func TestFailedHandshakesAreNoErrors(t *testing.T) {
	certs := newCertificates(t)
	h := start(t, options{config: func(cfg *Config) { cfg.Protocols.HTTP.Get().TLS = certs.server(false) }})
	_, err := rawHTTP(t, h.dialHTTP(t), "GET / HTTP/1.1\r\n\r\n")
	require.NoError(t, err) // net/http says in plain text that it wants TLS
	lines := func() []observer.LoggedEntry { return h.logs.FilterMessageSnippet("TLS handshake").All() }
	require.Eventually(t, func() bool { return len(lines()) == 1 }, 10*time.Second, time.Millisecond)
	require.Equal(t, zapcore.DebugLevel, lines()[0].Level)
}

func TestPanicsAreErrors(t *testing.T) {
	core, logs := observer.New(zapcore.DebugLevel)
	_, err := serverLog{zap.New(core)}.Write([]byte("http: panic serving localhost: oh\n"))
	require.NoError(t, err)
	require.Equal(t, zapcore.ErrorLevel, logs.All()[0].Level)
	require.Equal(t, "http: panic serving localhost: oh", logs.All()[0].Message)
}

func TestLargeBodyOverHTTP2(t *testing.T) {
	certs := newCertificates(t)
	h := start(t, options{config: func(cfg *Config) { cfg.Protocols.HTTP.Get().TLS = certs.server(false) }})
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: certs.client, ForceAttemptHTTP2: true}}
	defer client.CloseIdleConnections()
	body := `{"a":"` + strings.Repeat("x", 5<<20) + `"}`
	req, err := http.NewRequest(http.MethodPost, "https://"+h.receiver.httpAddr.String()+"/", strings.NewReader(body))
	require.NoError(t, err)
	req.Header.Set("Authorization", "Bearer "+shopToken)
	resp, err := client.Do(req)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, 2, resp.ProtoMajor)
	require.Equal(t, http.StatusAccepted, resp.StatusCode)
}

func TestCORS(t *testing.T) {
	for name, allowed := range map[string][]string{"no headers configured": nil, "others configured": {"X-Tenant"}} {
		t.Run(name, func(t *testing.T) {
			h := start(t, options{config: func(cfg *Config) {
				cfg.Protocols.HTTP.Get().CORS = configoptional.Some(confighttp.CORSConfig{AllowedOrigins: []string{"https://*.example.com"}, AllowedHeaders: allowed})
			}})
			preflight := h.http(call{method: http.MethodOptions, path: "/v1/traces", headers: map[string]string{
				"Origin": "https://shop.example.com", "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization,content-type",
			}})
			require.Equal(t, http.StatusNoContent, preflight.status)
			require.Equal(t, "https://shop.example.com", preflight.headers.Get("Access-Control-Allow-Origin"))
			require.Equal(t, "authorization,content-type", preflight.headers.Get("Access-Control-Allow-Headers"))
			span := jsonOf(t, requestOf(traces))
			for token, status := range map[string]int{shopToken: 200, "wrong-token": 401} {
				got := h.http(call{path: "/v1/traces", body: span, headers: map[string]string{
					"Origin": "https://shop.example.com", "Content-Type": jsonType, "Authorization": "Bearer " + token,
				}})
				require.Equal(t, status, got.status)
				require.Equal(t, "https://shop.example.com", got.headers.Get("Access-Control-Allow-Origin"), "the script must see the answer")
				require.Equal(t, "Retry-After", got.headers.Get("Access-Control-Expose-Headers"))
			}
			other := h.http(call{method: http.MethodOptions, path: "/v1/traces", headers: map[string]string{
				"Origin": "https://example.net", "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization",
			}})
			require.Empty(t, other.headers.Get("Access-Control-Allow-Origin"))
		})
	}
}
