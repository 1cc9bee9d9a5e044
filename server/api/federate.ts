import { Readable } from 'node:stream';
import { setImmediate } from 'node:timers/promises';
import type { FastifyInstance } from 'fastify';
import { labelValue, METRIC_NAME, type SeriesSamples } from '../model/index.ts';
import { type PackedSeries, type QueryPool, unpackSeries } from '../query/index.ts';
import {
  type ExposedFamily,
  type ExposedSeries,
  encodeExposition,
  type NegotiatedExposition,
  negotiateExposition,
} from '../wire/index.ts';
import { goneSignal, onceClosed, sendError } from './answer.ts';
import type { Gate } from './gate.ts';
import { paramsOf } from './params.ts';
import { addRoute } from './prometheus-answer.ts';

/** How old the last sample of a series may be, as for an instant query. */
const LOOKBACK_MS = 300_000;
/** Series that are encoded at a time. */
const BATCH_SERIES = 500;
const LINE_END = 10;
/** Milliseconds without progress after which a client is taken for gone. */
const STALLED_MS = 60_000;
/** What ends an exposition in OpenMetrics. */
const END = '# EOF\n';

/**
 * Adds `GET /federate`: the last sample of every series that any `match[]` selects, in the format that the asker prefers.
 * As in Prometheus all are untyped, have their own times, and an `instance`, empty where they have none.
 */
export function addFederation(app: FastifyInstance, queries: QueryPool, gate: Gate): void {
  addRoute(app, ['GET'], '/federate', async (request, reply) => {
    try {
      const gone = goneSignal(reply);
      onceClosed(reply, await gate.enter(gone));
      const match = paramsOf(request).all('match[]');
      const endMs = Date.now();
      const asked = { kind: 'last_samples', match, startMs: endMs - LOOKBACK_MS + 1, endMs } as const;
      const packed = await queries.run(asked, gone);
      reply.raw.setTimeout(STALLED_MS, () => reply.raw.destroy());
      const format = negotiateExposition(request.headers.accept);
      return reply
        .type(format.contentType)
        .send(Readable.from(encodeBatches(packed, format), { objectMode: false, highWaterMark: 65_536 }));
    } catch (error) {
      return sendError(request, reply, error);
    }
  });
}

/** Other requests have their turn between batches, each of which is some milliseconds' work. */
async function* encodeBatches(packed: PackedSeries, format: NegotiatedExposition): AsyncGenerator<Buffer> {
  const isOpenMetrics = format.protocol.startsWith('OpenMetrics');
  let batch: Uint8Array[] = [];
  let size = 0;
  for (const family of familiesOf(packed)) {
    for (const part of partsOf(family, format)) {
      batch.push(encodePart(part, format, isOpenMetrics));
      size += part.series.length;
      if (size < BATCH_SERIES) continue;
      yield Buffer.concat(batch);
      batch = [];
      size = 0;
      await setImmediate();
    }
  }
  // The end is written once, behind the last batch.
  if (isOpenMetrics) batch.push(Buffer.from(END));
  if (batch.length > 0) yield Buffer.concat(batch);
}

/** A part of a family. Those behind the first have no line that says what the family is. */
interface FamilyPart extends ExposedFamily {
  readonly isFirst: boolean;
}

/** Large families in parts; in protobuf a family is one message, and whole. */
function* partsOf(family: ExposedFamily, format: NegotiatedExposition): Iterable<FamilyPart> {
  const { series } = family;
  const size = format.protocol === 'PrometheusProto' ? series.length : BATCH_SERIES;
  for (let from = 0; from < series.length; from += size) {
    yield { ...family, series: series.slice(from, from + size), isFirst: from === 0 };
  }
}

function encodePart(part: FamilyPart, format: NegotiatedExposition, isOpenMetrics: boolean): Uint8Array {
  const { body } = encodeExposition([part], format);
  const end = body.length - (isOpenMetrics ? END.length : 0);
  // Without help and unit what is said of a family is one line.
  return body.subarray(part.isFirst ? 0 : body.indexOf(LINE_END) + 1, end);
}

/** Series with one name and one kind of sample are a family; they come sorted by name. */
function* familiesOf(packed: PackedSeries): Iterable<ExposedFamily> {
  let name: string | undefined;
  let floats: ExposedSeries[] = [];
  let histograms: ExposedSeries[] = [];
  for (const series of unpackSeries(packed)) {
    const own = labelValue(series.labels, METRIC_NAME);
    if (own !== name && name !== undefined) {
      yield* families(name, floats, histograms);
      [floats, histograms] = [[], []];
    }
    name = own;
    const exposed = expose(series);
    (exposed.histogram ? histograms : floats).push(exposed);
  }
  if (name !== undefined) yield* families(name, floats, histograms);
}

function* families(
  name: string,
  floats: readonly ExposedSeries[],
  histograms: readonly ExposedSeries[],
): Iterable<ExposedFamily> {
  if (floats.length > 0) yield { name, type: 'unknown', series: floats };
  if (histograms.length > 0) yield { name, type: 'histogram', series: histograms };
}

function expose({ labels, timestamps, values, histograms }: SeriesSamples): ExposedSeries {
  const at = labels.findIndex((text, i) => i % 2 === 0 && text >= 'instance');
  const hasInstance = at >= 0 && labels[at] === 'instance';
  // Without it a scraper would put its own instance here.
  const place = at < 0 ? labels.length : at;
  const own = hasInstance ? labels : [...labels.slice(0, place), 'instance', '', ...labels.slice(place)];
  return { labels: own, value: values[0], histogram: histograms?.[0], timestampMs: timestamps[0] };
}
