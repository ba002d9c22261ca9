package tokenotlpreceiver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/config/configopaque"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.uber.org/zap/zapcore"
)

// rig is a receiver with two sources that have token files, shop and billing,
// and one that has not.
type rig struct {
	*harness
	shop, billing string // paths
	ticks         chan time.Time
	host          *statusHost
}

func startRig(t *testing.T) *rig {
	t.Helper()
	dir := t.TempDir()
	g := &rig{
		shop: filepath.Join(dir, "shop"), billing: filepath.Join(dir, "billing"),
		ticks: make(chan time.Time), host: &statusHost{Host: componenttest.NewNopHost()},
	}
	require.NoError(t, os.WriteFile(g.shop, []byte("shop-token-a\n"), 0o600))
	require.NoError(t, os.WriteFile(g.billing, []byte("billing-token-a\n"), 0o600))
	g.harness = start(t, options{ticks: g.ticks, host: g.host, config: func(cfg *Config) {
		cfg.Sources = []Source{
			{Name: "shop", Tokens: []configopaque.String{shopToken}, TokenFile: g.shop},
			{Name: "billing", TokenFile: g.billing},
			{Name: "other", Tokens: []configopaque.String{otherToken}},
		}
	}})
	return g
}

func (g *rig) write(path, content string) {
	g.t.Helper()
	require.NoError(g.t, os.WriteFile(path, []byte(content), 0o600))
}

// polls waits for n polls to be made. That the tick after them is taken tells
// that they are over: its own poll finds what the last of them found.
func (g *rig) polls(n int) {
	g.t.Helper()
	for range n {
		g.ticks <- time.Time{}
	}
	// The file system does not change meanwhile, so that a poll more does no harm.
	g.ticks <- time.Time{}
}

// is requires that the token is that of a source, "" for none.
func (g *rig) is(token, source string) {
	g.t.Helper()
	found := g.receiver.tokens.authenticate([]string{"Bearer " + token})
	if source == "" {
		require.Nil(g.t, found, token)
		return
	}
	require.NotNil(g.t, found, token)
	require.Equal(g.t, source, found.name)
}

func (g *rig) warnings() []string {
	var all []string
	for _, entry := range g.logs.FilterLevelExact(zapcore.WarnLevel).All() {
		fields := entry.ContextMap()
		all = append(all, fmt.Sprint(fields["source"], ": ", fields["error"]))
	}
	return all
}

// status returns the last status reported, and how many there were.
func (h *statusHost) status() (*componentstatus.Event, int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.events) == 0 {
		return nil, 0
	}
	return h.events[len(h.events)-1], len(h.events)
}

func (g *rig) reloads(source, outcome string) int64 {
	g.t.Helper()
	m, err := g.telemetry.GetMetric("otelcol_token_otlp_token_file_reloads")
	if err != nil {
		return 0
	}
	for _, p := range m.Data.(metricdata.Sum[int64]).DataPoints {
		if p.Attributes.Equals(new(attribute.NewSet(attribute.String("source", source), attribute.String("outcome", outcome)))) {
			return p.Value
		}
	}
	return 0
}

func TestTokensOfAFileStandBesideThoseOfTheConfig(t *testing.T) {
	g := startRig(t)
	g.is("shop-token-a", "shop")
	g.is(shopToken, "shop")
	g.is("billing-token-a", "billing")
	g.is(otherToken, "other")
	require.Same(t, g.receiver.tokens.authenticate([]string{"Bearer shop-token-a"}), g.receiver.tokens.authenticate([]string{"Bearer " + shopToken}))
	require.Equal(t, 202, g.http(call{path: "/", headers: map[string]string{"Authorization": "Bearer billing-token-a"}, body: []byte("{}")}).status)
	require.Contains(t, g.received(logs), `"stringValue":"billing"`)
}

