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
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/receiver/receivertest"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/metric/metricdata/metricdatatest"
	"go.uber.org/zap/zapcore"

	"github.com/spanlake/spanlake/receiver/tokenotlpreceiver/internal/metadata"
	"github.com/spanlake/spanlake/receiver/tokenotlpreceiver/internal/metadatatest"
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
	g.write(t, g.shop, "shop-token-a\n")
	g.write(t, g.billing, "billing-token-a\n")
	g.harness = start(t, options{ticks: g.ticks, host: g.host, config: func(cfg *Config) {
		cfg.Sources = []Source{
			{Name: "shop", Tokens: []configopaque.String{shopToken}, TokenFile: g.shop},
			{Name: "billing", TokenFile: g.billing},
			{Name: "other", Tokens: []configopaque.String{otherToken}},
		}
	}})
	return g
}

func (g *rig) write(t *testing.T, path, content string) {
	t.Helper()
	require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
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
		if p.Attributes.Equals(ptr(attribute.NewSet(attribute.String("source", source), attribute.String("outcome", outcome)))) {
			return p.Value
		}
	}
	return 0
}

func ptr[T any](v T) *T { return &v }

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
	for name, change := range map[string]func(t *testing.T, path, content string){
		"in place": func(t *testing.T, path, content string) {
			require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
		},
		"renamed over": func(t *testing.T, path, content string) {
			require.NoError(t, os.WriteFile(path+".new", []byte(content), 0o600))
			require.NoError(t, os.Rename(path+".new", path))
		},
		"removed and made anew": func(t *testing.T, path, content string) {
			require.NoError(t, os.Remove(path))
			require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
		},
		"same size and time": func(t *testing.T, path, content string) {
			info, err := os.Stat(path)
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
			require.NoError(t, os.Chtimes(path, info.ModTime(), info.ModTime()))
		},
	} {
		t.Run(name, func(t *testing.T) {
			g := startRig(t)
			change(t, g.shop, "shop-token-b\n")
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
	g.write(t, g.shop, "shop-token-a\nshop-token-b\n")
	g.polls(2)
	g.is("shop-token-a", "shop")
	g.is("shop-token-b", "shop")
	g.write(t, g.shop, "shop-token-b\n")
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
		g.write(t, g.shop, whole[:cut])
		polled.poll(t.Context())
		g.is("shop-token-a", "shop")
		g.is("shop-token-b", "")
		g.write(t, g.shop, whole)
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

func TestFaultyChangeLeavesTheFormerTokensInForce(t *testing.T) {
	for name, test := range map[string]struct {
		change func(t *testing.T, g *rig)
		want   string
	}{
		"removed": {func(t *testing.T, g *rig) { require.NoError(t, os.Remove(g.shop)) }, "no such file or directory"},
		"empty":   {func(t *testing.T, g *rig) { g.write(t, g.shop, "") }, "holds no token: at least one is needed"},
		"invalid": {func(t *testing.T, g *rig) { g.write(t, g.shop, "shop-token-a\nshort\n") }, "line 2: has 5 characters: a token must have at least 8"},
		"twice":   {func(t *testing.T, g *rig) { g.write(t, g.shop, "shop-token-b\nshop-token-b\n") }, "line 2: is the same token as line 1: a token must be listed once"},
		"a directory": {func(t *testing.T, g *rig) {
			require.NoError(t, os.Remove(g.shop))
			require.NoError(t, os.Mkdir(g.shop, 0o700))
		}, "is not a regular file"},
		"a token of another's config": {func(t *testing.T, g *rig) { g.write(t, g.shop, "shop-token-b\n"+otherToken) }, "line 2: is the same token as sources[2].tokens[0]: a token must be listed once"},
		"a token of another's file":   {func(t *testing.T, g *rig) { g.write(t, g.shop, "billing-token-a") }, "line 1: is the same token as line 1 of sources[1].token_file: a token must be listed once"},
		"a token of its own config":   {func(t *testing.T, g *rig) { g.write(t, g.shop, shopToken) }, "line 1: is the same token as sources[0].tokens[0]: a token must be listed once"},
	} {
		t.Run(name, func(t *testing.T) {
			g := startRig(t)
			test.change(t, g)
			// Another's change is taken meanwhile.
			g.write(t, g.billing, "billing-token-a\nbilling-token-b")
			g.polls(4)
			g.is("shop-token-a", "shop")
			g.is("shop-token-b", "")
			g.is(shopToken, "shop")
			g.is(otherToken, "other")
			g.is("billing-token-b", "billing")
			require.Equal(t, []string{"shop: " + test.want}, g.warnings(), "once")
			require.GreaterOrEqual(t, g.reloads("shop", "failed"), int64(3), "by each poll")
			event, reports := g.host.status()
			require.Equal(t, 3, reports, "one for each of three signals")
			require.Equal(t, componentstatus.StatusRecoverableError, event.Status())
			require.EqualError(t, event.Err(), fmt.Sprintf("sources[0].token_file: %q: %s", g.shop, test.want))

			require.NoError(t, os.RemoveAll(g.shop))
			g.write(t, g.shop, "shop-token-c")
			g.polls(2)
			g.is("shop-token-c", "shop")
			g.is("shop-token-a", "")
			event, reports = g.host.status()
			require.Equal(t, 6, reports)
			require.Equal(t, componentstatus.StatusOK, event.Status())
		})
	}
}

func TestTokenFileThatIsPutBackIsMended(t *testing.T) {
	g := startRig(t)
	g.write(t, g.shop, "short")
	g.polls(2)
	g.write(t, g.shop, "shop-token-a\n")
	g.polls(2)
	event, _ := g.host.status()
	require.Equal(t, componentstatus.StatusOK, event.Status())
	g.write(t, g.shop, "short")
	g.polls(2)
	require.Len(t, g.warnings(), 2, "the fault is a new one")
	metadatatest.AssertEqualTokenOtlpTokenFileReloads(t, g.telemetry, []metricdata.DataPoint[int64]{
		{Value: g.reloads("shop", "failed"), Attributes: attribute.NewSet(attribute.String("source", "shop"), attribute.String("outcome", "failed"))},
	}, metricdatatest.IgnoreTimestamp())
}

func TestTokenMayMoveFromFileToFile(t *testing.T) {
	g := startRig(t)
	g.write(t, g.shop, "billing-token-a")
	g.write(t, g.billing, "shop-token-a")
	g.polls(2)
	g.is("billing-token-a", "shop")
	g.is("shop-token-a", "billing")
	require.Empty(t, g.warnings())
	// One of them only, until the other follows.
	g.write(t, g.shop, "shop-token-a")
	g.polls(2)
	g.is("billing-token-a", "shop")
	require.Len(t, g.warnings(), 1)
	g.write(t, g.billing, "billing-token-b")
	g.polls(2)
	g.is("shop-token-a", "shop")
	g.is("billing-token-b", "billing")
	event, _ := g.host.status()
	require.Equal(t, componentstatus.StatusOK, event.Status())
}

// A file that cannot give up its token takes those down that wanted it.
func TestRefusedFileKeepsItsTokensFromOthers(t *testing.T) {
	g := startRig(t)
	g.write(t, g.shop, "shop-token-b\n"+otherToken)
	g.write(t, g.billing, "shop-token-a")
	g.polls(2)
	g.is("shop-token-a", "shop")
	g.is("billing-token-a", "billing")
	require.Equal(t, []string{
		"shop: line 2: is the same token as sources[2].tokens[0]: a token must be listed once",
		"billing: line 1: is the same token as line 1 of sources[0].token_file: a token must be listed once",
	}, g.warnings())
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
	g.write(t, path, "shop-token-b")
	g.polls(2)
	require.Equal(t, 401, send())
	close(next.release)
	require.Equal(t, 202, <-done)
}

func TestFaultyTokenFileStopsTheStart(t *testing.T) {
	dir := t.TempDir()
	file := func(name, content string) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
		return path
	}
	missing := filepath.Join(dir, "missing")
	good, bad, empty, development := file("good", "good-token-1\ngood-token-2"), file("bad", "bad token\n\nshort"), file("empty", "\n"), file("development", developmentToken)
	for name, test := range map[string]struct {
		sources []Source
		exposed bool
		want    []string
	}{
		"all of their own": {sources: []Source{{TokenFile: missing}, {TokenFile: bad}, {TokenFile: good}, {TokenFile: empty}}, want: []string{
			fmt.Sprintf(`sources[0].token_file: %q: no such file or directory`, missing),
			fmt.Sprintf(`sources[1].token_file: %q: line 1: has a blank, a line break or a character beyond ASCII at position 3: no client could send it`, bad),
			`line 3: has 5 characters: a token must have at least 8`,
			fmt.Sprintf(`sources[3].token_file: %q: holds no token: at least one is needed`, empty),
		}},
		"token of the config": {sources: []Source{{TokenFile: good}, {Tokens: []configopaque.String{"good-token-2"}}}, want: []string{
			fmt.Sprintf(`sources[0].token_file: %q: line 2: is the same token as sources[1].tokens[0]: a token must be listed once`, good),
		}},
		"token of another file": {sources: []Source{{TokenFile: good}, {TokenFile: file("copy", "\n\ngood-token-1\r\n")}}, want: []string{
			fmt.Sprintf(`sources[1].token_file: %q: line 3: is the same token as line 1 of sources[0].token_file: a token must be listed once`, filepath.Join(dir, "copy")),
		}},
		"development token in the open": {sources: []Source{{TokenFile: development}}, exposed: true, want: []string{
			fmt.Sprintf(`sources[0].token_file: %q: line 1: is the development token, which everyone knows, and protocols.grpc.endpoint is ":0": it may be used on loopback endpoints only`, development),
		}},
		"development token on loopback": {sources: []Source{{TokenFile: development}}},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := testConfig()
			cfg.Sources = test.sources
			for i := range cfg.Sources {
				cfg.Sources[i].Name = fmt.Sprintf("s%d", i)
			}
			if test.exposed {
				cfg.Protocols.GRPC.Get().NetAddr.Endpoint = ":0"
			}
			require.NoError(t, cfg.Validate(), "it does not look at files")
			r, err := NewFactory().CreateTraces(t.Context(), receivertest.NewNopSettings(metadata.Type), cfg, consumertest.NewNop())
			require.NoError(t, err)
			err = r.Start(t.Context(), componenttest.NewNopHost())
			require.NoError(t, r.Shutdown(t.Context()))
			if test.want == nil {
				require.NoError(t, err)
				return
			}
			require.EqualError(t, err, strings.Join(test.want, "\n"))
			require.Nil(t, r.(*tokenReceiver).grpcAddr, "before anything listens")
			require.NotContains(t, err.Error(), "good-token")
		})
	}
}

