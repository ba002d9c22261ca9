package v1

import (
	"errors"
	"fmt"
	"hash/fnv"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/spanlake/spanlake/internal/attr"
)

// Lift names an attribute of spans or log records that has a column of its own
// in addition to those of the version.
type Lift struct {
	Name string
	Type Type // String, Int64, Double or Bool
}

// MaxLifts is how many columns a schema can have in addition, those included
// that are there only to read files of another configuration.
const MaxLifts = 128

// Field IDs of additional columns. They follow from the name, so that every
// lake gives a name the same; the columns of the version stay below.
const (
	firstLiftID = 1_000_000
	liftIDs     = 2_000_000_000
)

// liftTypes are the types of additional columns, by their names.
var liftTypes = map[string]Type{"string": String, "int": Int64, "double": Double, "bool": Bool}

// LiftType is the type of an additional column by its name.
func LiftType(name string) (Type, bool) {
	t, ok := liftTypes[name]
	return t, ok
}

// TypeName is the name of the type: string, int, double or bool.
func (l Lift) TypeName() string {
	for name, t := range liftTypes {
		if t == l.Type {
			return name
		}
	}
	return ""
}

// LiftError says which rule a Lift breaks.
type LiftError struct {
	Index int // of the Lift
	Name  string
	Rule  string // as "must …"
}

func (f *LiftError) Error() string { return fmt.Sprintf("%q: %s", f.Name, f.Rule) }

var liftName = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_./:@-]{0,127}$`)

// otherNames are those that readers have for something else: columns made of
// the path, and what DuckDB adds to the rows of a file.
var otherNames = []string{"date", "hour", "filename", "file_index", "file_row_number"}

// LiftFaults lists what keeps the lifts from being added to a schema, at most
// one a lift.
func (s *Schema) LiftFaults(lifts []Lift) []*LiftError {
	var faults []*LiftError
	names, ids := map[string]string{}, map[int]string{}
	for i, l := range lifts {
		folded, id := strings.ToLower(l.Name), liftID(l.Name)
		rule := s.liftRule(l.Name)
		switch {
		case rule != "":
		case i >= MaxLifts:
			rule = fmt.Sprintf("must be one of at most %d", MaxLifts)
		case names[folded] != "":
			rule = fmt.Sprintf("must not be there twice, in whatever case: %q is", names[folded])
		case ids[id] != "":
			rule = fmt.Sprintf("must have another field ID than %q: choose another name for one of the two", ids[id])
		case l.TypeName() == "":
			rule = "must be of type string, int, double or bool"
		}
		if rule != "" {
			faults = append(faults, &LiftError{Index: i, Name: l.Name, Rule: rule})
			continue
		}
		names[folded], ids[id] = l.Name, l.Name
	}
	return faults
}

// liftRule is the rule that a name breaks by itself, or empty.
func (s *Schema) liftRule(name string) string {
	same := func(other string) bool { return strings.EqualFold(name, other) }
	column := slices.IndexFunc(s.Columns, func(c Column) bool { return same(c.Name) })
	older, isOlder := s.lifts[name]
	switch {
	case !liftName.MatchString(name):
		return "must be 1 to 128 ASCII letters, digits and _ . / : @ -, the first a letter, a digit or _"
	case column >= 0:
		return fmt.Sprintf("must not be a column that there is: %s, in whatever case", s.Columns[column].Name)
	case slices.ContainsFunc(s.Lists, func(l ListColumn) bool { return same(l.Name) }), slices.ContainsFunc(otherNames, same):
		return "must not be a name that readers have for something else"
	case strings.HasPrefix(strings.ToLower(name), attr.Prefix):
		return "must not begin with " + attr.Prefix
	case isOlder:
		return "must not be an older name: its values are in the column " + s.Columns[older.column].Name
	}
	return ""
}

// Extend is the schema with a column more for each lift: an attribute of the
// name and type is moved there. Without lifts it is s itself.
func Extend(s *Schema, lifts []Lift) (*Schema, error) {
	if len(lifts) == 0 {
		return s, nil
	}
	if faults := s.LiftFaults(lifts); len(faults) > 0 {
		errs := make([]error, len(faults))
		for i, f := range faults {
			errs[i] = f
		}
		return nil, errors.Join(errs...)
	}
	extended := Schema{Signal: s.Signal, Columns: slices.Clone(s.Columns), Lists: s.Lists}
	byKey := maps.Clone(s.lifts)
	for _, l := range lifts {
		byKey[l.Name] = lift{column: len(extended.Columns)}
		extended.Columns = append(extended.Columns, l.column())
	}
	return newSchema(extended, byKey), nil
}

// column of strings and numbers has a dictionary, which a row group with many
// values gives up.
func (l Lift) column() Column {
	c := Column{Name: l.Name, ID: liftID(l.Name), Type: l.Type, Optional: true, Encoding: Dict}
	if l.Type == Bool {
		c.Encoding = Plain
	}
	return c
}

func liftID(name string) int {
	h := fnv.New32a()
	_, _ = h.Write([]byte(name)) // never fails
	return firstLiftID + int(h.Sum32()%liftIDs)
}

// IsLiftID reports whether a field ID is that of an additional column.
func IsLiftID(id int) bool { return id >= firstLiftID }

// Lifts are the columns that the schema has in addition to those of the version.
func (s *Schema) Lifts() []Lift {
	var lifts []Lift
	for _, c := range s.Columns {
		if IsLiftID(c.ID) {
			lifts = append(lifts, Lift{c.Name, c.Type})
		}
	}
	return lifts
}
