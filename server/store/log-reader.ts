import { compareLabels, type Labels, type Matcher } from '../model/index.ts';
import type { ChunkSource } from './chunks.ts';
import type { LabelIndex } from './labels/index.ts';
import type { LogBatch, LogReader, LogRequest, LogStats } from './reader.ts';
import { idCondition, int64s, quote, text, uints } from './rows.ts';

/** Lines in one batch, at most. */
const BATCH_LINES = 4096;
/** The first window of a search that wants few lines, in nanoseconds; each next one is twice as long. */
const FIRST_WINDOW_NS = 60_000_000_000n;

/** The log reader over DuckDB's tables and the index of streams. */
export function createLogReader(source: ChunkSource, index: LabelIndex): LogReader {
  async function* select(request: LogRequest, signal?: AbortSignal): AsyncGenerator<LogBatch> {
    index.refresh();
    const ids = index.select(request.matchers);
    if (ids.length === 0 || request.startNs >= request.endNs) return;
    for (const [from, to] of windows(request)) yield* selectWindow(request, ids, from, to, signal);
  }

  async function* selectWindow(
    request: LogRequest,
    ids: readonly number[],
    from: bigint,
    to: bigint,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<LogBatch> {
    const { sql, bind } = idCondition('stream', ids);
    const conditions = [`ts >= ${from}`, `ts < ${to}`, sql];
    for (const part of request.contains) conditions.push(`contains(line, ${quote(part)})`);
    const order = request.direction === 'forward' ? 'ASC' : 'DESC';
    const query = `SELECT stream, ts, line, metadata FROM logs WHERE ${conditions.join(' AND ')} ORDER BY ts ${order}`;
    const wanted = new Set(ids);
    const batch = new BatchBuilder();
    for await (const chunk of source.read(query, bind ? (ids as number[]) : undefined, signal)) {
      const streams = uints(chunk, 0);
      const times = int64s(chunk, 1);
      for (let row = 0; row < chunk.count; row++) {
        if (!wanted.has(streams[row])) continue;
        // A full batch is handed on only between two times, so that copies of a line meet in one batch.
        if (batch.length >= BATCH_LINES && times[row] !== batch.lastTime) yield batch.take(index);
        batch.add(streams[row], times[row], text(chunk, 2, row), text(chunk, 3, row));
      }
    }
    if (batch.length > 0) yield batch.take(index);
  }

  async function activeStreams(
    sets: readonly (readonly Matcher[])[],
    startNs: bigint,
    endNs: bigint,
  ): Promise<{ id: number; entries: number; bytes: number }[]> {
    index.refresh();
    const ids = sets.length === 0 ? index.select([]) : [...new Set(sets.flatMap((set) => index.select(set)))];
    const wanted = new Set(ids);
    const out: { id: number; entries: number; bytes: number }[] = [];
    const query = `SELECT stream, count(*)::BIGINT, sum(strlen(line))::BIGINT FROM logs WHERE ts >= ${startNs} AND ts < ${endNs} GROUP BY stream`;
    for await (const chunk of source.read(query, undefined, undefined)) {
      const [streams, entries, bytes] = [uints(chunk, 0), int64s(chunk, 1), int64s(chunk, 2)];
      for (let row = 0; row < chunk.count; row++) {
        if (wanted.has(streams[row])) {
          out.push({ id: streams[row], entries: Number(entries[row]), bytes: Number(bytes[row]) });
        }
      }
    }
    return out;
  }

  async function streams(sets: readonly (readonly Matcher[])[], startNs: bigint, endNs: bigint): Promise<Labels[]> {
    const found = await activeStreams(sets, startNs, endNs);
    return found.map(({ id }) => index.labels(id)).sort(compareLabels);
  }

  async function stats(matchers: readonly Matcher[], startNs: bigint, endNs: bigint): Promise<LogStats> {
    const found = await activeStreams([matchers], startNs, endNs);
    return {
      streams: found.length,
      entries: found.reduce((sum, s) => sum + s.entries, 0),
      bytes: found.reduce((sum, s) => sum + s.bytes, 0),
    };
  }

  return { select, streams, stats };
}

/**
 * The time windows to read one after the other. A search that wants all lines reads its range at once; one that wants
 * few starts small at the end that it asks for, so that it needn't sort a day to show a page.
 */
function windows(request: LogRequest): [from: bigint, to: bigint][] {
  const { startNs, endNs } = request;
  if (request.expectedLines === 0) return [[startNs, endNs]];
  const out: [bigint, bigint][] = [];
  let length = FIRST_WINDOW_NS;
  if (request.direction === 'forward') {
    for (let from = startNs; from < endNs; length *= 2n) {
      const to = from + length < endNs ? from + length : endNs;
      out.push([from, to]);
      from = to;
    }
  } else {
    for (let to = endNs; to > startNs; length *= 2n) {
      const from = to - length > startNs ? to - length : startNs;
      out.push([from, to]);
      to = from;
    }
  }
  return out;
}

/** Collects lines in time order and drops copies (same stream, time, line and metadata), which a retried request leaves behind. */
class BatchBuilder {
  private streams: number[] = [];
  private times: bigint[] = [];
  private lines: string[] = [];
  private metadata: string[] = [];
  private seen = new Set<string>();

  get length(): number {
    return this.lines.length;
  }

  get lastTime(): bigint | undefined {
    return this.times[this.times.length - 1];
  }

  add(stream: number, time: bigint, line: string, metadata: string): void {
    if (time === this.lastTime) {
      if (this.seen.size === 0) {
        const last = this.lines.length - 1;
        this.seen.add(`${this.streams[last]} ${this.metadata[last]} ${this.lines[last]}`);
      }
      const key = `${stream} ${metadata} ${line}`;
      if (this.seen.has(key)) return;
      this.seen.add(key);
    } else if (this.seen.size > 0) {
      this.seen = new Set();
    }
    this.streams.push(stream);
    this.times.push(time);
    this.lines.push(line);
    this.metadata.push(metadata);
  }

  take(index: LabelIndex): LogBatch {
    const batch: LogBatch = {
      streams: this.streams.map((id) => index.labels(id)),
      timestampsNs: BigInt64Array.from(this.times),
      lines: this.lines,
      metadata: this.metadata.map((json) => (json === '' ? [] : (JSON.parse(json) as string[]))),
    };
    this.streams = [];
    this.times = [];
    this.lines = [];
    this.metadata = [];
    this.seen = new Set();
    return batch;
  }
}
