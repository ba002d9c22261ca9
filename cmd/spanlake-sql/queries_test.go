package main

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/cmd/spanlake-sql/internal/storetest"
)

const queriesPage = "../../exporter/columnarexporter/QUERIES.md"

// example is a query and the result below it, where there is one.
var example = regexp.MustCompile("(?s)```sql\n(.*?)```\n(?:```text\n.*?```\n)?")

// Each query of the page is run on a store with known answers, which are on the
// page.
func TestTheQueriesPeopleAsk(t *testing.T) {
	dir := t.TempDir()
	storetest.WriteShop(t, dir)
	page, err := os.ReadFile(queriesPage)
	require.NoError(t, err)
	queries := 0
	got := example.ReplaceAllFunc(page, func(block []byte) []byte {
		queries++
		sql := example.FindSubmatch(block)[1]
		at := strings.ReplaceAll(string(sql), "now()::timestamp", "timestamp '"+storetest.ShopNow.Format("2006-01-02 15:04:05")+"'")
		require.NotContains(t, at, "now()", "a time that the test cannot set")
		answer := runWith(at, "--data", dir, "--threads", "1")
		require.Equal(t, exitOK, answer.code, "%s\n%s", at, answer.err)
		require.NotContains(t, answer.out, "(0 rows)", at)
		with := "```sql\n" + string(sql) + "```\n```text\n" + answer.out + "```\n"
		if !*update {
			require.Equal(t, string(block), with, "renew with -update")
		}
		return []byte(with)
	})
	require.GreaterOrEqual(t, queries, 15)
	if *update {
		require.NoError(t, os.WriteFile(queriesPage, got, 0o600))
	}
}
