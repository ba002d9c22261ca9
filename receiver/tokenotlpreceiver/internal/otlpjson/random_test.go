package otlpjson

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/spanlake/spanlake/receiver/tokenotlpreceiver/internal/otlptest"
)

// What pdata writes as JSON it reads back from our output as it reads it from
// the JSON.
func TestRandomRequests(t *testing.T) {
	for s, name := range signalNames {
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				req := otlptest.Random(t, s)
				body, err := req.MarshalJSON()
				require.NoError(t, err)
				out, _, err := Transcode(s, body, nil, roomy)
				require.NoError(t, err)
				require.LessOrEqual(t, len(out), 4*len(body))

				want, got := otlptest.New(s), otlptest.New(s)
				require.NoError(t, want.UnmarshalJSON(body))
				require.NoError(t, got.UnmarshalProto(out))
				wantProto, err := want.MarshalProto()
				require.NoError(t, err)
				gotProto, err := got.MarshalProto()
				require.NoError(t, err)
				require.Equal(t, wantProto, gotProto)
			})
		})
	}
}
