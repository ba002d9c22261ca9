package tokenotlpreceiver

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/config/configopaque"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/receiver/receivertest"

	"github.com/spanlake/spanlake/receiver/tokenotlpreceiver/internal/metadata"
)

func TestFaultyChangeLeavesTheFormerTokensInForce(t *testing.T) {
	for name, test := range map[string]struct {
		change func(g *rig)
		want   string
	}{
		"removed": {func(g *rig) { require.NoError(g.t, os.Remove(g.shop)) }, "no such file or directory"},
		"empty":   {func(g *rig) { g.write(g.shop, "") }, "holds no token: at least one is needed"},
		"invalid": {func(g *rig) { g.write(g.shop, "shop-token-a\nshort\n") }, "line 2: has 5 characters: a token must have at least 8"},
		"twice":   {func(g *rig) { g.write(g.shop, "shop-token-b\nshop-token-b\n") }, "line 2: is the same token as line 1: a token must be listed once"},
		"a directory": {func(g *rig) {
			require.NoError(g.t, os.Remove(g.shop))
			require.NoError(g.t, os.Mkdir(g.shop, 0o700))
		}, "is not a regular file"},
		"a token of another's config": {func(g *rig) { g.write(g.shop, "shop-token-b\n"+otherToken) }, "line 2: is the same token as sources[2].tokens[0]: a token must be listed once"},
		"a token of another's file":   {func(g *rig) { g.write(g.shop, "billing-token-a") }, "line 1: is the same token as line 1 of sources[1].token_file: a token must be listed once"},
		"a token of its own config":   {func(g *rig) { g.write(g.shop, shopToken) }, "line 1: is the same token as sources[0].tokens[0]: a token must be listed once"},
	} {
		t.Run(name, func(t *testing.T) {
			g := startRig(t)
			test.change(g)
			// Another's change is taken meanwhile.
			g.write(g.billing, "billing-token-a\nbilling-token-b")
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
			g.write(g.shop, "shop-token-c")
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
	g.write(g.shop, "short")
	g.polls(2)
	g.write(g.shop, "shop-token-a\n")
	g.polls(2)
	event, _ := g.host.status()
	require.Equal(t, componentstatus.StatusOK, event.Status())
	g.write(g.shop, "short")
	g.polls(2)
	require.Len(t, g.warnings(), 2, "the fault is a new one")
	require.Zero(t, g.reloads("shop", "ok"), "nothing was taken")
}

func TestTokenMayMoveFromFileToFile(t *testing.T) {
	g := startRig(t)
	g.write(g.shop, "billing-token-a")
	g.write(g.billing, "shop-token-a")
	g.polls(2)
	g.is("billing-token-a", "shop")
	g.is("shop-token-a", "billing")
	require.Empty(t, g.warnings())
	// One of them only, until the other follows.
	g.write(g.shop, "shop-token-a")
	g.polls(2)
	g.is("billing-token-a", "shop")
	require.Len(t, g.warnings(), 1)
	g.write(g.billing, "billing-token-b")
	g.polls(2)
	g.is("shop-token-a", "shop")
	g.is("billing-token-b", "billing")
	event, _ := g.host.status()
	require.Equal(t, componentstatus.StatusOK, event.Status())
}

// A file that cannot give up its token takes those down that wanted it.
func TestRefusedFileKeepsItsTokensFromOthers(t *testing.T) {
	g := startRig(t)
	g.write(g.shop, "shop-token-b\n"+otherToken)
	g.write(g.billing, "shop-token-a")
	g.polls(2)
	g.is("shop-token-a", "shop")
	g.is("billing-token-a", "billing")
	require.Equal(t, []string{
		"shop: line 2: is the same token as sources[2].tokens[0]: a token must be listed once",
		"billing: line 1: is the same token as line 1 of sources[0].token_file: a token must be listed once",
	}, g.warnings())
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
	g.write(g.shop, "billing-token-a\nsecret-token-1")
	g.polls(2)
	g.write(g.shop, "secret-token-1\nsecret-token-1\nsecret token\nsecre")
	g.polls(2)
	g.write(g.shop, "secret-token-1\nshop-token-a")
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
