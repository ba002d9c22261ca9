package tracesamplingprocessor

import (
	"sync"

	"github.com/spanlake/spanlake/processor/tracesamplingprocessor/internal/otlpwire"
)

// retainEncoder is the most memory, in bytes, that an encoder may have grown to and
// still be kept: room for the requests of some 2000 spans that SDKs and Collectors
// send, while a few huge ones pin nothing.
const retainEncoder = 1 << 20

// encoders keeps the encoders that no request is using.
type encoders struct{ pool sync.Pool }

func (p *encoders) take() *otlpwire.Encoder {
	if e, ok := p.pool.Get().(*otlpwire.Encoder); ok {
		return e
	}
	return &otlpwire.Encoder{}
}

// give takes back an encoder whose last encoding nobody reads any more.
func (p *encoders) give(e *otlpwire.Encoder) {
	if e.Footprint() <= retainEncoder {
		p.pool.Put(e)
	}
}
