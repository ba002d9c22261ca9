package logcorrelationprocessor

import (
	"fmt"
	"slices"
)

// newPlan makes the plan for valid settings. Its names go behind those there
// are.
func newPlan(cfg *Settings, output string, source uint16, names []string) (p *plan, all []string) {
	root, own := compile(cfg.Fields.lists(), len(names))
	names = append(names, own...)
	offset, hasOffset, _ := parseZone(cfg.TimeZone)
	p = &plan{
		reader: reader{offset: offset, hasOffset: hasOffset, levels: levelScale(slices.Index(scaleNames, cfg.NumericSeverity))},
		source: source,
		root:   root,
		body:   bodyMode(slices.Index(bodyNames, cfg.ParseBody)),
	}
	for i, text := range cfg.Patterns {
		p.patterns = append(p.patterns, compilePattern(text, uint32(len(names))))
		names = append(names, fmt.Sprintf("patterns[%d]", i))
	}
	if output == outputSpanFields {
		p.writesSpanFields = true
		p.written = [...]*entry{root.find(spanFieldTrace), root.find(spanFieldSpan)}
	}
	return p, names
}
