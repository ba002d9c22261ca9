package v1

import "slices"

// Names of the columns of both signals.
const (
	ColTimestamp              = "timestamp"
	ColTraceID                = "trace_id"
	ColSpanID                 = "span_id"
	ColFlags                  = "flags"
	ColServiceName            = "service_name"
	ColScopeName              = "scope_name"
	ColScopeVersion           = "scope_version"
	ColScopeAttributes        = "scope_attributes"
	ColResourceAttributes     = "resource_attributes"
	ColAttributes             = "attributes"
	ColSource                 = "source"
	ColRetention              = "retention"
	ColDroppedAttributes      = "dropped_attributes_count"
	ColResourceSchemaURL      = "resource_schema_url"
	ColScopeSchemaURL         = "scope_schema_url"
	ColResourceDroppedAttrs   = "resource_dropped_attributes_count"
	ColScopeDroppedAttributes = "scope_dropped_attributes_count"
)

// Names of the columns of traces.
const (
	ColDuration      = "duration_ns"
	ColParentSpanID  = "parent_span_id"
	ColTraceState    = "trace_state"
	ColName          = "name"
	ColKind          = "kind"
	ColStatusCode    = "status_code"
	ColStatusMessage = "status_message"
	ColClass         = "class"
	ColAdjustedCount = "adjusted_count"
	ColTrimmed       = "trimmed"
	ColDroppedEvents = "dropped_events_count"
	ColDroppedLinks  = "dropped_links_count"
	ColEvents        = "events"
	ColLinks         = "links"
)

// Names of the columns of logs.
const (
	ColObserved       = "observed_timestamp"
	ColIsObserved     = "timestamp_is_observed"
	ColSeverityNumber = "severity_number"
	ColSeverityText   = "severity_text"
	ColBody           = "body"
	ColBodyIsJSON     = "body_is_json"
	ColEventName      = "event_name"
)

// Traces is the schema of spans.
var Traces = func() *Schema {
	s := Schema{Signal: SignalTraces, Columns: spanColumns, Lists: spanLists}
	return newSchema(s, spanLifts(&s))
}()

var spanColumns = slices.Concat(
	[]Column{
		{Name: ColTimestamp, ID: 1, Type: Time, Encoding: Delta},
		{Name: ColDuration, ID: 2, Type: Int64, Optional: true, Encoding: Delta},
		{Name: ColServiceName, ID: 12, Type: String, Encoding: Dict},
		{Name: ColName, ID: 8, Type: String, Encoding: Dict},
		{Name: ColKind, ID: 9, Type: Int32, Encoding: Dict},
		{Name: ColStatusCode, ID: 10, Type: Int32, Encoding: Dict},
		{Name: ColStatusMessage, ID: 11, Type: String, Optional: true, Encoding: Dict, NoBounds: true},
		{Name: ColTraceID, ID: 3, Type: TraceID, Encoding: Dict, Bloom: true},
		{Name: ColSpanID, ID: 4, Type: SpanID, Encoding: Length},
		{Name: ColParentSpanID, ID: 5, Type: SpanID, Optional: true, Encoding: Length},
		{Name: ColTraceState, ID: 6, Type: String, Optional: true, Encoding: Dict},
		{Name: ColFlags, ID: 7, Type: Uint32, Encoding: Dict},
	},
	attributeColumns,
	[]Column{
		{Name: ColSource, ID: 18, Type: String, Optional: true, Encoding: Dict},
		{Name: ColClass, ID: 19, Type: String, Optional: true, Encoding: Dict},
		{Name: ColRetention, ID: 20, Type: String, Encoding: Dict},
		{Name: ColAdjustedCount, ID: 21, Type: Double, Encoding: Dict},
		{Name: ColTrimmed, ID: 22, Type: Bool, Encoding: Plain},
		{Name: ColDroppedAttributes, ID: 23, Type: Uint32, Optional: true, Encoding: Dict},
		{Name: ColDroppedEvents, ID: 24, Type: Uint32, Optional: true, Encoding: Dict},
		{Name: ColDroppedLinks, ID: 25, Type: Uint32, Optional: true, Encoding: Dict},
	},
	originColumns,
	spanAttributeColumns,
	resourceAttributeColumns,
)

