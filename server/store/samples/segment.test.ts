import fc from 'fast-check';
import { expect, test } from 'vitest';
import { sampleColumns } from './chunk-codec.ts';
import { SampleBuffer } from './sample-buffer.ts';
import { createSegmentMemory, SegmentReader, SegmentWriter } from './segment.ts';

interface Row {
  readonly series: number;
  readonly timeMs: number;
  readonly value: number;
}

/** Mostly a step onwards in time, now and then back or far ahead, as late senders do. */
const arbitraryRows: fc.Arbitrary<Row[]> = fc
  .array(
    fc.record({
      series: fc.integer({ min: 0, max: 4 }),
      step: fc.oneof(
        { weight: 20, arbitrary: fc.constant(15_000) },
        { weight: 2, arbitrary: fc.integer({ min: -90_000, max: 90_000 }) },
        { weight: 1, arbitrary: fc.constant(2 ** 33) },
        { weight: 1, arbitrary: fc.constant(0) },
      ),
      value: fc.double({ noNaN: true }),
    }),
    { maxLength: 1500 },
  )
  .map((steps) => {
    const clocks = new Float64Array(5).fill(1_000_000);
    return steps.map(({ series, step, value }) => ({ series, timeMs: (clocks[series] += step), value }));
  });

function bufferOf(rows: readonly Row[]): SampleBuffer {
  const buffer = new SampleBuffer();
  for (const { series, timeMs, value } of rows) buffer.push(series, timeMs, value);
  return buffer;
}

test('a reader finds what was published of a range, in the order in which it came', () => {
  const property = fc.property(
    arbitraryRows,
    fc.integer({ min: -100, max: 1500 }),
    fc.integer({ min: 0, max: 600 }),
    fc.nat({ max: 1500 }),
    (rows, startStep, lengthSteps, published) => {
      const memory = createSegmentMemory(1, 8192);
      const writer = new SegmentWriter(memory);
      const reader = new SegmentReader(memory);
      const shown = rows.slice(0, published);
      writer.place(bufferOf(shown), 0);
      writer.publish();
      reader.refresh();
      // What is only placed stays unseen.
      writer.place(bufferOf(rows.slice(published)), 0);
      const startMs = 1_000_000 + startStep * 15_000;
      const endMs = startMs + lengthSteps * 15_000;
      for (let series = 0; series < 5; series++) {
        const came = shown.filter((row) => row.series === series);
        const expected = came.filter(({ timeMs }) => timeMs >= startMs && timeMs <= endMs);
        const count = reader.count(series, startMs, endMs);
        const columns = sampleColumns(Math.max(1, count));
        const copied = reader.copy(series, startMs, endMs, columns, 0, count);
        const got = Array.from({ length: copied }, (_, i) => ({ timeMs: columns.times[i], value: columns.values[i] }));
        const inRange = got.filter(({ timeMs }) => timeMs >= startMs && timeMs <= endMs);
        expect(inRange).toEqual(expected.map(({ timeMs, value }) => ({ timeMs, value })));
        const isAscending = came.every((row, i) => i === 0 || row.timeMs > came[i - 1].timeMs);
        if (reader.isOrdered(series)) expect(isAscending).toBe(true);
        if (published >= rows.length && isAscending) expect(reader.isOrdered(series)).toBe(true);
      }
    },
  );
  fc.assert(property, { numRuns: 150 });
});

test('what was taken back and placed again is there once', () => {
  const memory = createSegmentMemory(1, 8192);
  const writer = new SegmentWriter(memory);
  const reader = new SegmentReader(memory);
  const rows = Array.from({ length: 60 }, (_, i) => ({ series: i % 2, timeMs: 1000 * i, value: i }));
  writer.place(bufferOf(rows.slice(0, 30)), 0);
  writer.publish();
  writer.place(bufferOf(rows.slice(30)), 0);
  writer.takeBack();
  writer.place(bufferOf(rows.slice(30)), 0);
  writer.publish();
  reader.refresh();
  const columns = sampleColumns(60);
  expect(reader.count(1, 0, 60_000)).toBe(30);
  expect(reader.copy(1, 0, 60_000, columns, 0, 60)).toBe(30);
  expect([...columns.values.subarray(0, 30)]).toEqual(
    rows.filter(({ series }) => series === 1).map((row) => row.value),
  );
});
