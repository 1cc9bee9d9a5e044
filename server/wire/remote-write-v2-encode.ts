import { bitsOf, type Labels, labelValue, METRIC_NAME, type MetricMetadata } from '../model/index.ts';
import { METADATA_TYPES } from './remote-write.ts';
import { groupBySeries, type WriteRequestColumns, writeHistogramFields } from './remote-write-encode.ts';
import { Writer } from './writer.ts';

/** The `Content-Type` of a remote write 2.0 request. */
export const WRITE_V2_CONTENT_TYPE = 'application/x-protobuf;proto=io.prometheus.write.v2.Request';

/** What a 2.0 request is made of. A series must have samples or histograms, and not both. */
export interface WriteRequestV2Columns extends WriteRequestColumns {
  /** Milliseconds since the epoch from which each sample counts, 0 where unknown; beside the other columns. */
  readonly sampleStartMs?: Float64Array;
  readonly histograms?: readonly (NonNullable<WriteRequestColumns['histograms']>[number] & { startMs?: number })[];
}

/** Gives every text of a request its number. */
class SymbolWriter {
  readonly #refs = new Map<string, number>([['', 0]]);

  ref(text: string): number {
    let ref = this.#refs.get(text);
    if (ref === undefined) {
      ref = this.#refs.size;
      this.#refs.set(text, ref);
    }
    return ref;
  }

  /** Writes the symbols in the order of their numbers. */
  write(writer: Writer): void {
    for (const text of this.#refs.keys()) writer.string(4, text);
  }
}

/**
 * Encodes a remote write 2.0 request (`io.prometheus.write.v2.Request`); compress it with `snappyCompress` before it is
 * sent. Metadata go to the series of their metric, of `_bucket`, `_sum` and `_count` to those of their family.
 */
export function encodeWriteRequestV2(columns: WriteRequestV2Columns): Uint8Array {
  const count = columns.sampleCount ?? columns.sampleSeries.length;
  const { series: sets } = columns;
  const symbols = new SymbolWriter();
  const body = new Writer(64 + sets.length * 32 + count * 18);
  const bits = bitsOf(columns.sampleValue);
  const samples = groupBySeries(sets.length, count, (i) => columns.sampleSeries[i]);
  const exemplars = columns.exemplars ?? [];
  const exemplarsBySeries = groupBySeries(sets.length, exemplars.length, (i) => exemplars[i].series);
  const histograms = columns.histograms ?? [];
  const histogramsBySeries = groupBySeries(sets.length, histograms.length, (i) => histograms[i].series);
  const metadata = new Map((columns.metadata ?? []).map((entry) => [entry.metric, entry]));

  for (let s = 0; s < sets.length; s++) {
    const series = body.begin(5);
    writeRefs(body, symbols, sets[s]);
    for (let k = samples.starts[s]; k < samples.starts[s + 1]; k++) {
      const i = samples.order[k];
      const sample = body.begin(2);
      body.fixed64Halves(1, bits[2 * i + 1], bits[2 * i]);
      body.int(2, columns.sampleTimestampMs[i]);
      const startMs = columns.sampleStartMs?.[i] ?? 0;
      if (startMs !== 0) body.int(3, startMs);
      body.end(sample);
    }
    for (let k = histogramsBySeries.starts[s]; k < histogramsBySeries.starts[s + 1]; k++) {
      const { histogram, timestampMs, startMs } = histograms[histogramsBySeries.order[k]];
      const start = body.begin(3);
      writeHistogramFields(body, histogram, timestampMs);
      if (startMs !== undefined && startMs !== 0) body.int(17, startMs);
      body.end(start);
    }
    for (let k = exemplarsBySeries.starts[s]; k < exemplarsBySeries.starts[s + 1]; k++) {
      const { exemplar } = exemplars[exemplarsBySeries.order[k]];
      const start = body.begin(4);
      writeRefs(body, symbols, exemplar.labels);
      body.double(2, exemplar.value);
      body.int(3, exemplar.timestampMs);
      body.end(start);
    }
    const known = metadata.size === 0 ? undefined : metadataOf(metadata, labelValue(sets[s], METRIC_NAME));
    if (known !== undefined) writeMetadata(body, symbols, known);
    body.end(series);
  }
  const out = new Writer(body.size + 4096);
  symbols.write(out);
  out.raw(body.finish());
  return out.finish();
}

function writeRefs(writer: Writer, symbols: SymbolWriter, labels: Labels): void {
  const packed = writer.begin(1);
  for (const text of labels) writer.varint(symbols.ref(text));
  writer.end(packed);
}

function metadataOf(metadata: ReadonlyMap<string, MetricMetadata>, name: string): MetricMetadata | undefined {
  return metadata.get(name) ?? metadata.get(name.replace(/_(?:bucket|g?count|g?sum)$/, ''));
}

function writeMetadata(writer: Writer, symbols: SymbolWriter, metadata: MetricMetadata): void {
  const start = writer.begin(5);
  writer.uint(1, METADATA_TYPES.indexOf(metadata.type));
  writer.uint(3, symbols.ref(metadata.help));
  writer.uint(4, symbols.ref(metadata.unit));
  writer.end(start);
}
