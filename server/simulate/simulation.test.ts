import { describe, expect, it } from 'vitest';
import type { EngineLine } from './engine-log.ts';
import type { GatewayRequest } from './request.ts';
import { SCENARIOS } from './scenario.ts';
import { Simulation, type SimulationOptions } from './simulation.ts';

const START = Date.UTC(2026, 10, 24, 9);
const MINUTE = 60_000;

function run(minutes: number, options: Partial<SimulationOptions> = {}) {
  const requests: GatewayRequest[] = [];
  const lines: EngineLine[] = [];
  const simulation = new Simulation({
    seed: 7,
    startMs: START,
    windowMs: minutes * MINUTE,
    onRequest: (request) => requests.push(request),
    onLine: (line) => lines.push(line),
    ...options,
  });
  simulation.runUntil(START + minutes * MINUTE);
  return { simulation, requests, lines };
}

/** Median of the requests that ended in a part of the run. */
function median(requests: readonly GatewayRequest[], value: (request: GatewayRequest) => number): number {
  const values = requests
    .map(value)
    .filter((each) => !Number.isNaN(each))
    .sort((a, b) => a - b);
  return values[values.length >> 1];
}

function between(
  requests: readonly GatewayRequest[],
  deployment: string,
  region: string,
  fromMs: number,
  toMs: number,
) {
  return requests.filter(
    (request) =>
      request.deployment.name === deployment &&
      request.region === region &&
      request.arrivalMs >= fromMs &&
      request.arrivalMs < toMs,
  );
}

const ttft = (request: GatewayRequest): number => request.firstTokenMs - request.arrivalMs;
const perToken = (request: GatewayRequest): number =>
  request.outputTokens < 2 ? Number.NaN : (request.lastTokenMs - request.firstTokenMs) / (request.outputTokens - 1);

