package tokenotlpreceiver

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/config/configopaque"
)

func manySources(n int) []Source {
	sources := make([]Source, n)
	for i := range sources {
		sources[i] = Source{Name: fmt.Sprintf("s%d", i), Tokens: []configopaque.String{
			configopaque.String(fmt.Sprintf("first-token-%08d", i)), configopaque.String(fmt.Sprintf("second-token-%08d", i)),
		}}
	}
	return sources
}

func tableOf(configs []Source) *tokenTable {
	return newTokenTable(configured(configs, newSources(configs, testTime)))
}

func TestEachTokenFindsItsSource(t *testing.T) {
	sources := manySources(10_000)
	table := tableOf(sources)
	for _, source := range sources {
		for _, token := range source.Tokens {
			found := table.authenticate([]string{"Bearer " + string(token)})
			require.NotNil(t, found)
			require.Equal(t, source.Name, found.name)
		}
	}
	require.Nil(t, table.authenticate([]string{"Bearer first-token-99999999"}))
	require.Nil(t, table.authenticate(nil))
}

// No more time with many sources than with one.
func BenchmarkAuthenticate(b *testing.B) {
	for _, n := range []int{1, 10_000} {
		b.Run(fmt.Sprintf("sources=%d", n), func(b *testing.B) {
			table := tableOf(manySources(n))
			header := []string{"Bearer second-token-00000000"}
			b.ReportAllocs()
			for b.Loop() {
				if table.authenticate(header) == nil {
					b.Fatal("not found")
				}
			}
		})
	}
}
