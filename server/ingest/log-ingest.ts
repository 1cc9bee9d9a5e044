import type { Governor, Source } from '../govern/index.ts';
import type { Attributes, LogEntry } from '../model/index.ts';
import type { Store } from '../store/index.ts';
import { type OtlpLogRecord, toLogEntries } from '../wire/index.ts';
import type { IngestOutcome } from './metric-ingest.ts';

/** The first nanosecond that an int64 can't hold. */
const END_OF_TIME_NS = 1n << 63n;

/**
 * Takes decoded log entries to the store: each is governed, its stream found, its line written. Synchronous between a
 * request's decoding and its commit, so requests never interleave.
 */
export class LogIngest {
  private readonly store: Store;
  private readonly governor: Governor;

  constructor(store: Store, governor: Governor) {
    this.store = store;
    this.governor = governor;
    governor.knowStreams({
      get size() {
        return store.streams.size;
      },
      has: (labels) => store.streams.find(labels) !== undefined,
    });
  }

  /**
   * Takes in the records of one OTLP request; durable once the store commits.
   * @param nowNs as for `take`.
   * @throws BarographError `overloaded`, `too_large` (413); nothing was taken.
   */
  takeRecords(records: readonly OtlpLogRecord[], nowNs: bigint): IngestOutcome {
    // Records of one resource share its attributes, and translation goes by that, so they still do afterwards.
    const shared = new Map<Attributes, Attributes>();
    const governed = (attributes: Attributes): Attributes => {
      let known = shared.get(attributes);
      if (!known) {
        known = this.governor.governLogAttributes(attributes, 'otlp');
        shared.set(attributes, known);
      }
      return known;
    };
    const cleaned = records.map((record) => ({
      ...record,
      resource: governed(record.resource),
      scopeAttributes: governed(record.scopeAttributes),
      attributes: this.governor.governLogAttributes(record.attributes, 'otlp'),
    }));
    return this.take(toLogEntries(cleaned), 'otlp', nowNs);
  }

  /**
   * Takes in the entries of one request; durable once the store commits.
   * @param nowNs the time of arrival, nanoseconds since the epoch, for entries without a time of their own.
   * @throws BarographError `overloaded` (nothing was taken).
   */
  take(entries: readonly LogEntry[], source: Source, nowNs: bigint): IngestOutcome {
    this.store.writer.assertRoom();
    const { buffer } = this.store.writer;
    const { cost } = this.governor.census;
    let rejected = 0;
    let reason: string | undefined;
    for (const entry of entries) {
      if (entry.timestampNs < 0n || entry.timestampNs >= END_OF_TIME_NS) {
        rejected++;
        reason ??= 'a time outside 1970 to 2262';
        continue;
      }
      const governed = this.governor.governLog(entry, source);
      if (!governed) {
        rejected++;
        reason ??= 'refused by the taxonomy; barograph_govern_decisions_total counts them by rule';
        continue;
      }
      if (governed.timestampNs === 0n) governed.timestampNs = nowNs;
      const stream = this.store.streams.resolve(governed.stream);
      const before = buffer.textBytes;
      buffer.pushLog(stream, governed);
      const wide = Buffer.byteLength(governed.line) - governed.line.length;
      cost.addLog(stream, governed.stream, buffer.textBytes - before + wide);
    }
    return { accepted: entries.length - rejected, rejected, reason };
  }
}
