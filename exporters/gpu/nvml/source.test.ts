import path from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import type { Source } from '../reading.ts';
import { createNvmlSource } from './source.ts';

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

  it('says what is missing where koffi is not installed', async () => {
    const source = createNvmlSource();
    sources.push(source);
    const error = (await source.poll(AbortSignal.timeout(20_000)).catch((caught: unknown) => caught)) as Error;
    // With koffi and a driver there would be GPUs, which is as good.
    if (error instanceof Error) expect(error.message).toMatch(/no npm package koffi|no libnvidia-ml|NVML/);
  });
});