func TestTokensOfFilesAreNotTold(t *testing.T) {
	g := startRig(t)
	g.write(t, g.shop, "billing-token-a\nsecret-token-1")
	g.polls(2)
	g.write(t, g.shop, "secret-token-1\nsecret-token-1\nsecret token\nsecre")
	g.polls(2)
	g.write(t, g.shop, "secret-token-1\nshop-token-a")
	g.polls(2)
	g.is("secret-token-1", "shop")
	told := ""
	for _, entry := range g.logs.All() {
		told += entry.Message
		for _, v := range entry.ContextMap() {
			told += fmt.Sprint(v)
		}
	}
	event, _ := g.host.status()
	told += fmt.Sprint(event.Err())
	require.Contains(t, told, "line 1")
	require.NotContains(t, told, "-token-")
	require.NotContains(t, told, "secre")
	require.NotContains(t, fmt.Sprintf("%+v", g.receiver.tokens), "-token-")
	require.NotContains(t, fmt.Sprintf("%+v", *g.receiver.tokens.tokens.Load()), "-token-")
}

func TestPollAfterShutdownReportsNothing(t *testing.T) {
	g := startRig(t)
	files := newTokenFiles(g.cfg, g.receiver.sources, g.receiver.tokens, g.receiver.telemetry, g.receiver.set.Logger, g.receiver.report)
	require.NoError(t, files.load())
	require.NoError(t, os.Remove(g.shop))
	ctx, cancel := context.WithCancel(t.Context())
	files.poll(ctx)
	cancel()
	files.poll(ctx)
	_, reports := g.host.status()
	require.Zero(t, reports)
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
