// How fast LogQL evaluates lines that lie in memory: `npm run bench logql [lines]`. Prints one line a query; the time of
// storage is not in it.
import { labelsFromRecord } from '../server/model/index.ts';
import { queryLogql } from '../server/query/logql/index.ts';
import type { LogBatch, LogReader } from '../server/store/reader.ts';

const LINES = Number(process.argv[2] ?? 500_000);
const BATCH = 2048;
const HOUR_NS = 3_600_000_000_000n;
const OUTCOMES = ['ok', 'ok', 'ok', 'ok', 'refused', 'timeout', 'error', 'truncated'];

/** Lines as an inference gateway writes them: 150 to 200 characters, every second one JSON, 40 streams. */
function makeBatches(): LogBatch[] {
  const streams = Array.from({ length: 40 }, (_, i) =>
    labelsFromRecord({ deployment: 'gateway', region: `r${i % 4}`, replica: `${i}` }),
  );
  const metadata = Array.from({ length: 64 }, (_, i) => labelsFromRecord({ trace_id: `${i}`.padStart(32, 'a') }));
  const batches: LogBatch[] = [];
  for (let start = 0; start < LINES; start += BATCH) {
    const size = Math.min(BATCH, LINES - start);
    const ids = Array.from({ length: size }, (_, i) => start + i);
    batches.push({
      streams: ids.map((i) => streams[i % streams.length]),
      timestampsNs: BigInt64Array.from(ids, (i) => (BigInt(i) * HOUR_NS) / BigInt(LINES) + 1n),
      lines: ids.map((i) => {
        const outcome = OUTCOMES[i % OUTCOMES.length];
        const [tokens, took] = [(i * 7) % 900, (i % 400) / 100];
        return i % 2 === 0
          ? `{"event":"request","outcome":"${outcome}","model_version":"m${i % 5}","response_tokens":${tokens},"took":"${took}s","usage":{"input":${i % 4000},"cached":${i % 100}},"prompt_class":"chat"}`
          : `ts=2026-01-01T00:00:00Z level=info event=request outcome=${outcome} model_version=m${i % 5} response_tokens=${tokens} took=${took}s prompt_class=chat msg="request done"`;
      }),
      metadata: ids.map((i) => metadata[i % metadata.length]),
    });
  }
  return batches;
}

const batches = makeBatches();
const reader: LogReader = {
  async *select() {
    yield* batches;
  },
  streams: () => Promise.resolve([]),
  stats: () => Promise.resolve({ streams: 0, entries: 0, bytes: 0 }),
};
const params = { startNs: 300_000_000_000n, endNs: HOUR_NS, stepNs: 15_000_000_000n };

for (const query of [
  'sum(count_over_time({deployment="gateway"}[5m]))',
  'sum by (region) (rate({deployment="gateway"} |= "refused" [5m]))',
  'sum by (region) (bytes_rate({deployment="gateway"} |~ "outcome.{1,3}(refused|timeout)" [5m]))',
  'sum by (outcome) (count_over_time({deployment="gateway"} |= "{" | json | event="request" [5m]))',
  'sum by (outcome) (count_over_time({deployment="gateway"} != "{" | logfmt [5m]))',
  'quantile_over_time(0.99, {deployment="gateway"} |= "{" | json | unwrap duration(took) [5m]) by (model_version)',
  'sum by (model_version) (sum_over_time({deployment="gateway"} != "{" | logfmt | took > 1s | unwrap response_tokens [5m]))',
  'sum by (o) (count_over_time({deployment="gateway"} != "{" | logfmt | label_format o=`{{ .outcome | upper }}` [5m]))',
]) {
  // The first run warms up; of three more the best is told, in CPU time, which a busy machine changes little.
  let best = Infinity;
  for (let run = 0; run < 4; run++) {
    const before = process.cpuUsage();
    await queryLogql(query, params, reader);
    const used = process.cpuUsage(before);
    if (run > 0) best = Math.min(best, (used.user + used.system) / 1e6);
  }
  console.log(
    `${Math.round(LINES / best / 1000)
      .toString()
      .padStart(6)} k lines per CPU second  ${query}`,
  );
}
console.log(`peak memory ${Math.round(process.resourceUsage().maxRSS / 1024)} MiB, ${LINES} lines in it`);
