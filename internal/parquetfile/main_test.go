package parquetfile

import (
	"flag"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	_ = flag.Set("rapid.checks", "20") // the default of the flag, which the command line overrules
	goleak.VerifyTestMain(m)
}
