package columnarexporter

import (
	"errors"
	"fmt"

	"github.com/spanlake/spanlake/internal/lake"
	v1 "github.com/spanlake/spanlake/internal/schema/v1"
)

// ColumnsConfig lists attributes that get a column of their own, in addition to
// those that have one in every lake.
type ColumnsConfig struct {
	// Spans are attributes of spans.
	Spans []ColumnConfig `mapstructure:"spans"`
	// Logs are attributes of log records.
	Logs []ColumnConfig `mapstructure:"logs"`

	// prevent unkeyed literal initialization
	_ struct{}
}

// ColumnConfig is an attribute with a column.
type ColumnConfig struct {
	// Name of the attribute, and of the column.
	Name string `mapstructure:"name"`
	// Type is string, int, double or bool. Values of another type stay among the
	// other attributes.
	Type string `mapstructure:"type"`

	// prevent unkeyed literal initialization
	_ struct{}
}

// maxColumns bounds the list of a signal.
const maxColumns = 32

func validateColumns(key string, schema *v1.Schema, columns []ColumnConfig) error {
	key = "parquet::columns::" + key
	if len(columns) > maxColumns {
		return fmt.Errorf("%s: %d columns: must be at most %d", key, len(columns), maxColumns)
	}
	var errs []error
	for i, c := range columns {
		if _, ok := v1.LiftType(c.Type); !ok {
			errs = append(errs, fmt.Errorf("%s::%d::type: %q: must be string, int, double or bool", key, i, c.Type))
		}
	}
	for _, f := range schema.LiftFaults(lifts(columns)) {
		errs = append(errs, fmt.Errorf("%s::%d::name: %q: %s", key, f.Index, f.Name, f.Rule))
	}
	return errors.Join(errs...)
}

// lifts are the columns as the schema takes them; an unknown type, which
// validateColumns refuses, counts as string.
func lifts(columns []ColumnConfig) []v1.Lift {
	list := make([]v1.Lift, len(columns))
	for i, c := range columns {
		list[i].Name = c.Name
		list[i].Type, _ = v1.LiftType(c.Type)
	}
	return list
}

// schemas are those of the rows of an exporter.
type schemas struct{ traces, logs *v1.Schema }

func newSchemas(c ColumnsConfig) (schemas, error) {
	traces, errTraces := v1.Extend(v1.Traces, lifts(c.Spans))
	logs, errLogs := v1.Extend(v1.Logs, lifts(c.Logs))
	return schemas{traces, logs}, errors.Join(errTraces, errLogs)
}

// declare lists the additional columns in the lake. It refuses one that files
// of the lake may have with another type: engines could not read both as one
// table.
func (s schemas) declare(to *lake.Store) error {
	for key, schema := range map[string]*v1.Schema{"spans": s.traces, "logs": s.logs} {
		added := schema.Lifts()
		columns := make([]lake.Column, 0, len(added))
		for _, l := range added {
			columns = append(columns, lake.Column{Name: l.Name, Type: l.TypeName()})
		}
		if err := to.DeclareColumns(schema.Signal, columns); err != nil {
			if errors.Is(err, lake.ErrColumns) {
				err = fmt.Errorf("%w; give it back its type and spelling, or take another name", err)
			}
			return fmt.Errorf("parquet::columns::%s: %w", key, err)
		}
	}
	return nil
}
