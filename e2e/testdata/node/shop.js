// An HTTP server and a client of it, instrumented by the OpenTelemetry Node SDK,
// that export over the protocol in OTEL_EXPORTER_OTLP_PROTOCOL. On exit it
// prints every span and log record it ended, as one line of JSON.
'use strict';

const { NodeSDK } = require('@opentelemetry/sdk-node');
const { HttpInstrumentation } = require('@opentelemetry/instrumentation-http');
const { BatchSpanProcessor } = require('@opentelemetry/sdk-trace-base');
const { BatchLogRecordProcessor } = require('@opentelemetry/sdk-logs');
const { context, trace, SpanKind, SpanStatusCode } = require('@opentelemetry/api');
const { logs, SeverityNumber } = require('@opentelemetry/api-logs');

const exporters = { 'http/json': 'http', 'http/protobuf': 'proto', grpc: 'grpc' };
const exporter = exporters[process.env.OTEL_EXPORTER_OTLP_PROTOCOL];
const { OTLPTraceExporter } = require(`@opentelemetry/exporter-trace-otlp-${exporter}`);
const { OTLPLogExporter } = require(`@opentelemetry/exporter-logs-otlp-${exporter}`);

const nanos = ([seconds, nanos]) => (BigInt(seconds) * 1000000000n + BigInt(nanos)).toString();
const scope = (s) => ({ name: s.name, version: s.version ?? '', schemaUrl: s.schemaUrl ?? '' });
const ended = { spans: [], logs: [] };

const spanRecorder = {
  onStart() {},
  onEnd(s) {
    ended.spans.push({
      traceId: s.spanContext().traceId,
      spanId: s.spanContext().spanId,
      parent: s.parentSpanContext?.spanId ?? '',
      name: s.name,
      kind: s.kind,
      start: nanos(s.startTime),
      end: nanos(s.endTime),
      status: s.status,
      attributes: s.attributes,
      events: s.events.map((e) => ({ time: nanos(e.time), name: e.name, attributes: e.attributes ?? {} })),
      links: s.links.map((l) => ({ traceId: l.context.traceId, spanId: l.context.spanId, attributes: l.attributes ?? {} })),
      resource: s.resource.attributes,
      scope: scope(s.instrumentationScope),
    });
  },
  forceFlush: async () => {},
  shutdown: async () => {},
};

const logRecorder = {
  onEmit(r) {
    ended.logs.push({
      time: nanos(r.hrTime),
      observed: nanos(r.hrTimeObserved),
      severity: r.severityNumber,
      severityText: r.severityText ?? '',
      body: r.body,
      eventName: r.eventName ?? '',
      traceId: r.spanContext?.traceId ?? '',
      spanId: r.spanContext?.spanId ?? '',
      attributes: r.attributes,
      resource: r.resource.attributes,
      scope: scope(r.instrumentationScope),
    });
  },
  forceFlush: async () => {},
  shutdown: async () => {},
};

const sdk = new NodeSDK({
  instrumentations: [new HttpInstrumentation()],
  spanProcessors: [spanRecorder, new BatchSpanProcessor(new OTLPTraceExporter())],
  logRecordProcessors: [logRecorder, new BatchLogRecordProcessor({ exporter: new OTLPLogExporter() })],
  serviceName: process.env.OTEL_SERVICE_NAME,
  resourceDetectors: [],
});
sdk.start();

const http = require('node:http'); // after start: from now on it is instrumented
const tracer = trace.getTracer('shop', '1.2.3');
const logger = logs.getLogger('shop-audit', '0.9');

const values = {
  'app.bool': true,
  'app.int': 42,
  'app.double': 0.5,
  'app.big': 2 ** 53,
  'app.string': 'naïve "quoted" 世界 🦆',
  'app.strings': ['a', ''],
  'app.numbers': [1, 2],
  'app.bools': [false],
};

function handle(request, response) {
  const active = trace.getSpan(context.active());
  tracer.startActiveSpan('reserve', { links: [{ context: active.spanContext(), attributes: { why: 'same request' } }] }, (span) => {
    span.setAttributes(values);
    span.addEvent('reserved', values);
    logger.emit({
      severityNumber: SeverityNumber.WARN,
      severityText: 'WARN',
      eventName: 'stock.low',
      body: { item: 'socks', left: 3, nested: { deep: [1, 'two'] } },
      attributes: values,
    });
    if (request.url === '/fail') {
      span.recordException(new TypeError('out of stock'));
      span.setStatus({ code: SpanStatusCode.ERROR, message: 'no socks' });
      response.statusCode = 500;
    }
    span.end();
  });
  response.end('done');
}

function get(url) {
  return new Promise((resolve, reject) => {
    http.get(url, (response) => response.resume().on('end', resolve)).on('error', reject);
  });
}

async function main() {
  const server = http.createServer(handle);
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const base = `http://127.0.0.1:${server.address().port}`;
  for (const path of ['/cart', '/fail']) {
    await tracer.startActiveSpan(`visit ${path}`, { kind: SpanKind.INTERNAL }, async (span) => {
      logger.emit({ severityNumber: SeverityNumber.INFO, body: `visiting ${path}` });
      await get(base + path);
      span.end();
    });
  }
  logger.emit({ severityNumber: SeverityNumber.DEBUG, body: 'outside of any span' });
  await new Promise((resolve) => server.close(resolve));
  await sdk.shutdown();
  process.stdout.write(JSON.stringify(ended) + '\n');
}

main().catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
