package logcorrelationprocessor

import "go.opentelemetry.io/collector/pdata/pcommon"

// parseJSON and parseLogfmt give the whole map that a text stands for.
func (p *parser) parseJSON(dst pcommon.Map, s string) bool { return p.setAll(dst, p.readJSON(s)) }

func (p *parser) parseLogfmt(dst pcommon.Map, s string) bool { return p.setAll(dst, p.readLogfmt(s)) }

func (p *parser) setAll(dst pcommon.Map, ok bool) bool {
	if ok {
		p.setMap(dst, 0, 0)
	}
	return ok
}
