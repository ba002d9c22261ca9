package engine_test

import (
	"math"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/sampling"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/spanlake/spanlake/processor/tracesamplingprocessor/internal/class"
)

// reference is the sampler in its plainest form: it keeps every span of every
// trace for ever and looks through all of them whenever it has to decide.
type reference struct {
	t       require.TestingT
	classes []class.Config
	open    map[[16]byte]*openTrace
	closed  map[[16]byte]decided
	out     map[uint64]outcome
	dropped int
	late    int
}

type openTrace struct {
	spans  []testSpan
	first  time.Duration
	rooted time.Duration // negative while there is no root
}

func newReference(t require.TestingT, classes []class.Config) *reference {
	return &reference{t: t, classes: classes, open: map[[16]byte]*openTrace{}, closed: map[[16]byte]decided{}, out: map[uint64]outcome{}}
}

func (r *reference) ingest(now time.Duration, spans []testSpan) {
	byTrace := map[[16]byte][]testSpan{}
	for _, s := range spans {
		if s.trace != [16]byte{} && s.id != 0 {
			byTrace[s.trace] = append(byTrace[s.trace], s)
		}
	}
	for id, spans := range byTrace {
		var ended []testSpan
		for _, s := range spans {
			if s.end != 0 {
				ended = append(ended, s)
			}
		}
		t := r.open[id]
		if d, ok := r.closed[id]; ok && t == nil {
			r.follow(id, d, ended)
			continue
		}
		if t == nil {
			if len(ended) == 0 {
				continue
			}
			t = &openTrace{first: now, rooted: -1}
			r.open[id] = t
		}
		t.spans = append(t.spans, ended...)
		switch {
		case t.rooted < 0:
			if hasRoot(ended) {
				t.rooted = now
			}
		case len(ended) < len(spans):
			t.rooted = now
		}
	}
}

func hasRoot(spans []testSpan) bool {
	for _, s := range spans {
		if s.isRoot() {
			return true
		}
	}
	return false
}

func (s *testSpan) isRoot() bool { return s.parent == 0 || s.parent == s.id }

func (r *reference) tick(now time.Duration) {
	for id, t := range r.open {
		if now >= t.first+decisionWait || (t.rooted >= 0 && now >= t.rooted+rootWait) {
			c := r.classify(t.spans, len(r.classes)-1, false)
			d := decided{c, r.keeps(c, id, t.spans)}
			r.closed[id] = d
			delete(r.open, id)
			r.emit(d, t.spans)
		}
	}
}

func (r *reference) follow(id [16]byte, d decided, late []testSpan) {
	if len(late) == 0 {
		return
	}
	if c := r.classify(late, d.class, true); c < d.class {
		if over := (decided{c, r.keeps(c, id, late)}); over.kept || !d.kept { // what is kept stays kept
			d = over
			r.closed[id] = d
		}
	}
	r.late += len(late)
	r.emit(d, late)
}

func (r *reference) emit(d decided, spans []testSpan) {
	for _, s := range spans {
		if !d.kept {
			r.dropped++
			continue
		}
		th := r.threshold(d.class)
		state, err := sampling.NewW3CTraceState(s.state)
		require.NoError(r.t, err)
		random, ok := state.OTelValue().RValueRandomness()
		if !ok {
			random = sampling.TraceIDToRandomness(pcommon.TraceID(s.trace))
		}
		up, ok := state.OTelValue().TValueThreshold()
		switch {
		case ok && !up.ShouldSample(random):
			state.OTelValue().ClearTValue()
		case ok && sampling.ThresholdGreater(up, th):
			th = up
		}
		require.NoError(r.t, state.OTelValue().UpdateTValueWithSampling(th))
		var text strings.Builder
		require.NoError(r.t, state.Serialize(&text))
		c := r.classes[d.class]
		r.out[s.id] = outcome{
			class: c.Name, retention: c.Retention, count: math.Round(th.AdjustedCount()*1e6) / 1e6,
			state: text.String(), service: s.service, scope: s.scope,
		}
	}
}

func (r *reference) threshold(c int) sampling.Threshold {
	th, err := r.classes[c].Keep.Threshold()
	require.NoError(r.t, err)
	return th
}

