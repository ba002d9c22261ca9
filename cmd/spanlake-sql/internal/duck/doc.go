// Package duck runs SQL in an in-memory DuckDB that reaches no file outside the
// directories it was given, and hands out the rows as they are computed.
//
// It stands on the C bindings rather than on database/sql for three reasons:
// the driver holds a whole result in memory, which memory_limit does not count;
// it decodes JSON columns through Go values, which loses digits and key order;
// and it turns a STRUCT into a map, which loses the order of the fields.
package duck
