package tokenotlpreceiver

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.opentelemetry.io/collector/config/configgrpc"
	"go.opentelemetry.io/collector/receiver"
	"go.opentelemetry.io/collector/receiver/receiverhelper"
	"go.uber.org/zap"
	"google.golang.org/grpc"

	"github.com/spanlake/spanlake/receiver/tokenotlpreceiver/internal/body"
	"github.com/spanlake/spanlake/receiver/tokenotlpreceiver/internal/conns"
	"github.com/spanlake/spanlake/receiver/tokenotlpreceiver/internal/wire"
)

const mib = 1 << 20

// shutdownGrace is how long a sender that is slow to finish its request can hold
// a shutdown.
const shutdownGrace = time.Second

var errShutDown = errors.New("receiver has been shut down")

// tokenReceiver is the one receiver behind the components of a configuration,
// of which the Collector makes one for each signal. The first Start starts it,
// the first Shutdown ends it.
type tokenReceiver struct {
	cfg       *Config
	set       receiver.Settings
	next      consumers // complete before Start
	sources   []*source
	tokens    *tokenTable
	bodies    *body.Reader
	ingest    *ingest
	telemetry telemetry
	grace     time.Duration // shutdownGrace but in tests
	every     func(time.Duration) (ticks <-chan time.Time, stop func())
	onClose   func()

	serving sync.WaitGroup

	// Those of grpcServer.
	messageTimeout, endTimeout time.Duration

	mu       sync.Mutex // guards everything below
	started  bool
	closed   bool
	hosts    []component.Host
	unwatch  context.CancelFunc // ends the watch of token files; nil if there are none
	grpc     *grpc.Server
	http     *http.Server
	grpcAddr net.Addr
	httpAddr net.Addr
}

func newTokenReceiver(cfg *Config, set receiver.Settings, now func() time.Time, onClose func()) (*tokenReceiver, error) {
	t, err := newTelemetry(set.TelemetrySettings)
	if err != nil {
		return nil, err
	}
	sources := newSources(cfg.Sources, now())
	r := &tokenReceiver{
		cfg:       cfg,
		set:       set,
		sources:   sources,
		tokens:    newTokenTable(configured(cfg.Sources, sources)),
		telemetry: t,
		grace:     shutdownGrace,
		every:     every,
		onClose:   onClose,
		bodies: &body.Reader{
			MaxReceived: cfg.MaxRequestSizeMiB * mib,
			MaxPlain:    cfg.MaxUncompressedSizeMiB * mib,
			Budget:      body.NewBudget(cfg.MaxInFlightMiB * mib),
		},
	}
	r.messageTimeout, r.endTimeout = messageTimeout, endTimeout
	r.ingest = &ingest{
		next:      &r.next,
		telemetry: t,
		budget:    r.bodies.Budget, // one for all that requests hold
		limits:    wire.Limits{Depth: cfg.MaxAttributeDepth, Decoded: cfg.MaxDecodedSizeMiB * mib},
		now:       now,
	}
	for tr := range transports {
		r.ingest.obs[tr], err = receiverhelper.NewObsReport(receiverhelper.ObsReportSettings{
			ReceiverID:             set.ID,
			Transport:              tr.String(),
			ReceiverCreateSettings: set,
		})
		if err != nil {
			return nil, err
		}
	}
	return r, nil
}

// Start implements component.Component.
func (r *tokenReceiver) Start(ctx context.Context, host component.Host) error {
	started, err := r.start(ctx, host)
	if started && err != nil {
		return errors.Join(err, r.Shutdown(ctx))
	}
	return err
}

// start starts the servers, unless that has been done, and reports whether it
// was this call that did.
func (r *tokenReceiver) start(ctx context.Context, host component.Host) (bool, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return false, errShutDown
	}
	r.hosts = append(r.hosts, host)
	if r.started {
		return false, nil
	}
	r.started = true
	if err := r.watchTokenFiles(); err != nil {
		return true, err
	}
	if err := r.startGRPC(ctx, host); err != nil {
		return true, err
	}
	return true, r.startHTTP(ctx, host)
}

// watchTokenFiles reads the token files, and again whenever they change.
func (r *tokenReceiver) watchTokenFiles() error {
	files := newTokenFiles(r.cfg, r.sources, r.tokens, r.telemetry, r.set.Logger, r.report)
	if len(files.files) == 0 {
		return nil
	}
	if err := files.load(); err != nil {
		return err
	}
	var ctx context.Context
	ctx, r.unwatch = context.WithCancel(context.Background())
	ticks, stop := r.every(pollInterval)
	r.serving.Go(func() {
		defer stop()
		files.run(ctx, ticks)
	})
	return nil
}

func every(d time.Duration) (<-chan time.Time, func()) {
	t := time.NewTicker(d)
	return t.C, t.Stop
}

