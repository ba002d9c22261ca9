package e2e

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Each fault stops the start, with a message that names the key and the rule.
func TestConfigFaultsStopTheStart(t *testing.T) {
	for name, tc := range map[string]struct {
		override string
		want     []string
	}{
		"wrong key": {
			`receivers: {token_otlp: {sorces: []}}`,
			[]string{"token_otlp", "invalid keys: sorces"},
		},
		"empty token": {
			`receivers: {token_otlp: {sources: [{name: local, tokens: [""]}]}}`,
			[]string{"receivers::token_otlp", "sources[0].tokens[0]", "is empty"},
		},
		"no source": {
			`receivers: {token_otlp: {sources: []}}`,
			[]string{"receivers::token_otlp", "sources", "at least one"},
		},
		"development token in public": {
			`receivers: {token_otlp: {protocols: {http: {endpoint: "0.0.0.0:0"}}, sources: [{name: local, tokens: [local-dev-token]}]}}`,
			[]string{"receivers::token_otlp", "sources[0].tokens[0]", "loopback"},
		},
		"two backends": {
			`exporters: {columnar: {clickhouse: {endpoint: "http://localhost:8123"}}}`,
			[]string{"exporters::columnar", "parquet", "clickhouse", "exactly one"},
		},
		"class without a rate": {
			`processors: {trace_sampling: {classes: [{name: all, retention: 7d}]}}`,
			[]string{"processors::trace_sampling", "classes[0].keep", "rate"},
		},
		"unreachable class": {
			`processors: {trace_sampling: {classes: [{name: all, keep: 100%}, {name: errors, match: {status: error}, keep: 100%}]}}`,
			[]string{"processors::trace_sampling", "classes[0].match", "only the last class"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			data := t.TempDir()
			c := launch(t, data, tc.override)
			select {
			case <-c.Done:
			case <-time.After(startDeadline):
				t.Fatalf("the collector did not end within %s", startDeadline)
			}
			require.Error(t, c.Err)
			for _, text := range tc.want {
				require.Contains(t, c.Said(), text)
			}
			require.NoFileExists(t, filepath.Join(data, "lake", "MANIFEST"), "nothing was started")
		})
	}
}
