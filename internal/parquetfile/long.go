package parquetfile

import (
	"iter"
	"slices"

	"github.com/parquet-go/parquet-go"

	v1 "github.com/spanlake/spanlake/internal/schema/v1"
)

const (
	// longValue is the length from which on a value is no min or max: parquet-go
	// writes both whole, several times, to every page and the footer.
	longValue = 4 << 10
	// repeatedBytes of long values, of which few differ, keep their dictionary:
	// the attributes of a large resource would be written with each of its rows.
	repeatedBytes = 16 << 20
	// repeatedDictionary is the size that a dictionary may have then.
	repeatedDictionary = 1 << 30
)

// fileOptions are the options for a file of these rows.
func (e *encoder) fileOptions(rows *v1.Rows, order []uint32) []parquet.WriterOption {
	options := slices.Clip(e.options)
	rowNumbers := func(yield func(int) bool) {
		for _, row := range order {
			if !yield(int(row)) {
				return
			}
		}
	}
	dictionary := false
	add := func(t *v1.Table, column int, numbers iter.Seq[int], path ...string) {
		all, distinct := t.LongStrings(column, longValue, numbers)
		if all > 0 {
			options = append(options, parquet.SkipPageBounds(path...), parquet.SkipPageStatistics(path...))
		}
		dictionary = dictionary || all > repeatedBytes && distinct < all/4
	}
	for i, c := range rows.Columns() {
		add(&rows.Table, i, rowNumbers, c.Name)
	}
	for i := range rows.Lists() {
		l := &rows.Lists()[i]
		for j, c := range l.Columns() {
			add(&l.Table, j, elementNumbers(l, order), e.schema.Lists[i].Name, "list", "element", c.Name)
		}
	}
	if dictionary {
		options = append(options, parquet.DictionaryMaxBytes(repeatedDictionary))
	}
	return options
}

// elementNumbers are those of a list's elements in rows.
func elementNumbers(l *v1.List, order []uint32) iter.Seq[int] {
	return func(yield func(int) bool) {
		for _, row := range order {
			from, to := l.Range(int(row))
			for n := from; n < to; n++ {
				if !yield(n) {
					return
				}
			}
		}
	}
}