func (r *tokenReceiver) startGRPC(ctx context.Context, host component.Host) error {
	if !r.cfg.Protocols.GRPC.HasValue() {
		return nil
	}
	cfg := *r.cfg.Protocols.GRPC.Get()
	table := r.newTable(overGRPC)
	front := &grpcServer{ingest: r.ingest, tokens: r.tokens, bodies: r.bodies, table: table, messageTimeout: r.messageTimeout, endTimeout: r.endTimeout}
	var options []configgrpc.ToServerOption
	for _, o := range front.options() {
		options = append(options, configgrpc.WithGrpcServerOption(o))
	}
	server, err := cfg.ToServer(ctx, host.GetExtensions(), r.set.TelemetrySettings, options...)
	if err != nil {
		return err
	}
	front.register(server)
	listener, err := cfg.NetAddr.Listen(ctx)
	if err != nil {
		server.Stop()
		return err
	}
	r.grpc, r.grpcAddr = server, listener.Addr()
	r.serve("gRPC", table.Listen(listener), server.Serve, grpc.ErrServerStopped)
	return nil
}

func (r *tokenReceiver) startHTTP(ctx context.Context, host component.Host) error {
	if !r.cfg.Protocols.HTTP.HasValue() {
		return nil
	}
	cfg := *r.cfg.Protocols.HTTP.Get()
	cfg.MaxRequestBodySize = r.bodies.MaxReceived
	// None: the body must come to the handler as it was sent, because confighttp
	// knows one limit for a body compressed and not.
	cfg.CompressionAlgorithms = []string{}
	cfg.CORS = withHeadersOfClients(cfg.CORS)
	handler := &httpHandler{ingest: r.ingest, tokens: r.tokens, bodies: r.bodies, writeTimeout: cfg.WriteTimeout}
	server, err := cfg.ToServer(ctx, host.GetExtensions(), r.set.TelemetrySettings, handler)
	if err != nil {
		return err
	}
	server.MaxHeaderBytes = maxHeaderBytes
	server.DisableGeneralOptionsHandler = true // it would answer OPTIONS * to anyone
	server.HTTP2 = http2Limits
	server.ErrorLog.SetOutput(serverLog{r.set.Logger})
	server.ConnContext = conns.NewContext
	server.ConnState = conns.State(server.ConnState)
	listener, err := listenHTTP(ctx, &cfg, r.newTable(overHTTP))
	if err != nil {
		return err
	}
	r.http, r.httpAddr = server, listener.Addr()
	r.serve("HTTP", listener, server.Serve, http.ErrServerClosed)
	return nil
}

// serve runs a server until it is stopped. One that dies before reports it to
// the Collector, which then ends.
func (r *tokenReceiver) serve(name string, l net.Listener, serve func(net.Listener) error, stopped error) {
	r.set.Logger.Info("Listening", zap.String("protocol", name), zap.Stringer("endpoint", l.Addr()))
	r.serving.Go(func() {
		if err := serve(&watched{Listener: l, report: r.report}); err != nil && !errors.Is(err, stopped) {
			r.report(componentstatus.NewFatalErrorEvent(err))
		}
	})
}

// report tells the Collector how the components are that the receiver stands for.
func (r *tokenReceiver) report(event *componentstatus.Event) {
	r.mu.Lock()
	hosts := r.hosts
	r.mu.Unlock()
	for _, host := range hosts {
		componentstatus.ReportStatus(host, event)
	}
}

// Shutdown implements component.Component: requests under way are answered, for
// as long as grace and ctx allow. A request cut off then was not acknowledged.
func (r *tokenReceiver) Shutdown(ctx context.Context) error {
	r.mu.Lock()
	closed := r.closed
	grpcServer, httpServer := r.grpc, r.http
	unwatch := r.unwatch
	r.closed = true
	r.mu.Unlock()
	if closed {
		return nil
	}
	if unwatch != nil {
		unwatch()
	}
	defer r.onClose()
	defer r.telemetry.shutdown()

	drained := make(chan struct{})
	go func() {
		defer close(drained)
		r.drain(grpcServer, httpServer)
	}()
	grace, cancel := context.WithTimeout(ctx, r.grace)
	defer cancel()
	select {
	case <-drained:
		return nil
	case <-grace.Done():
	}
	r.ingest.shut.Store(true)
	// gRPC's Stop waits for handlers where GracefulStop was called before, and a
	// pipeline may not heed the context of its request: both are left behind.
	if grpcServer != nil {
		go grpcServer.Stop()
	}
	if httpServer != nil {
		return errors.Join(ctx.Err(), httpServer.Close())
	}
	return ctx.Err()
}

// drain returns when the last request has been answered, or its connection was
// closed.
func (r *tokenReceiver) drain(grpcServer *grpc.Server, httpServer *http.Server) {
	var draining sync.WaitGroup
	if grpcServer != nil {
		draining.Go(grpcServer.GracefulStop)
	}
	if httpServer != nil {
		draining.Go(func() { _ = httpServer.Shutdown(context.Background()) }) // its one error is that of its context
	}
	draining.Wait()
	r.serving.Wait()
}
