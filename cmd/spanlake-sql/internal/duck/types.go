package duck

import (
	"fmt"

	duckdb "github.com/duckdb/duckdb-go-bindings"
)

// Column is one column of a result.
type Column struct {
	Name string
	typ  logicalType
}

// Numeric reports whether the values are numbers, which a table aligns right.
func (c Column) Numeric() bool { return c.typ.numeric() }

// logicalType is a type and what is needed to read its vectors.
type logicalType struct {
	id       duckdb.Type
	physical duckdb.Type   // of DECIMAL and ENUM: the integer that is stored
	scale    int           // of DECIMAL
	size     int           // of ARRAY: the number of its elements
	values   []string      // of ENUM
	keys     [][]byte      // of STRUCT: the names of children as JSON, with the colon
	children []logicalType // of LIST and ARRAY one; of MAP the key-value STRUCT
}

func (t *logicalType) numeric() bool {
	switch t.id {
	case duckdb.TypeTinyInt, duckdb.TypeSmallInt, duckdb.TypeInteger, duckdb.TypeBigInt,
		duckdb.TypeUTinyInt, duckdb.TypeUSmallInt, duckdb.TypeUInteger, duckdb.TypeUBigInt,
		duckdb.TypeHugeInt, duckdb.TypeUHugeInt, duckdb.TypeFloat, duckdb.TypeDouble, duckdb.TypeDecimal:
		return true
	}
	return false
}

// unreadable are the types that only a cast can show.
var unreadable = map[duckdb.Type]string{
	duckdb.TypeUnion:    "UNION",
	duckdb.TypeBit:      "BIT",
	duckdb.TypeTimeTZ:   "TIMETZ",
	duckdb.TypeBigNum:   "BIGNUM",
	duckdb.TypeGeometry: "GEOMETRY",
	duckdb.TypeVariant:  "VARIANT",
}

func resultColumns(result *duckdb.Result) ([]Column, error) {
	columns := make([]Column, duckdb.ColumnCount(result))
	for i := range columns {
		columns[i].Name = duckdb.ColumnName(result, duckdb.IdxT(i))
		logical := duckdb.ColumnLogicalType(result, duckdb.IdxT(i))
		t, err := newType(logical)
		if err != nil {
			return nil, fmt.Errorf("column %q: %w", columns[i].Name, err)
		}
		columns[i].typ = t
	}
	return columns, nil
}

// newType reads logical and frees it.
func newType(logical duckdb.LogicalType) (logicalType, error) {
	defer duckdb.DestroyLogicalType(&logical)
	t := logicalType{id: duckdb.GetTypeId(logical)}
	switch t.id {
	case duckdb.TypeDecimal:
		t.physical = duckdb.DecimalInternalType(logical)
		t.scale = int(duckdb.DecimalScale(logical))
	case duckdb.TypeEnum:
		t.physical = duckdb.EnumInternalType(logical)
		for i := range duckdb.EnumDictionarySize(logical) {
			t.values = append(t.values, duckdb.EnumDictionaryValue(logical, duckdb.IdxT(i)))
		}
	case duckdb.TypeList:
		return t, t.addChild("", duckdb.ListTypeChildType(logical))
	case duckdb.TypeArray:
		t.size = int(duckdb.ArrayTypeArraySize(logical))
		return t, t.addChild("", duckdb.ArrayTypeChildType(logical))
	case duckdb.TypeMap:
		pair := logicalType{id: duckdb.TypeStruct}
		if err := pair.addChild("key", duckdb.MapTypeKeyType(logical)); err != nil {
			return t, err
		}
		if err := pair.addChild("value", duckdb.MapTypeValueType(logical)); err != nil {
			return t, err
		}
		t.children = []logicalType{pair}
	case duckdb.TypeStruct:
		for i := range duckdb.StructTypeChildCount(logical) {
			if err := t.addChild(duckdb.StructTypeChildName(logical, i), duckdb.StructTypeChildType(logical, i)); err != nil {
				return t, err
			}
		}
	default:
		if name, found := unreadable[t.id]; found {
			return t, fmt.Errorf("type %s cannot be shown: cast it to varchar", name)
		}
	}
	return t, nil
}

func (t *logicalType) addChild(name string, logical duckdb.LogicalType) error {
	child, err := newType(logical)
	if err != nil {
		return err
	}
	t.keys = append(t.keys, append(AppendQuoted(nil, []byte(name)), ':'))
	t.children = append(t.children, child)
	return nil
}
