package tokenotlpreceiver

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"time"

	"go.opentelemetry.io/collector/component/componentstatus"
	"go.opentelemetry.io/collector/config/confighttp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/spanlake/spanlake/receiver/tokenotlpreceiver/internal/conns"
)

const (
	// maxUnanswered bounds the bytes that all connections of a server have sent of
	// requests before their token is known. It is there for headers sent in drips:
	// in memory, the smallest take sixteen times what they are on the wire.
	maxUnanswered = 2 << 20

	// What is left out of that for each connection: what net/http and gRPC read at a
	// time.
	freeHTTP = 4 << 10
	freeGRPC = 32 << 10

	// writeTimeout bounds how long a gRPC client may leave an answer unread. For
	// HTTP, write_timeout does.
	writeTimeout = 30 * time.Second
)

// http2Limits bound what a connection with HTTP/2, thus with TLS, makes the server
// hold beside the budget: the bodies of all its streams before they are read.
var http2Limits = &http.HTTP2Config{
	MaxConcurrentStreams:          defaultMaxConcurrentStreams,
	MaxReceiveBufferPerConnection: 256 << 10,
	MaxReceiveBufferPerStream:     128 << 10,
	SendPingTimeout:               defaultPingInterval,
	PingTimeout:                   defaultPingTimeout,
	WriteByteTimeout:              writeTimeout,
}

// newTable returns the table of connections of a server.
func (r *tokenReceiver) newTable(tr transport) *conns.Table {
	limits := conns.Limits{Open: r.cfg.MaxConnections, Unanswered: maxUnanswered, Free: freeHTTP}
	if tr == overGRPC {
		limits.Write, limits.Free = writeTimeout, freeGRPC
	}
	return conns.New(limits, newConnectionCounts(r.telemetry, tr))
}

// listenHTTP is ToListener of the configuration, with the table below TLS, for
// the server must see TLS to speak HTTP/2.
func listenHTTP(ctx context.Context, cfg *confighttp.ServerConfig, table *conns.Table) (net.Listener, error) {
	var config *tls.Config
	if cfg.TLS.HasValue() {
		var err error
		if config, err = cfg.TLS.Get().LoadTLSConfig(ctx); err != nil {
			return nil, err
		}
		config.NextProtos = []string{"h2", "http/1.1"}
	}
	l, err := cfg.NetAddr.Listen(ctx)
	if err != nil {
		return nil, err
	}
	l = table.Listen(l)
	if config != nil {
		l = tls.NewListener(l, config)
	}
	return l, nil
}

// serverLog is where net/http logs to. Almost all of that are faults of clients, of
// which whoever can connect makes as many as they like.
type serverLog struct{ logger *zap.Logger }

// Write implements io.Writer.
func (l serverLog) Write(line []byte) (int, error) {
	level := zapcore.DebugLevel
	if bytes.HasPrefix(line, []byte("http: panic")) || bytes.HasPrefix(line, []byte("http2: panic")) {
		level = zapcore.ErrorLevel
	}
	l.logger.Log(level, string(bytes.TrimRight(line, "\n")))
	return len(line), nil
}

// connectionCounts counts the connections of a server.
type connectionCounts struct {
	telemetry telemetry
	open      metric.MeasurementOption
	closed    map[conns.Reason]metric.MeasurementOption
}

func newConnectionCounts(t telemetry, tr transport) connectionCounts {
	set := func(more ...attribute.KeyValue) metric.MeasurementOption {
		return metric.WithAttributeSet(attribute.NewSet(append(more, attribute.String("transport", tr.String()))...))
	}
	c := connectionCounts{telemetry: t, open: set(), closed: make(map[conns.Reason]metric.MeasurementOption)}
	for _, reason := range []conns.Reason{conns.Evicted, conns.Refused, conns.Flooding} {
		c.closed[reason] = set(attribute.String("reason", string(reason)))
	}
	return c
}

// Opened implements conns.Observer.
func (c connectionCounts) Opened(delta int64) {
	c.telemetry.builder.TokenOtlpOpenConnections.Add(context.Background(), delta, c.open)
}

// Closed implements conns.Observer.
func (c connectionCounts) Closed(reason conns.Reason) {
	c.telemetry.builder.TokenOtlpClosedConnections.Add(context.Background(), 1, c.closed[reason])
}

// watched reports when connections cannot be accepted for a while, as when there
// are no file descriptors left. Both servers then try again by themselves.
type watched struct {
	net.Listener
	report  func(*componentstatus.Event)
	failing bool // of the goroutine that accepts
}

// Accept implements net.Listener.
func (w *watched) Accept() (net.Conn, error) {
	c, err := w.Listener.Accept()
	temporary, ok := errors.AsType[interface {
		error
		Temporary() bool
	}](err)
	switch {
	case ok && temporary.Temporary() && !w.failing:
		w.failing = true
		w.report(componentstatus.NewRecoverableErrorEvent(err))
	case err == nil && w.failing:
		w.failing = false
		w.report(componentstatus.NewEvent(componentstatus.StatusOK))
	}
	return c, err
}
