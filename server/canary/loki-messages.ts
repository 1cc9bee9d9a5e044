import { type LogEntry, labelsFromRecord } from '../model/index.ts';
import { HARMLESS_LINES } from './hide.data.ts';
import type { Hider } from './hide.ts';
import { CANARY_NAME } from './label.ts';
import type { MessageShape } from './otlp-messages.ts';
import { pick } from './random.ts';

/** The entries of a push. */
export function pushEntries(hider: Hider, { items, nowMs }: MessageShape): LogEntry[] {
  const stream = labelsFromRecord({
    ...hider.labels('stream labels', { deployment: CANARY_NAME, environment: CANARY_NAME, job: CANARY_NAME }),
  });
  return Array.from({ length: items }, (_, i) => ({
    stream,
    timestampNs: BigInt(nowMs) * 1_000_000n + BigInt(i),
    line: hider.line('line', pick(hider.draw, HARMLESS_LINES)),
    metadata: labelsFromRecord({ ...hider.labels('structured metadata', { policy: hider.control }) }),
  }));
}
