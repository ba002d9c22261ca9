// Package otlpjson turns an OTLP/JSON export request
// (https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding) into the
// same request in protobuf, in one pass and without an allocation per field, so
// that both encodings can be checked, mended and decoded by the same code.
//
// JSON itself is held to RFC 8259, in fields that are skipped too. A request is
// one object and white space around it. In it,
//
//   - names are lowerCamelCase or, as pdata takes them, snake_case. Names that
//     are not known are skipped, whatever they hold, down to maxSkipped levels;
//   - null is an absent field, and an empty element of a list of messages or
//     strings;
//   - an integer is a number or a string, in any notation whose value is
//     integral and in range: 12, "12", 12.0, 1.7e18. An enum may be its name;
//   - a double is a number or a string, "NaN", "Infinity" and "-Infinity" too;
//   - bytes are base64 of either alphabet, padded or not;
//   - an ID is any form that internal/traceid reads. An empty one is absent. One
//     that cannot be read becomes the single byte UnreadableID, which no form of
//     an ID is: whoever reads the protobuf decides what to do without it;
//   - a lone surrogate becomes U+FFFD, bytes that are not UTF-8 stay as they are;
//   - of a field given twice the last value counts, as does the last member of
//     a oneof. Messages are merged and lists appended, as pdata does. A list of
//     numbers given twice is refused.
//
// What pdata reads from conforming JSON is what it reads from the output. It
// differs where pdata is wrong (a name that is empty ends its object; the first
// surrogate of a broken pair spoils the second; deprecatedScopeSpans is lost) or
// stricter, where a member of a oneof is null (pdata then sets it to its zero
// value), where the second of two IDs for one field is empty, and for numbers of
// over maxNumber characters, which are refused.
//
// The length of a message may be padded with zeros up to five bytes, which any
// reader of protobuf takes; that of an attribute of less than 128 bytes never is.
//
// The output is at most four times as long as the input: a list of numbers of
// one digit, at eight bytes each, is the worst case. It is mostly half as long.
package otlpjson