var spanLists = []ListColumn{
	{Name: ColEvents, ID: 100, ElementID: 101, Columns: []Column{
		eventTimestamp:  {Name: ColTimestamp, ID: 102, Type: Time, Encoding: Delta},
		eventName:       {Name: ColName, ID: 103, Type: String, Encoding: Dict},
		eventAttributes: {Name: ColAttributes, ID: 104, Type: String, Encoding: Length, NoBounds: true},
		eventDropped:    {Name: ColDroppedAttributes, ID: 105, Type: Uint32, Encoding: Dict},
	}},
	{Name: ColLinks, ID: 110, ElementID: 111, Columns: []Column{
		linkTraceID:    {Name: ColTraceID, ID: 112, Type: TraceID, Encoding: Length, NoBounds: true},
		linkSpanID:     {Name: ColSpanID, ID: 113, Type: SpanID, Encoding: Length, NoBounds: true},
		linkTraceState: {Name: ColTraceState, ID: 114, Type: String, Encoding: Dict, NoBounds: true},
		linkFlags:      {Name: ColFlags, ID: 115, Type: Uint32, Encoding: Dict},
		linkAttributes: {Name: ColAttributes, ID: 116, Type: String, Encoding: Length, NoBounds: true},
		linkDropped:    {Name: ColDroppedAttributes, ID: 117, Type: Uint32, Encoding: Dict},
	}},
}

// Logs is the schema of log records.
var Logs = func() *Schema {
	s := Schema{Signal: SignalLogs, Columns: logColumns}
	return newSchema(s, logLifts(&s))
}()

var logColumns = slices.Concat(
	[]Column{
		{Name: ColTimestamp, ID: 1, Type: Time, Encoding: Delta},
		{Name: ColObserved, ID: 40, Type: Time, Optional: true, Encoding: Delta},
		{Name: ColIsObserved, ID: 41, Type: Bool, Encoding: Plain},
		{Name: ColServiceName, ID: 12, Type: String, Encoding: Dict},
		{Name: ColSeverityNumber, ID: 42, Type: Int32, Encoding: Dict},
		{Name: ColSeverityText, ID: 43, Type: String, Optional: true, Encoding: Dict},
		{Name: ColBody, ID: 44, Type: String, Optional: true, Encoding: Length, NoBounds: true},
		{Name: ColBodyIsJSON, ID: 45, Type: Bool, Encoding: Plain},
		{Name: ColTraceID, ID: 3, Type: TraceID, Optional: true, Encoding: Dict, Bloom: true},
		{Name: ColSpanID, ID: 4, Type: SpanID, Optional: true, Encoding: Length},
		{Name: ColFlags, ID: 7, Type: Uint32, Encoding: Dict},
		{Name: ColEventName, ID: 46, Type: String, Optional: true, Encoding: Dict},
	},
	attributeColumns,
	[]Column{
		{Name: ColSource, ID: 18, Type: String, Optional: true, Encoding: Dict},
		{Name: ColRetention, ID: 20, Type: String, Encoding: Dict},
		{Name: ColDroppedAttributes, ID: 23, Type: Uint32, Optional: true, Encoding: Dict},
	},
	originColumns,
	resourceAttributeColumns,
)

var attributeColumns = []Column{
	{Name: ColAttributes, ID: 17, Type: String, Encoding: Length, NoBounds: true},
	{Name: ColResourceAttributes, ID: 16, Type: String, Encoding: Dict, NoBounds: true},
}

