import type { Governor, Source } from '../govern/index.ts';
import type { Span } from '../model/index.ts';
import type { Store } from '../store/index.ts';
import type { IngestOutcome } from './metric-ingest.ts';

/** The first nanosecond that an int64 can't hold. */
const END_OF_TIME_NS = 1n << 63n;

/** Takes decoded spans to the store, governed. Synchronous between a request's decoding and its commit. */
export class TraceIngest {
  private readonly store: Store;
  private readonly governor: Governor;

  constructor(store: Store, governor: Governor) {
    this.store = store;
    this.governor = governor;
  }

  /**
   * Takes in the spans of one request; durable once the store commits.
   * @throws BarographError `overloaded` (nothing was taken).
   */
  take(spans: readonly Span[], source: Source): IngestOutcome {
    this.store.writer.assertRoom();
    const { buffer } = this.store.writer;
    const { cost } = this.governor.census;
    let rejected = 0;
    let reason: string | undefined;
    for (const span of spans) {
      if (span.startNs < 0n || span.startNs + span.durationNs >= END_OF_TIME_NS) {
        rejected++;
        reason ??= 'a time outside 1970 to 2262';
        continue;
      }
      const governed = this.governor.governSpan(span, source);
      const before = buffer.textBytes;
      buffer.pushSpan(governed);
      cost.addSpan(governed, buffer.textBytes - before);
    }
    return { accepted: spans.length - rejected, rejected, reason };
  }
}
