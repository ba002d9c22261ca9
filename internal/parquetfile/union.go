package parquetfile

import (
	"fmt"
	"slices"
	"strings"

	"github.com/parquet-go/parquet-go"

	v1 "github.com/spanlake/spanlake/internal/schema/v1"
)

// unionLeaf is a leaf column of the outputs of a merge.
type unionLeaf struct {
	path          []string
	name          string // path with dots
	kind          parquet.Kind
	maxDefinition int
	repeated      bool
	dict          bool
}

// accepts says whether values of a leaf of an input can be written as they are.
func (l *unionLeaf) accepts(in parquet.LeafColumn) error {
	if in.Node.Type().Kind() != l.kind || in.MaxDefinitionLevel != l.maxDefinition || (in.MaxRepetitionLevel > 0) != l.repeated {
		return fmt.Errorf("column %s is of another type than in the files it is merged with", l.name)
	}
	return nil
}

// unite makes the schema of the outputs and the cursors of the sources.
func (m *merge) unite(schema *v1.Schema) error {
	fields := schema.Parquet().Fields()
	known := map[string]struct{}{}
	for _, f := range fields {
		known[f.Name()] = struct{}{}
	}
	for _, s := range m.sources {
		for _, f := range s.parquet.Schema().Fields() {
			if _, ok := known[f.Name()]; ok {
				continue
			}
			if f.Required() {
				return &InputError{s.entry.Path, fmt.Errorf("column %s is not of schema version %d, and required", f.Name(), v1.Version)}
			}
			known[f.Name()] = struct{}{}
			fields = append(fields, f)
		}
	}
	m.schema = v1.NewParquet(fields)
	m.options = append(schema.WriterOptions(), m.schema)
	for _, path := range m.schema.Columns() {
		leaf, _ := m.schema.Lookup(path...)
		m.leaves = append(m.leaves, unionLeaf{
			path:          slices.Clone(path),
			name:          strings.Join(path, "."),
			kind:          leaf.Node.Type().Kind(),
			maxDefinition: leaf.MaxDefinitionLevel,
			repeated:      leaf.MaxRepetitionLevel > 0,
			dict:          leaf.Node.Encoding() == &parquet.RLEDictionary && leaf.Node.Type().Kind() == parquet.ByteArray,
		})
	}
	for _, s := range m.sources {
		for i := range m.leaves {
			c, err := s.cursor(m, &m.leaves[i])
			if err != nil {
				return &InputError{s.entry.Path, err}
			}
			s.cursors = append(s.cursors, c)
		}
	}
	m.options = append(m.options, m.longOptions()...)
	return nil
}

// longOptions are those that fileOptions chose for inputs with long values, as
// far as their footers tell.
func (m *merge) longOptions() []parquet.WriterOption {
	var options []parquet.WriterOption
	dictionary := false
	for i := range m.leaves {
		l := &m.leaves[i]
		if l.kind != parquet.ByteArray {
			continue
		}
		unbounded, long := false, false
		for _, s := range m.sources {
			leaf, ok := s.parquet.Schema().Lookup(l.path...)
			for _, group := range s.parquet.Metadata().RowGroups {
				if !ok {
					break
				}
				meta := &group.Columns[leaf.ColumnIndex].MetaData
				values := meta.SizeStatistics.UnencodedByteArrayDataBytes
				unbounded = unbounded || values > 0 && len(meta.Statistics.MaxValue) == 0
				long = long || values > repeatedBytes && meta.TotalUncompressedSize < values/4
			}
		}
		if unbounded {
			options = append(options, parquet.SkipPageBounds(l.path...), parquet.SkipPageStatistics(l.path...))
		}
		dictionary = dictionary || long
	}
	if dictionary {
		options = append(options, parquet.DictionaryMaxBytes(repeatedDictionary))
	}
	return options
}
