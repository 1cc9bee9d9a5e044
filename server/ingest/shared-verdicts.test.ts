import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createGovernor, type Decision, type Governor } from '../govern/index.ts';
import { type Labels, labelsFromRecord } from '../model/index.ts';
import { openStore, type Store } from '../store/index.ts';
import { encodeWriteRequest, type MetricPoints, toSeries } from '../wire/index.ts';
import { MetricIngest } from './index.ts';

/** A governor whose verdicts are never shared, so that each series is judged. */
function unshared(governor: Governor): Governor {
  return Object.create(governor, { ruleByName: { value: () => undefined } }) as Governor;
}

interface Side {
  readonly governor: Governor;
  readonly store: Store;
  readonly ingest: MetricIngest;
  readonly directory: string;
}

async function open(share: boolean): Promise<Side> {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'barograph-shared-'));
  const store = await openStore({ directory });
  const governor = createGovernor();
  const ingest = await MetricIngest.open(store, share ? governor : unshared(governor), Date.now());
  return { governor, store, ingest, directory };
}

/** What the buffer of the open commit holds, in the order in which it came. */
async function written({ store }: Side): Promise<unknown> {
  let rows: unknown;
  const { beforeCommit } = store.writer;
  store.writer.beforeCommit = () => {
    beforeCommit();
    const { samples } = store.writer.buffer;
    rows = [samples.series, samples.times, samples.values].map((column) => [...column.subarray(0, samples.count)]);
  };
  await store.writer.commit();
  store.writer.beforeCommit = beforeCommit;
  return rows;
}

function counted({ governor }: Side): unknown {
  const byKey = (a: Decision, b: Decision) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1);
  const { census } = governor;
  const rules = [...census.rules.values()].flatMap((byLabel) =>
    [...byLabel.values()].map((row) => [row.rule, row.label, row.count, row.series.size, row.metrics.top(9)]),
  );
  const labels = [...census.labels.values()].map(({ name, removed, values }) => [name, removed, values.size]);
  const senders = [...census.senders.values()].flatMap((byName) =>
    [...byName.values()].map(({ source, name, leaking, offered }) => [source, name, leaking, offered.size]),
  );
  const { leaking, stored, total } = census;
  return { decisions: governor.decisions().sort(byKey), rules, labels, senders, leaking, stored, offered: total.size };
}

const NAMES = ['job', 'model', 'model_version', 'region', 'request_id', 'session_id', 'shelf', 'trace_id', 'zone'];
const VALUES = ['a', 'gateway', 'eu-1', '4bf92f3577b34da6a3ce929d0e0e4736', 'é', '', 'x'.repeat(200)];

const series = fc.record({
  metric: fc.constantFrom('app_requests_total', 'inference_requests_total', 'vllm:prompt_tokens_total'),
  labels: fc.dictionary(fc.constantFrom(...NAMES), fc.constantFrom(...VALUES), { maxKeys: 6 }),
  value: fc.nat(1000),
});

interface Sent {
  readonly metric: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** Sums of OTLP, a point each. */
function sums(list: readonly Sent[], timeMs: number, isDelta: boolean): MetricPoints {
  const metrics = list.map(({ metric, labels, value }) => {
    const points = [{ attributes: labels, startMs: 0, timeMs, noRecordedValue: false, exemplars: [], value }];
    const temporality = isDelta ? ('delta' as const) : ('cumulative' as const);
    return { kind: 'sum' as const, name: metric, description: '', unit: '', monotonic: true, temporality, points };
  });
  const scopes = [{ scope: { name: '', version: '', attributes: {}, droppedAttributesCount: 0 }, metrics }];
  return toSeries({ resources: [{ attributes: { 'service.name': 'shop' }, scopes }] });
}

describe('verdicts that are shared by series of which the same labels are left', () => {
  let sides: [Side, Side];
  beforeAll(async () => {
    sides = [await open(true), await open(false)];
  });
  afterAll(async () => {
    for (const { store, directory } of sides) {
      await store.close();
      fs.rmSync(directory, { recursive: true, force: true });
    }
  });

  it('write and count over remote write what judging each series does', async () => {
    let round = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(series, { maxLength: 40 }), async (list) => {
        round++;
        const columns = {
          series: list.map(({ metric, labels }): Labels => labelsFromRecord({ ...labels, __name__: metric })),
          sampleSeries: Uint32Array.from(list, (_, i) => i),
          sampleTimestampMs: Float64Array.from(list, () => 1_700_000_000_000 + round * 1000),
          sampleValue: Float64Array.from(list, ({ value }) => value),
        };
        const outcomes = sides.map(({ ingest }) => ingest.remoteWrite(Buffer.from(encodeWriteRequest(columns))));
        expect(outcomes[0]).toEqual(outcomes[1]);
        expect(await written(sides[0])).toEqual(await written(sides[1]));
        expect(counted(sides[0])).toEqual(counted(sides[1]));
      }),
      { numRuns: 60 },
    );
  });

  it('do so over OTLP, cumulative and of increases', async () => {
    let round = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(series, { maxLength: 40 }), fc.boolean(), async (list, isDelta) => {
        round++;
        const points = (): MetricPoints => sums(list, 1_700_001_000_000 + round * 1000, isDelta);
        const outcomes = sides.map(({ ingest }) => ingest.points(points()));
        expect(outcomes[0]).toEqual(outcomes[1]);
        expect(await written(sides[0])).toEqual(await written(sides[1]));
        expect(counted(sides[0])).toEqual(counted(sides[1]));
      }),
      { numRuns: 40 },
    );
  });
});
