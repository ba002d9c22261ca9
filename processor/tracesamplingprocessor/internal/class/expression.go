package class

import (
	"context"
	"maps"
	"sync"

	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/ottl"
	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/ottl/contexts/ottlspan"
	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/ottl/ottlfuncs"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.uber.org/zap"
)

// expression is a compiled OTTL condition. It may be evaluated by any number of
// goroutines.
type expression struct {
	*condition
	compiled *ottl.Condition[*ottlspan.TransformContext]
}

// expressionParser knows the converters only: an expression changes nothing.
// Paths must begin with their context, such as span. or resource.
var expressionParser = sync.OnceValues(func() (ottl.Parser[*ottlspan.TransformContext], error) {
	functions := ottlfuncs.StandardConverters[*ottlspan.TransformContext]()
	maps.Copy(functions, ottl.CreateFactoryMap(ottlfuncs.NewIsRootSpanFactory()))
	return ottlspan.NewParser(functions, component.TelemetrySettings{Logger: zap.NewNop()}, ottlspan.EnablePathContextNames())
})

func parseExpression(text string) (*ottl.Condition[*ottlspan.TransformContext], error) {
	parser, err := expressionParser()
	if err != nil {
		return nil, err
	}
	return parser.ParseCondition(text)
}

// WantsPdata reports whether Conditions can add anything.
func (t *Table) WantsPdata() bool { return len(t.expressions) > 0 }

// Conditions adds the OTTL conditions that a span meets. One that cannot be
// evaluated is not met.
func (t *Table) Conditions(rs ptrace.ResourceSpans, ss ptrace.ScopeSpans, span ptrace.Span, root bool, met *Bits) {
	of := ottlspan.NewTransformContext(rs, ss, span)
	defer of.Close()
	for i := range t.expressions {
		e := &t.expressions[i]
		if !e.looksAt(root) || met.has(e.number) {
			continue
		}
		if holds, err := e.compiled.Eval(context.Background(), of); err == nil && holds {
			met.set(e.number)
		}
	}
}