func (r *reference) keeps(c int, id [16]byte, spans []testSpan) bool {
	random := sampling.TraceIDToRandomness(pcommon.TraceID(id))
	explicit := false
	for _, s := range spans {
		state, err := sampling.NewW3CTraceState(s.state)
		require.NoError(r.t, err)
		rv, ok := state.OTelValue().RValueRandomness()
		if ok && (!explicit || rv.Unsigned() > random.Unsigned()) {
			random, explicit = rv, true
		}
	}
	return r.threshold(c).ShouldSample(random)
}

// classify looks at the classes before the given one. Late spans prove only what
// can be seen in them.
func (r *reference) classify(spans []testSpan, before int, late bool) int {
	for i := range r.classes[:before] {
		m := r.classes[i].Match
		if late && !provable(m) {
			continue
		}
		if matches(m, spans) {
			return i
		}
	}
	return before
}

// provable is what a part of a trace can prove of the whole.
func provable(m *class.Match) bool {
	if m.Status == "ok" || m.Status == "unset" || m.MaxDuration > 0 || m.MaxSpans > 0 || m.Not != nil {
		return false
	}
	for i := range m.Any {
		if !provable(&m.Any[i]) {
			return false
		}
	}
	return true
}

func matches(m *class.Match, spans []testSpan) bool {
	d, n := traceDuration(spans), len(spans)
	switch {
	case m.Status != "" && m.Status != traceStatus(spans),
		d < m.MinDuration, m.MaxDuration > 0 && d > m.MaxDuration,
		n < m.MinSpans, m.MaxSpans > 0 && n > m.MaxSpans,
		m.Not != nil && matches(m.Not, spans):
		return false
	}
	some := func(asked bool, ok func(s *testSpan) bool) bool {
		for i := range spans {
			if asked && ok(&spans[i]) {
				return true
			}
		}
		return !asked
	}
	for i := range m.Attributes {
		if !some(true, func(s *testSpan) bool { return (s.isRoot() || !m.RootOnly) && hasAttribute(&m.Attributes[i], s) }) {
			return false
		}
	}
	anyMatch := len(m.Any) == 0
	for i := range m.Any {
		anyMatch = anyMatch || matches(&m.Any[i], spans)
	}
	return anyMatch &&
		some(len(m.Routes) > 0, func(s *testSpan) bool {
			return (m.AnySpan || s.isRoot()) && (globsMatch(m.Routes, s.route) || globsMatch(m.Routes, s.name))
		}) &&
		some(len(m.Services) > 0, func(s *testSpan) bool { return globsMatch(m.Services, s.service) }) &&
		some(len(m.Kinds) > 0, func(s *testSpan) bool {
			return (s.isRoot() || !m.RootOnly) && slices.Contains(m.Kinds, strings.ToLower(s.kind.String()))
		})
}

// hasAttribute looks at the two attributes that a testSpan has beside its routes.
func hasAttribute(a *class.Attribute, s *testSpan) bool {
	switch {
	case a.Key == "tier" && s.tier != "":
		return len(a.Values) == 0 || globsMatch(a.Values, s.tier)
	case a.Key == "code" && s.code != 0:
		return (a.Min == nil || float64(s.code) >= *a.Min) && (a.Max == nil || float64(s.code) <= *a.Max)
	}
	return false
}

func traceStatus(spans []testSpan) string {
	worst := 0
	for _, s := range spans {
		worst = max(worst, int(s.status))
	}
	return []string{"unset", "ok", "error"}[worst]
}

func traceDuration(spans []testSpan) time.Duration {
	first, last := uint64(math.MaxUint64), uint64(0)
	for _, s := range spans {
		first, last = min(first, s.start), max(last, max(s.start, s.end))
	}
	return time.Duration(last - first)
}

// globsMatch translates each pattern to a regular expression, once.
func globsMatch(patterns []string, value string) bool {
	for _, p := range patterns {
		re := globs[p]
		if re == nil {
			re = regexp.MustCompile("^" + strings.ReplaceAll(regexp.QuoteMeta(p), `\*`, `.*`) + "$")
			globs[p] = re
		}
		if value != "" && re.MatchString(value) {
			return true
		}
	}
	return false
}

var globs = map[string]*regexp.Regexp{}
