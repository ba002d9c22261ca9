// Writes a line of JSON for each way of logging: its name and what the library
// wrote. record.sh keeps the output.
'use strict';

const { Writable } = require('node:stream');
const { context, trace, TraceFlags } = require('@opentelemetry/api');
const { registerInstrumentations } = require('@opentelemetry/instrumentation');
const { AsyncLocalStorageContextManager } = require('@opentelemetry/context-async-hooks');
const { BunyanInstrumentation } = require('@opentelemetry/instrumentation-bunyan');
const { PinoInstrumentation } = require('@opentelemetry/instrumentation-pino');
const { WinstonInstrumentation } = require('@opentelemetry/instrumentation-winston');

context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
registerInstrumentations({
  instrumentations: [
    new BunyanInstrumentation({ disableLogSending: true }),
    new PinoInstrumentation({ disableLogSending: true }),
    new WinstonInstrumentation({ disableLogSending: true }),
  ],
});
const bunyan = require('bunyan');
const pino = require('pino');
const winston = require('winston');

function keep(name) {
  return new Writable({
    write(chunk, _, done) {
      process.stdout.write(JSON.stringify({ name, line: chunk.toString().trimEnd() }) + '\n');
      done();
    },
  });
}

const combine = (...formats) => winston.format.combine(...formats);
const { json, logstash, timestamp } = winston.format;
const winstonTo = (name, format) =>
  winston.createLogger({ format, transports: [new winston.transports.Stream({ stream: keep(name) })] });

const span = trace.wrapSpanContext({
  traceId: '4bf92f3577b34da6a3ce929d0e0e4736',
  spanId: '00f067aa0ba902b7',
  traceFlags: TraceFlags.SAMPLED,
});
context.with(trace.setSpan(context.active(), span), () => {
  pino({}, keep('pino')).warn({ cart: 'c1' }, 'cart is full');
  pino({ timestamp: pino.stdTimeFunctions.isoTime, formatters: { level: (label) => ({ level: label }) } }, keep('pino, ISO time and names of levels')).warn('cart is full');
  pino({ base: null }, keep('pino without pid and hostname')).warn('cart is full');
  pino({ nestedKey: 'payload', messageKey: 'message' }, keep('pino with nestedKey')).error({ cart: 'c1' }, 'cart is full');
  winstonTo('winston, json', json()).warn('cart is full', { cart: 'c1' });
  winstonTo('winston, timestamp and json', combine(timestamp(), json())).warn('cart is full');
  winstonTo('winston, logstash', combine(timestamp(), logstash())).warn('cart is full');
  bunyan.createLogger({ name: 'shop', stream: keep('bunyan') }).warn({ cart: 'c1' }, 'cart is full');
});
pino({}, keep('pino outside of a span')).info('started');
