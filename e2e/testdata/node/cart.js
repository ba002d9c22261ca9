// A service under load that logs with pino, instrumented by the OpenTelemetry
// Node SDK: its lines go into the file LOG_FILE, and by way of the
// instrumentation to the collector as OTLP, as its spans do.
'use strict';

const { setTimeout: sleep } = require('node:timers/promises');
const { NodeSDK } = require('@opentelemetry/sdk-node');
const { PinoInstrumentation } = require('@opentelemetry/instrumentation-pino');
const { BatchSpanProcessor } = require('@opentelemetry/sdk-trace-base');
const { BatchLogRecordProcessor } = require('@opentelemetry/sdk-logs');
const { OTLPTraceExporter } = require('@opentelemetry/exporter-trace-otlp-proto');
const { OTLPLogExporter } = require('@opentelemetry/exporter-logs-otlp-proto');
const { trace } = require('@opentelemetry/api');

// Queues with room for all there is: what they drop would be missed.
const room = { maxQueueSize: 20_000, maxExportBatchSize: 512 };
const sdk = new NodeSDK({
  instrumentations: [new PinoInstrumentation()],
  spanProcessors: [new BatchSpanProcessor(new OTLPTraceExporter(), room)],
  logRecordProcessors: [new BatchLogRecordProcessor({ exporter: new OTLPLogExporter(), ...room })],
  serviceName: process.env.OTEL_SERVICE_NAME,
  resourceDetectors: [],
});
sdk.start();

const pino = require('pino'); // after start: from now on it is instrumented
const tracer = trace.getTracer('cart');
const logger = pino(pino.destination({ dest: process.env.LOG_FILE, sync: true }));

// The clock of pino and of a span's start has milliseconds: a span that ends in
// the one in which it logged may seem to end before.
const tick = () => sleep(3);

async function handle(n) {
  await tracer.startActiveSpan('POST /cart', async (request) => {
    logger.info({ n }, `node request ${n}`);
    await tick();
    await tracer.startActiveSpan('reserve', async (reserve) => {
      logger.warn({ n, item: { name: 'socks' } }, `node reserve ${n}`);
      await tick();
      reserve.end();
    });
    request.end();
  });
}

async function main() {
  logger.info('node started');
  const waves = 10;
  for (let wave = 0; wave < waves; wave++) {
    await Promise.all(Array.from({ length: 50 }, (_, i) => handle(wave * 50 + i)));
  }
  await sdk.shutdown();
}

main().catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
