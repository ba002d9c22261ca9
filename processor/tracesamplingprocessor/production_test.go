package tracesamplingprocessor

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.yaml.in/yaml/v3"
)

// The shipped table, with every rate at 100% to show the class.
func TestProductionClasses(t *testing.T) {
	text, err := os.ReadFile("../../config/production.yaml")
	require.NoError(t, err)
	retrieved, err := confmap.NewRetrievedFromYAML(text)
	require.NoError(t, err)
	all, err := retrieved.AsConf()
	require.NoError(t, err)
	conf, err := all.Sub("processors::trace_sampling")
	require.NoError(t, err)
	settings := conf.ToStringMap()
	delete(settings, "journal") // its directory is in the environment
	rates := map[string]any{}
	for _, entry := range settings["classes"].([]any) {
		class := entry.(map[string]any)
		rates[class["name"].(string)] = []any{class["keep"], class["retention"]}
		class["keep"] = "100%"
	}
	require.Equal(t, map[string]any{
		"errors": []any{"100%", "30d"}, "slow": []any{"100%", "14d"}, "critical": []any{"50%", "14d"},
		"health": []any{"0.1%", "7d"}, "normal": []any{"5%", "7d"},
	}, rates)
	keepAll, err := yaml.Marshal(settings)
	require.NoError(t, err)

	td := ptrace.NewTraces()
	spans := td.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans()
	want := map[pcommon.TraceID]decision{}
	for i, tc := range []struct {
		name   string
		millis pcommon.Timestamp
		status ptrace.StatusCode
		class  string
	}{
		{"/health/ready", 1, ptrace.StatusCodeError, "errors"},
		{"/checkout", 2000, ptrace.StatusCodeError, "errors"},
		{"/health", 1000, ptrace.StatusCodeOk, "slow"},
		{"/checkout/{id}", 999, ptrace.StatusCodeUnset, "critical"},
		{"/payments", 1, ptrace.StatusCodeUnset, "critical"},
		{"/login", 1, ptrace.StatusCodeUnset, "critical"},
		{"/healthz", 1, ptrace.StatusCodeUnset, "health"},
		{"/metrics", 1, ptrace.StatusCodeUnset, "health"},
		{"/metrics/7", 1, ptrace.StatusCodeUnset, "normal"},
	} {
		s := spans.AppendEmpty()
		s.SetTraceID([16]byte{byte(i + 1)})
		s.SetSpanID([8]byte{1})
		s.SetName(tc.name)
		s.SetStartTimestamp(1)
		s.SetEndTimestamp(1 + tc.millis*1e6)
		s.Status().SetCode(tc.status)
		want[s.TraceID()] = decision{class: tc.class, spans: 1}
	}
	require.Equal(t, want, decisions(t, NewFactory(), string(keepAll), []ptrace.Traces{td}))
}