func TestChangedTokenFileIsTaken(t *testing.T) {
	for name, change := range map[string]func(path, content string) error{
		"in place": func(path, content string) error { return os.WriteFile(path, []byte(content), 0o600) },
		"renamed over": func(path, content string) error {
			return errors.Join(os.WriteFile(path+".new", []byte(content), 0o600), os.Rename(path+".new", path))
		},
		"removed and made anew": func(path, content string) error {
			return errors.Join(os.Remove(path), os.WriteFile(path, []byte(content), 0o600))
		},
		"same size and time": func(path, content string) error {
			info, err := os.Stat(path)
			if err != nil {
				return err
			}
			return errors.Join(os.WriteFile(path, []byte(content), 0o600), os.Chtimes(path, info.ModTime(), info.ModTime()))
		},
	} {
		t.Run(name, func(t *testing.T) {
			g := startRig(t)
			require.NoError(t, change(g.shop, "shop-token-b\n"))
			g.polls(2)
			g.is("shop-token-b", "shop")
			g.is("shop-token-a", "")
			g.is(shopToken, "shop")
			g.is("billing-token-a", "billing")
			require.Equal(t, int64(1), g.reloads("shop", "ok"))
			require.Zero(t, g.reloads("billing", "ok"))
			require.Equal(t, 1, g.logs.FilterMessage("Token file has changed and is in force").Len())
			require.Empty(t, g.warnings())
			_, reports := g.host.status()
			require.Zero(t, reports)
		})
	}
}

// Kubernetes mounts a secret as file -> ..data/file, ..data -> a directory by
// date, and renames another ..data over it.
func TestTokenFileOfASwappedMountIsTaken(t *testing.T) {
	dir := t.TempDir()
	publish := func(version, content string) {
		require.NoError(t, os.Mkdir(filepath.Join(dir, version), 0o700))
		require.NoError(t, os.WriteFile(filepath.Join(dir, version, "shop"), []byte(content), 0o600))
		require.NoError(t, os.Symlink(version, filepath.Join(dir, "..data_tmp")))
		require.NoError(t, os.Rename(filepath.Join(dir, "..data_tmp"), filepath.Join(dir, "..data")))
	}
	publish("..2026_01", "shop-token-a")
	path := filepath.Join(dir, "shop")
	require.NoError(t, os.Symlink("..data/shop", path))
	ticks := make(chan time.Time)
	g := &rig{ticks: ticks, harness: start(t, options{ticks: ticks, config: func(cfg *Config) {
		cfg.Sources = []Source{{Name: "shop", TokenFile: path}}
	}})}
	g.is("shop-token-a", "shop")
	publish("..2026_02", "shop-token-b")
	require.NoError(t, os.RemoveAll(filepath.Join(dir, "..2026_01")))
	g.polls(2)
	g.is("shop-token-b", "shop")
	g.is("shop-token-a", "")
}

func TestRotationByTheFileHasNoGap(t *testing.T) {
	g := startRig(t)
	g.write(g.shop, "shop-token-a\nshop-token-b\n")
	g.polls(2)
	g.is("shop-token-a", "shop")
	g.is("shop-token-b", "shop")
	g.write(g.shop, "shop-token-b\n")
	g.polls(2)
	g.is("shop-token-a", "")
	g.is("shop-token-b", "shop")
	require.Equal(t, int64(2), g.reloads("shop", "ok"))
}

// A poll amid an in-place write sees a file cut off: at nothing, within a token,
// between tokens. Nothing is made of that, not even a warning.
func TestHalfWrittenTokenFileIsNotTaken(t *testing.T) {
	files := func(g *rig) *tokenFiles {
		return newTokenFiles(g.cfg, g.receiver.sources, g.receiver.tokens, g.receiver.telemetry, g.receiver.set.Logger, g.receiver.report)
	}
	whole := "shop-token-a\nshop-token-b\nshop-token-c\n"
	for cut := range whole {
		g := startRig(t)
		polled := files(g)
		require.NoError(t, polled.load())
		g.write(g.shop, whole[:cut])
		polled.poll(t.Context())
		g.is("shop-token-a", "shop")
		g.is("shop-token-b", "")
		g.write(g.shop, whole)
		polled.poll(t.Context())
		g.is("shop-token-a", "shop")
		polled.poll(t.Context())
		g.is("shop-token-a", "shop")
		g.is("shop-token-b", "shop")
		g.is("shop-token-c", "shop")
		require.Empty(t, g.warnings())
		_, reports := g.host.status()
		require.Zero(t, reports)
	}
}

