import fs from 'node:fs';
import path from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ExporterError } from '../../error.ts';
import type { DeviceReading } from '../reading.ts';
import { readAmdText } from './amd-exporter.ts';
import { readAmdMetric } from './amd-smi.ts';
import { readDcgmText } from './dcgm.ts';
import { readSmiDetails } from './smi-details.ts';
import { SmiQuery } from './smi-query.ts';

const text = (name: string): string => fs.readFileSync(path.join(import.meta.dirname, 'testdata', name), 'utf8');

const CSV = Array.from({ length: 25 }, (_, i) => (i === 0 ? 'GPU-1' : String(i))).join(', ');

const READERS: readonly [string, string, (broken: string) => readonly DeviceReading[]][] = [
  ['dcgm-exporter', text('dcgm-4.5.txt'), (broken) => readDcgmText(broken).devices],
  ['device-metrics-exporter', text('amd-exporter.txt'), (broken) => readAmdText(broken).devices],
  ['amd-smi', text('amd-smi-6.json'), (broken) => readAmdMetric(broken, new Map()).devices],
  ['nvidia-smi -q -x', text('smi-580-mig.xml'), (broken) => readSmiDetails(broken)],
  ['nvidia-smi', `${CSV}\n${CSV}\n`, (broken) => new SmiQuery().read(broken).devices],
];

describe('a text that is cut, doubled or scrambled', () => {
  const pieces = [
    '',
    '{',
    '}',
    '"',
    '<',
    '>',
    'NaN',
    '-1',
    '1e400',
    '9223372036854775794',
    '\n',
    '\0',
    '__proto__',
    'null',
    '[]',
  ];
  const edit = fc.record({
    at: fc.double({ min: 0, max: 1, noNaN: true }),
    length: fc.nat(200),
    put: fc.constantFrom(...pieces),
  });

  it.each(READERS)('of %s ends in values that can be, or in an error that says so', (_, whole, read) => {
    fc.assert(
      fc.property(fc.array(edit, { minLength: 1, maxLength: 6 }), (edits) => {
        let broken = whole;
        for (const { at, length, put } of edits) {
          const start = Math.floor(at * broken.length);
          broken = broken.slice(0, start) + put + broken.slice(start + length);
        }
        let devices: readonly DeviceReading[] = [];
        try {
          devices = read(broken);
        } catch (error) {
          expect(error).toBeInstanceOf(ExporterError);
        }
        for (const measure of devices.flatMap(({ measures }) => measures)) {
          if (!('value' in measure)) continue;
          expect(Number.isFinite(measure.value) && measure.value >= 0, JSON.stringify(measure)).toBe(true);
        }
      }),
    );
  });
});