describe('the simulated fleet', () => {
  it('is the same for the same seed, however it is moved on, and another for another', () => {
    const one = run(10);
    const stepped = new Simulation({ seed: 7, startMs: START, windowMs: 10 * MINUTE });
    for (let at = START; at <= START + 10 * MINUTE; at += 777) stepped.runUntil(at);
    stepped.runUntil(START + 10 * MINUTE);
    expect(stepped.fingerprint).toBe(one.simulation.fingerprint);
    expect(run(10, { seed: 8 }).simulation.fingerprint).not.toBe(one.simulation.fingerprint);
  });

  it('lets every request that arrived end once or be under way', () => {
    const { simulation, requests } = run(15);
    expect(requests.length + simulation.gateway.open.size).toBe(simulation.gateway.arrived);
    expect(new Set(requests.map((request) => request.id)).size).toBe(requests.length);
    expect(requests.every((request) => request.outcome !== undefined && request.endMs >= request.arrivalMs)).toBe(true);
    for (const { engine } of simulation.fleet.replicas) {
      const inside = engine.running.length + engine.waiting.length;
      const { finished, endToEnd } = engine.metrics;
      expect(finished.stop + finished.length).toBe(endToEnd.count);
      expect(inside).toBeLessThanOrEqual(simulation.gateway.open.size);
    }
  });

  it('has about three requests a second, nearly all of them good, with first tokens in a fraction of a second', () => {
    const { requests } = run(20);
    expect(requests.length / 1200).toBeGreaterThan(2);
    expect(requests.length / 1200).toBeLessThan(5);
    const good = requests.filter((request) => request.outcome === 'ok').length;
    expect(good / requests.length).toBeGreaterThan(0.96);
    expect(median(requests, ttft)).toBeGreaterThan(40);
    expect(median(requests, ttft)).toBeLessThan(500);
  });

  it('orders the steps of a request in time', () => {
    const { requests } = run(10);
    for (const request of requests.filter((each) => each.outcome === 'ok')) {
      const times = [
        request.arrivalMs,
        request.authenticate!.endMs,
        request.promptBuild!.startMs,
        request.inference!.startMs,
        request.engineArrivalMs,
        request.firstScheduledMs,
        request.firstTokenMs,
        request.lastTokenMs,
        request.endMs,
      ];
      expect(times).toEqual(times.toSorted((a, b) => a - b));
    }
  });

  it('decodes slower on the node that overheats, after its GPUs throttle', () => {
    const { simulation, requests } = run(30, { scenario: SCENARIOS.thermal });
    const { startMs, endMs } = simulation.incidents[0];
    const before = between(requests, 'chat-large', 'eu-west', START, startMs);
    const during = between(requests, 'chat-large', 'eu-west', startMs + 3 * MINUTE, endMs);
    expect(median(during, perToken) / median(before, perToken)).toBeGreaterThan(1.15);
    const elsewhere = between(requests, 'chat-large', 'us-east', startMs + 3 * MINUTE, endMs);
    expect(median(elsewhere, perToken) / median(before, perToken)).toBeLessThan(1.1);
    const hot = simulation.fleet.nodes[0].gpus[0];
    expect(hot.thermalViolationNs).toBeGreaterThan(60e9);
  });

  it('preempts and lets first tokens wait when long prompts fill a cache', () => {
    const { simulation, requests } = run(30, { scenario: SCENARIOS.kv_pressure });
    const { startMs, endMs } = simulation.incidents[0];
    const before = between(requests, 'chat-fast', 'us-east', START, startMs);
    const during = between(requests, 'chat-fast', 'us-east', startMs + 2 * MINUTE, endMs);
    expect(median(during, ttft)).toBeGreaterThan(5 * median(before, ttft));
    const replicas = simulation.fleet.deployments.find(
      ({ name, region }) => name === 'chat-fast' && region === 'us-east',
    )!.replicas;
    for (const { engine } of replicas) expect(engine.metrics.preemptions).toBeGreaterThan(0);
  });

  it('says what led to a CUDA out of memory, in order, and serves again', () => {
    const { simulation, lines, requests } = run(30, { scenario: SCENARIOS.oom });
    const order = [
      'pytorch allocator cache flushes',
      'CUDA out of memory',
      'EngineDeadError',
      'is less than desired GPU memory',
    ];
    const firsts = order.map((text) => lines.findIndex((line) => line.text.includes(text)));
    expect(firsts.every((index) => index >= 0)).toBe(true);
    expect(firsts).toEqual(firsts.toSorted((a, b) => a - b));
    // Between the first warning and the failure its answers get slower, and nobody else's do.
    const warnedMs = lines[firsts[0]].timeMs;
    const failedMs = lines[firsts[1]].timeMs;
    const { startMs } = simulation.incidents[0];
    const onReplica = (request: GatewayRequest) => request.attempts.at(-1)?.replica.name === 'chat-fast-eu-west-0';
    const before = between(requests, 'chat-fast', 'eu-west', START, startMs).filter(onReplica);
    const warned = between(requests, 'chat-fast', 'eu-west', warnedMs, failedMs - 30_000).filter(onReplica);
    expect(median(warned, perToken) / median(before, perToken)).toBeGreaterThan(1.15);
    const elsewhere = between(requests, 'chat-fast', 'us-east', warnedMs, failedMs);
    expect(median(elsewhere, perToken) / median(before, perToken)).toBeLessThan(1.15);
    expect(simulation.fleet.replicas.every(({ state }) => state === 'serving')).toBe(true);
    const gpu = simulation.fleet.nodes.find(({ name }) => name === 'gpu-eu-west-chat-fast-0')!.gpus[0];
    expect(gpu.usedBytes / gpu.type.memoryBytes).toBeCloseTo(0.9, 3);
    expect(gpu.surroundings.otherBusy).toBe(0);
  });

  it('rolls a slower version out and back', () => {
    const { simulation, requests } = run(30, { scenario: SCENARIOS.deploy });
    const { startMs, endMs } = simulation.incidents[0];
    const ofVersion = (version: string) =>
      between(requests, 'chat-fast', 'eu-west', startMs, endMs).filter(({ modelVersion }) => modelVersion === version);
    expect(median(ofVersion('qwen3-14b-v2'), perToken)).toBeGreaterThan(
      1.25 * median(ofVersion('qwen3-14b-v1'), perToken),
    );
    expect(simulation.fleet.replicas.every(({ model }) => model.version.endsWith('-v1'))).toBe(true);
    expect(requests.filter(({ outcome }) => outcome === 'error').length).toBeLessThan(requests.length * 0.02);
  });

  it('reports an uncorrectable memory error as the driver does', () => {
    const { simulation, lines } = run(15, { scenario: SCENARIOS.xid });
    const xids = lines.filter(({ source }) => source === 'kernel').map(({ text }) => /\): (\d+),/.exec(text)?.[1]);
    expect(xids).toEqual(['48', '63', '94', '154']);
    expect(simulation.fleet.replicas.every(({ state }) => state === 'serving')).toBe(true);
  });
});
