// Package v1 is version 1 of the rows that Spanlake stores: the columns of
// spans and log records, and both directions between pdata and rows. It is
// frozen with the first release; FORMAT.md in exporter/columnarexporter is its
// specification.
//
// Rows hold a table as columns without pointers: strings lie in one arena, so
// that the garbage collector has nothing to walk, appending a row allocates
// nothing once the buffers have grown, and no pdata outlives its conversion.
package v1

// Version is written to every file's footer and to the manifest.
const Version = 1
