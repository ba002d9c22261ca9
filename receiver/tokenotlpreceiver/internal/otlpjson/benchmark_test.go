package otlpjson

import (
	"math"
	"testing"

	"github.com/spanlake/spanlake/receiver/tokenotlpreceiver/internal/otlptest"
	"github.com/spanlake/spanlake/receiver/tokenotlpreceiver/internal/wire"
)

var signalNames = map[wire.Signal]string{wire.Traces: "traces", wire.Logs: "logs", wire.Metrics: "metrics"}

// BenchmarkDecode compares pdata's way from JSON to pdata with ours, whose output
// goes to a buffer that is used again, and shows our own share of that.
func BenchmarkDecode(b *testing.B) {
	for _, s := range []wire.Signal{wire.Traces, wire.Logs, wire.Metrics} {
		body := []byte(jsonOf(b, otlptest.Usual(s)))
		run := func(name string, once func() error) {
			b.Run(signalNames[s]+"/"+name, func(b *testing.B) {
				b.SetBytes(int64(len(body)))
				b.ReportAllocs()
				for b.Loop() {
					if err := once(); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
		run("pdata", func() error { return otlptest.New(s).UnmarshalJSON(body) })
		var out []byte
		run("whole", func() (err error) {
			if out, _, err = Transcode(s, body, out[:0], roomy); err != nil {
				return err
			}
			if _, err = wire.Proto(s, out, wire.Limits{Depth: 64, Decoded: math.MaxInt64}); err != nil {
				return err
			}
			return otlptest.New(s).UnmarshalProto(out)
		})
		run("transcode", func() error {
			_, _, err := Transcode(s, body, out[:0], roomy)
			return err
		})
	}
}
