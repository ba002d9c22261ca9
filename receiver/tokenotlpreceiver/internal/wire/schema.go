package wire

// node is a kind of message, as far as the walk tells them apart.
type node uint8

const (
	skip node = iota // a field that holds nothing of interest
	// Kinds without fields.
	text         // a string
	listString   // a string of a list
	keyText      // the key of an attribute
	nameText     // the name of a span
	ownTraceID   // of a span, which must have one
	ownSpanID    // likewise
	otherTraceID // of a link, log record or exemplar
	otherSpanID  // likewise, and of a parent
	packedNumbers
	// Kinds of messages, whose fields are in schema.
	quantile
	spanStatus
	tracesRequest
	resourceSpans
	scopeSpans
	span
	event
	link
	logsRequest
	resourceLogs
	scopeLogs
	logRecord
	metricsRequest
	resourceMetrics
	scopeMetrics
	metric
	numberData
	histogramData
	exponentialData
	summaryData
	numberPoint
	histogramPoint
	exponentialPoint
	buckets
	summaryPoint
	exemplar
	resource
	entityRef
	scope
	keyValue
	anyValue
	arrayValue
	keyValueList
	nodes
)

// cost is the memory in bytes that pdata spends on one message of a kind apart
// from its strings and children: the struct rounded up to its size class, its
// slot in the parent's slice, and a share of that slice's unused capacity.
// TestEstimateFollowsDecodedMemory holds it against the decoder.
var cost = [nodes]int64{
	listString:       24,
	quantile:         32,
	spanStatus:       32,
	resourceSpans:    160,
	scopeSpans:       144,
	span:             240,
	event:            80,
	link:             112,
	resourceLogs:     160,
	scopeLogs:        144,
	logRecord:        152,
	resourceMetrics:  160,
	scopeMetrics:     144,
	metric:           128,
	numberData:       48,
	histogramData:    48,
	exponentialData:  48,
	summaryData:      32,
	numberPoint:      112,
	histogramPoint:   192,
	exponentialPoint: 256,
	summaryPoint:     128,
	exemplar:         112,
	entityRef:        96,
	keyValue:         56,
	anyValue:         40,
	arrayValue:       32,
	keyValueList:     32,
}

// numberCost is the memory in bytes of one number of a list, with a share of the
// list's unused capacity.
const numberCost = 14

// maxField is the largest field number in schema; deprecatedScopes alone is beyond.
const maxField = 16

// deprecatedScopes is the field number under which pdata still accepts the
// scopes of a resource from senders older than OTLP 0.15.
const deprecatedScopes = 1000

// schema maps the field numbers of opentelemetry/proto to the kinds behind them.
var schema = [nodes][maxField + 1]node{
	tracesRequest:    {1: resourceSpans},
	resourceSpans:    {1: resource, 2: scopeSpans, 3: text},
	scopeSpans:       {1: scope, 2: span, 3: text},
	span:             {1: ownTraceID, 2: ownSpanID, 3: text, 4: otherSpanID, 5: nameText, 9: keyValue, 11: event, 13: link, 15: spanStatus},
	event:            {2: text, 3: keyValue},
	link:             {1: otherTraceID, 2: otherSpanID, 3: text, 4: keyValue},
	spanStatus:       {2: text},
	logsRequest:      {1: resourceLogs},
	resourceLogs:     {1: resource, 2: scopeLogs, 3: text},
	scopeLogs:        {1: scope, 2: logRecord, 3: text},
	logRecord:        {3: text, 5: anyValue, 6: keyValue, 9: otherTraceID, 10: otherSpanID, 12: text},
	metricsRequest:   {1: resourceMetrics},
	resourceMetrics:  {1: resource, 2: scopeMetrics, 3: text},
	scopeMetrics:     {1: scope, 2: metric, 3: text},
	metric:           {1: text, 2: text, 3: text, 5: numberData, 7: numberData, 9: histogramData, 10: exponentialData, 11: summaryData, 12: keyValue},
	numberData:       {1: numberPoint},
	histogramData:    {1: histogramPoint},
	exponentialData:  {1: exponentialPoint},
	summaryData:      {1: summaryPoint},
	numberPoint:      {5: exemplar, 7: keyValue},
	histogramPoint:   {8: exemplar, 9: keyValue},
	exponentialPoint: {1: keyValue, 8: buckets, 9: buckets, 11: exemplar},
	buckets:          {2: packedNumbers},
	summaryPoint:     {6: quantile, 7: keyValue},
	exemplar:         {4: otherSpanID, 5: otherTraceID, 7: keyValue},
	resource:         {1: keyValue, 3: entityRef},
	entityRef:        {1: text, 2: text, 3: listString, 4: listString},
	scope:            {1: text, 2: text, 3: keyValue},
	keyValue:         {1: keyText, 2: anyValue},
	anyValue:         {1: text, 5: arrayValue, 6: keyValueList},
	arrayValue:       {1: anyValue},
	keyValueList:     {1: keyValue},
}

// deprecated is what field deprecatedScopes holds in a message of a kind.
var deprecated = [nodes]node{
	resourceSpans:   scopeSpans,
	resourceLogs:    scopeLogs,
	resourceMetrics: scopeMetrics,
}

var roots = [...]node{Traces: tracesRequest, Logs: logsRequest, Metrics: metricsRequest}

func child(n node, field int32) node {
	switch {
	case field <= maxField:
		return schema[n][field]
	case field == deprecatedScopes:
		return deprecated[n]
	default:
		return skip
	}
}
