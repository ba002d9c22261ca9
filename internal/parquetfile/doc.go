// Package parquetfile writes rows to the files of the store and reads them
// back. FORMAT.md in exporter/columnarexporter is the specification.
package parquetfile
