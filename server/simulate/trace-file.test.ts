import fs from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import type { GatewayRequest } from './request.ts';
import { Simulation } from './simulation.ts';
import { parseTrace } from './trace-file.ts';

const HEADER = 'TIMESTAMP,ContextTokens,GeneratedTokens';

describe('a trace file', () => {
  it('is read into offsets and sizes, sorted by time', () => {
    const trace = parseTrace(
      `${HEADER}\n2023-11-16 18:15:47.5000000,374,44\n2023-11-16 18:15:46.0000000,396,109\r\n2023-11-16 18:16:46.2500000,5,0\n`,
      'trace.csv',
    );
    expect([...trace.offsetMs]).toEqual([0, 1500, 60_250]);
    expect([...trace.promptTokens]).toEqual([396, 374, 5]);
    expect([...trace.outputTokens]).toEqual([109, 44, 1]);
  });

  it.each([
    ['', 'trace.csv, line 1: got another header'],
    [`${HEADER}\n`, 'trace.csv, line 1: got 0 requests'],
    [`${HEADER}\n2023-11-16 18:15:46,12,3\n2023-11-16,12,3`, 'trace.csv, line 3: got another row'],
    [`${HEADER}\n2023-11-16 18:15:46,-12,3`, 'trace.csv, line 2: got another row'],
  ])('is refused where it is something else: %j', (text, message) => {
    expect(() => parseTrace(text, 'trace.csv')).toThrow(message);
  });

  const real = path.join(import.meta.dirname, '../../../shared/data/azure-llm-inference-conv.csv');
  it.skipIf(!fs.existsSync(real))('of a real service is replayed (skipped where ../shared/data is absent)', () => {
    const trace = parseTrace(fs.readFileSync(real, 'utf8'), 'conv.csv');
    expect(trace.count).toBe(19_366);
    const requests: GatewayRequest[] = [];
    const startMs = Date.UTC(2026, 0, 1);
    const minutes = 10;
    const simulation = new Simulation({ seed: 1, startMs, trace, onRequest: (request) => requests.push(request) });
    simulation.runUntil(startMs + minutes * 60_000);
    const expected = trace.offsetMs.findIndex((offset) => offset > minutes * 60_000);
    expect(simulation.gateway.arrived).toBe(expected);
    expect(requests.length).toBeGreaterThan(expected * 0.95);
    const sizes = requests.toSorted((a, b) => a.id - b.id).slice(0, 50);
    for (const { id, promptTokens } of sizes) expect(promptTokens).toBe(trace.promptTokens[id]);
  });
});
