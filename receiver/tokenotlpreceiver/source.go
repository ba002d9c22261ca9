package tokenotlpreceiver

import (
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/spanlake/spanlake/receiver/tokenotlpreceiver/internal/wireerr"
)

// source is who sent a request. There is one for each entry under sources, for
// as long as the receiver lives, whatever tokens it has. It is safe for
// concurrent use.
type source struct {
	name string
	// relay is true for our own agents, which may name the sources they stand for.
	relay bool
	// bucket is what the source may send, nil where it has no rate limit.
	bucket *bucket

	// measured holds the attribute sets that are in use, made when one is needed
	// first: ten thousand sources would have hundreds of thousands of them. By
	// signal, none included, and transport; the reasons of one are a list.
	measured [signals + 1][transports]atomic.Pointer[series]
}

// series is an attribute set, ready for counters and histograms, so that
// measuring allocates nothing. It does not change once made.
type series struct {
	reason wireerr.Reason // empty: not refused
	add    [1]metric.AddOption
	record [1]metric.RecordOption
	next   *series
}

// unknown is the source of requests without a valid token.
var unknown = newSource("")

func newSource(name string) *source { return &source{name: name} }

// newSources makes those of a configuration, in its order.
func newSources(configs []Source, now time.Time) []*source {
	sources := make([]*source, len(configs))
	for i, c := range configs {
		s := newSource(c.Name)
		s.relay = c.Relay
		if c.RateLimit > 0 {
			s.bucket = newBucket(c.RateLimit, now)
		}
		sources[i] = s
	}
	return sources
}

// series returns the attribute set of requests, of those that were refused if a
// reason is given. The lists are as short as the set of reasons.
func (s *source) series(sig signal, tr transport, reason wireerr.Reason) *series {
	head := &s.measured[sig][tr]
	for {
		first := head.Load()
		for have := first; have != nil; have = have.next {
			if have.reason == reason {
				return have
			}
		}
		made := newSeries(s.name, sig, tr, reason)
		made.next = first
		if head.CompareAndSwap(first, made) {
			return made
		}
	}
}

func newSeries(source string, sig signal, tr transport, reason wireerr.Reason) *series {
	attributes := labels(source, sig, tr)
	if reason != "" {
		attributes = append(attributes, attribute.String("reason", string(reason)))
	}
	set := metric.WithAttributeSet(attribute.NewSet(attributes...))
	return &series{reason: reason, add: [1]metric.AddOption{set}, record: [1]metric.RecordOption{set}}
}

func labels(source string, sig signal, tr transport) []attribute.KeyValue {
	return []attribute.KeyValue{
		attribute.String("source", source),
		attribute.String("signal", sig.String()),
		attribute.String("transport", tr.String()),
	}
}