func TestTokenFileThatKeepsChangingIsReported(t *testing.T) {
	g := startRig(t)
	r := g.receiver
	files := newTokenFiles(g.cfg, r.sources, r.tokens, r.telemetry, r.set.Logger, r.report) // polled here
	require.NoError(t, files.load())
	for i := range maxChanges + 2 {
		require.Equal(t, i >= maxChanges, len(g.warnings()) == 1, "once")
		g.write(g.shop, fmt.Sprintf("shop-token-%d\n", i))
		files.poll(t.Context())
	}
	require.Equal(t, []string{"shop: " + errUnstable.Error()}, g.warnings())
	require.Equal(t, int64(3), g.reloads("shop", "failed"))
	event, _ := g.host.status()
	require.Equal(t, componentstatus.StatusRecoverableError, event.Status())
	g.is("shop-token-a", "shop")

	files.poll(t.Context())
	g.is(fmt.Sprintf("shop-token-%d", maxChanges+1), "shop")
	event, _ = g.host.status()
	require.Equal(t, componentstatus.StatusOK, event.Status())
	require.Len(t, g.warnings(), 1)
}

func TestRequestOfARemovedTokenFinishes(t *testing.T) {
	next := &blocking{entered: make(chan struct{}), release: make(chan struct{})}
	path := filepath.Join(t.TempDir(), "shop")
	require.NoError(t, os.WriteFile(path, []byte("shop-token-a"), 0o600))
	ticks := make(chan time.Time)
	g := &rig{ticks: ticks, harness: start(t, options{ticks: ticks, next: &consumers{logs: next}, config: func(cfg *Config) {
		cfg.Sources = []Source{{Name: "shop", TokenFile: path}}
	}})}
	send := func() int {
		return g.http(call{path: "/", headers: map[string]string{"Authorization": "Bearer shop-token-a"}, body: []byte("{}")}).status
	}
	done := make(chan int, 1)
	go func() { done <- send() }()
	<-next.entered
	g.write(path, "shop-token-b")
	g.polls(2)
	require.Equal(t, 401, send())
	close(next.release)
	require.Equal(t, 202, <-done)
}

// Tokens that stay are found at any time, others by the table before or after.
func TestLookupsDuringReplacement(t *testing.T) {
	sources := manySources(100)
	table := tableOf(sources)
	owners := newSources(sources, testTime)
	even := configured(sources[:50], owners[:50])
	all := configured(sources, owners)
	stop := make(chan struct{})
	var lookups sync.WaitGroup
	errs := make(chan error, 4)
	for range 4 {
		lookups.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if s := table.authenticate([]string{"Bearer first-token-00000001"}); s == nil || s.name != "s1" {
					errs <- errors.New("a token that stays was not found")
					return
				}
				if s := table.authenticate([]string{"Bearer first-token-00000099"}); s != nil && s.name != "s99" {
					errs <- errors.New("a token was found for another")
					return
				}
			}
		})
	}
	for range 500 {
		table.replace(even)
		table.replace(all)
	}
	close(stop)
	lookups.Wait()
	require.Empty(t, errs)
}

// BenchmarkStart is what ten thousand sources cost when the receiver is made and
// started: two tokens each in the configuration, or in files.
func BenchmarkStart(b *testing.B) {
	b.Run("tokens", func(b *testing.B) {
		sources := manySources(10_000)
		b.ReportAllocs()
		for b.Loop() {
			configured(sources, newSources(sources, testTime))
		}
	})
	dir := b.TempDir()
	sources := manySources(10_000)
	for i := range sources {
		sources[i].TokenFile = filepath.Join(dir, sources[i].Name)
		var content strings.Builder
		for _, token := range sources[i].Tokens {
			_, _ = io.WriteString(&content, string(token)+"\n")
		}
		require.NoError(b, os.WriteFile(sources[i].TokenFile, []byte(content.String()), 0o600))
		sources[i].Tokens = nil
	}
	cfg := testConfig()
	cfg.Sources = sources
	owners := newSources(sources, testTime)
	made := func() *tokenFiles {
		return newTokenFiles(cfg, owners, newTokenTable(configured(sources, owners)), telemetry{}, nil, nil)
	}
	b.Run("files", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			require.NoError(b, made().load())
		}
	})
	b.Run("poll", func(b *testing.B) {
		files := made()
		require.NoError(b, files.load())
		b.ReportAllocs()
		for b.Loop() {
			files.poll(context.Background())
		}
	})
}
