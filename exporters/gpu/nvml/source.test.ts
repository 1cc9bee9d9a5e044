import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Source } from '../reading.ts';
import { createNvmlSource } from './source.ts';
import { compileStandIn, missingForStandIn } from './stand-in.ts';

const PROGRAM = path.join(import.meta.dirname, 'testdata', 'child.ts');
const sources: Source[] = [];

afterEach(() => {
  for (const source of sources.splice(0)) source.close();
});

function open(library: string | undefined, program: string | undefined = PROGRAM): Source {
  const source = createNvmlSource({ library, program });
  sources.push(source);
  return source;
}

describe('NVML in a process of its own', () => {
  it('answers, with masks that are whole', async () => {
    const source = open(undefined);
    for (let i = 0; i < 3; i++) {
      const { devices } = await source.poll(AbortSignal.timeout(10_000));
      expect(devices[0].measures).toEqual([{ kind: 'reasons', metric: 'gpu_throttle_seconds_total', mask: 4n }]);
    }
  });

  it('that hangs is ended, and another one is started', async () => {
    const source = open('hang');
    for (let i = 0; i < 2; i++) {
      await expect(source.poll(AbortSignal.timeout(500))).rejects.toMatchObject({ code: 'timeout' });
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  });

  it('that crashes or fails says so', async () => {
    await expect(open('crash').poll(AbortSignal.timeout(10_000))).rejects.toThrow(/ended with 7/);
    const failed = open('fail').poll(AbortSignal.timeout(10_000));
    await expect(failed).rejects.toMatchObject({ code: 'library_missing', message: 'NVML: got nothing; do something' });
  });

  it('says what is missing where there is no library', async () => {
    const absent = createNvmlSource({ library: path.join(os.tmpdir(), 'absent', 'libnvidia-ml.so.1') });
    sources.push(absent);
    await expect(absent.poll(AbortSignal.timeout(20_000))).rejects.toThrow(/no libnvidia-ml.so.1|no npm package koffi/);
  });
});

describe('NVML in a process of its own, with the library that a C compiler made', async () => {
  const lacks = await missingForStandIn();
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'barograph-nvml-child-'));
  beforeEach(({ skip }) => skip(lacks !== undefined, lacks));
  afterAll(() => fs.rmSync(directory, { recursive: true, force: true }));

  it('answers', async () => {
    const source = createNvmlSource({ library: compileStandIn(directory, 'answers') });
    sources.push(source);
    await source.poll(AbortSignal.timeout(20_000));
    const { devices, driverVersion } = await source.poll(AbortSignal.timeout(20_000));
    expect(driverVersion).toBe('580.65.06');
    expect(devices).toHaveLength(2);
    expect(devices[0].measures).toContainEqual({ kind: 'gauge', metric: 'gpu_sm_occupancy_ratio', value: 0.035 });
  });

  it('that hangs inside of a call of the driver is ended, and is tried again', async () => {
    const source = createNvmlSource({ library: compileStandIn(directory, 'hangs', ['HANG']) });
    sources.push(source);
    for (let i = 0; i < 2; i++) {
      await expect(source.poll(AbortSignal.timeout(1500))).rejects.toMatchObject({ code: 'timeout' });
      await new Promise((resolve) => setTimeout(resolve, 300));
    }
  });
});