var originColumns = []Column{
	{Name: ColScopeName, ID: 13, Type: String, Encoding: Dict},
	{Name: ColScopeVersion, ID: 14, Type: String, Encoding: Dict},
	{Name: ColScopeAttributes, ID: 15, Type: String, Optional: true, Encoding: Dict, NoBounds: true},
	{Name: ColResourceSchemaURL, ID: 26, Type: String, Optional: true, Encoding: Dict},
	{Name: ColScopeSchemaURL, ID: 27, Type: String, Optional: true, Encoding: Dict},
	{Name: ColResourceDroppedAttrs, ID: 28, Type: Uint32, Optional: true, Encoding: Dict},
	{Name: ColScopeDroppedAttributes, ID: 29, Type: Uint32, Optional: true, Encoding: Dict},
}

// Span attributes with a column of their own; high-cardinality ones without
// a dictionary.
var spanAttributeColumns = []Column{
	{Name: "http.request.method", ID: 200, Type: String, Optional: true, Encoding: Dict},
	{Name: "http.route", ID: 201, Type: String, Optional: true, Encoding: Dict},
	{Name: "http.response.status_code", ID: 202, Type: Int64, Optional: true, Encoding: Dict},
	{Name: "url.path", ID: 203, Type: String, Optional: true, Encoding: Length, NoBounds: true},
	{Name: "url.full", ID: 204, Type: String, Optional: true, Encoding: Length, NoBounds: true},
	{Name: "server.address", ID: 205, Type: String, Optional: true, Encoding: Dict},
	{Name: "server.port", ID: 206, Type: Int64, Optional: true, Encoding: Dict},
	{Name: "db.system.name", ID: 207, Type: String, Optional: true, Encoding: Dict},
	{Name: "db.namespace", ID: 208, Type: String, Optional: true, Encoding: Dict},
	{Name: "db.operation.name", ID: 209, Type: String, Optional: true, Encoding: Dict},
	{Name: "db.collection.name", ID: 210, Type: String, Optional: true, Encoding: Dict},
	{Name: "db.query.text", ID: 211, Type: String, Optional: true, Encoding: Dict, NoBounds: true},
	{Name: "rpc.system.name", ID: 212, Type: String, Optional: true, Encoding: Dict},
	{Name: "rpc.service", ID: 213, Type: String, Optional: true, Encoding: Dict},
	{Name: "rpc.method", ID: 214, Type: String, Optional: true, Encoding: Dict},
	{Name: "rpc.grpc.status_code", ID: 215, Type: Int64, Optional: true, Encoding: Dict},
	{Name: "rpc.response.status_code", ID: 223, Type: String, Optional: true, Encoding: Dict},
	{Name: "messaging.system", ID: 216, Type: String, Optional: true, Encoding: Dict},
	{Name: "messaging.destination.name", ID: 217, Type: String, Optional: true, Encoding: Dict},
	{Name: "messaging.operation.type", ID: 218, Type: String, Optional: true, Encoding: Dict},
	{Name: "error.type", ID: 219, Type: String, Optional: true, Encoding: Dict},
	{Name: "network.peer.address", ID: 220, Type: String, Optional: true, Encoding: Length, NoBounds: true},
	{Name: "user.id", ID: 221, Type: String, Optional: true, Encoding: Dict},
	{Name: "user_agent.original", ID: 222, Type: String, Optional: true, Encoding: Dict, NoBounds: true},
}

// Resource attributes copied to a column of their own.
var resourceAttributeColumns = []Column{
	{Name: "service.namespace", ID: 300, Type: String, Optional: true, Encoding: Dict},
	{Name: "service.version", ID: 301, Type: String, Optional: true, Encoding: Dict},
	{Name: "deployment.environment.name", ID: 302, Type: String, Optional: true, Encoding: Dict},
	{Name: "k8s.pod.name", ID: 303, Type: String, Optional: true, Encoding: Dict},
	{Name: "host.name", ID: 304, Type: String, Optional: true, Encoding: Dict},
}

// Positions in the lists' columns.
const (
	eventTimestamp = iota
	eventName
	eventAttributes
	eventDropped
)

const (
	linkTraceID = iota
	linkSpanID
	linkTraceState
	linkFlags
	linkAttributes
	linkDropped
)
