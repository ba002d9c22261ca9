package scrape

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const text = `# HELP spans Spans
# TYPE spans counter
spans{class="normal",verdict="kept"} 3
spans{class="normal",verdict="dropped"} 1.5e+06
spans{class="errors",verdict="kept"} 4
spans_bytes{verdict="kept"} 100
held 7
`

func TestGet(t *testing.T) {
	status, path := http.StatusOK, ""
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path = r.URL.Path
		w.WriteHeader(status)
		io.WriteString(w, text)
	}))
	defer server.Close()
	address := strings.TrimPrefix(server.URL, "http://")

	m, err := Get(t.Context(), address)
	require.NoError(t, err)
	require.Equal(t, "/metrics", path)
	require.Equal(t, 1_500_007, m.Sum("spans"))
	require.Equal(t, 7, m.Sum("spans", `verdict="kept"`))
	require.Equal(t, 3, m.Sum("spans", `verdict="kept"`, `class="normal"`))
	require.Equal(t, 7, m.Sum("held"))
	require.Zero(t, m.Sum("span"))
	require.Zero(t, m.Sum("absent"))
	require.Equal(t, map[string]int{"kept": 7, "dropped": 1_500_000}, m.By("spans", "verdict"))

	status = http.StatusTeapot
	_, err = Get(t.Context(), address)
	require.ErrorContains(t, err, "418")
}

func FuzzSumTakesAnyText(f *testing.F) {
	f.Add(text)
	f.Add("spans{")
	f.Add("spans 1 2")
	f.Fuzz(func(_ *testing.T, text string) {
		m := Metrics{text}
		m.Sum("spans", `a="b"`)
		m.By("spans", "class")
	})
}
