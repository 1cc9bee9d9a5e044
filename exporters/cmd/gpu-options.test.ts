import { execFileSync } from 'node:child_process';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { formatDcgmCounters } from '../gpu/index.ts';
import { GPU_HELP } from './gpu-help.ts';
import { parseGpuOptions } from './gpu-options.ts';

const PROGRAM = path.join(import.meta.dirname, 'gpu-exporter.ts');

describe('parseGpuOptions', () => {
  it('has defaults that work beside dcgm-exporter', () => {
    expect(parseGpuOptions([])).toMatchObject({
      mode: 'serve',
      sources: [],
      dcgmUrl: 'http://127.0.0.1:9400/metrics',
      host: '127.0.0.1',
      port: 9836,
      intervalMs: 5000,
      labels: {},
    });
  });

  it('takes every flag that the help names', () => {
    const named = new Set([...GPU_HELP.matchAll(/--([a-z][a-z-]+)/g)].map(([, name]) => name));
    named.delete('gpu-reset');
    for (const name of named) {
      const values: Record<string, string> = {
        source: 'dcgm',
        listen: '[::1]:0',
        label: 'region=eu',
        format: 'text',
        'dcgm-host': 'a:1',
      };
      const isTime = /interval|timeout|after/.test(name);
      const value = values[name] ?? (isTime ? '15s' : /url|endpoint/.test(name) ? 'http://a' : 'x=y');
      const isFlag = ['once', 'check', 'help', 'version', 'print-dcgm-counters'].includes(name);
      expect(() => parseGpuOptions(isFlag ? [`--${name}`] : [`--${name}`, value])).not.toThrow();
    }
  });

  it.each([
    [
      ['--source', 'nvidia'],
      /--source: got "nvidia", accepted is dcgm, dcgmi, nvml, nvidia-smi, amd-exporter, amd-smi/,
    ],
    [['--interval', '5'], /--interval: got "5", accepted is a time from 1000ms/],
    [['--interval', '1ms'], /--interval/],
    [['--dcgm-url', 'ftp://x'], /--dcgm-url: got "ftp:\/\/x", accepted is a URL/],
    [['--listen', '9836'], /--listen: got "9836", accepted is HOST:PORT/],
    [['--label', 'team=x'], /--label: got "team", accepted is model_version, deployment/],
    [['--label', 'uuid=x'], /--label/],
    [['--dcgm-host', '-e'], /--dcgm-host: got "-e"|ambiguous/],
    [['--otlp-header', 'secret'], /--otlp-header: got a pair without =/],
    [['--none'], /command line: got Unknown option '--none'.*see --help/],
    [['stray'], /command line: got Unexpected argument 'stray'/],
  ])('of %j says what is wrong', (argv, message) => {
    expect(() => parseGpuOptions(argv)).toThrow(message);
  });

  it('gives an endpoint the path of OTLP, where it has not got it', () => {
    const urlOf = (text: string) => parseGpuOptions(['--otlp-endpoint', text]).otlpUrl?.href;
    expect(urlOf('http://a:4318')).toBe('http://a:4318/v1/metrics');
    expect(urlOf('http://a/otlp/')).toBe('http://a/otlp/v1/metrics');
    expect(urlOf('http://a/otlp/v1/metrics')).toBe('http://a/otlp/v1/metrics');
  });
});

describe('the program', () => {
  const run = (...args: string[]): string => execFileSync(process.execPath, [PROGRAM, ...args], { encoding: 'utf8' });

  it('teaches', () => expect(run('--help')).toBe(GPU_HELP));
  it('prints the counters file', () => expect(run('--print-dcgm-counters')).toBe(formatDcgmCounters()));
  it('refuses what it does not know, with 2', () => {
    expect(() => execFileSync(process.execPath, [PROGRAM, '--none'], { stdio: 'pipe' })).toThrow(
      expect.objectContaining({ status: 2 }),
    );
  });
});
