import type { ScheduledSource } from './collector.ts';
import { createNvmlSource } from './nvml/source.ts';
import { SOURCE_NAMES, type Source, type SourceName } from './reading.ts';
import { createAmdExporterSource } from './sources/amd-exporter.ts';
import { createAmdSmiSource } from './sources/amd-smi.ts';
import { createDcgmSource } from './sources/dcgm.ts';
import { createDcgmiSource } from './sources/dcgmi.ts';
import { createNvidiaSmiSource } from './sources/nvidia-smi.ts';

/** Where sources are and how often they are asked. */
export interface ScheduleOptions {
  /** The sources to ask; where empty, all, each as far as it is there. */
  readonly sources: readonly SourceName[];
  readonly dcgmUrl: string;
  readonly dcgmi: string;
  /** Where DCGM's host engine listens; this machine's own where `undefined`. */
  readonly dcgmHost: string | undefined;
  readonly amdUrl: string;
  readonly nvidiaSmi: string;
  readonly amdSmi: string;
  readonly nvmlLibrary: string | undefined;
  /** The kernel's log, for Xid errors beside nvidia-smi; `undefined` doesn't look. */
  readonly kernelLog: string | undefined;
  readonly intervalMs: number;
  readonly timeoutMs: number;
}

/** A command costs a process and, without persistence mode, the start of the driver. */
const LEAST_INTERVAL_MS: Readonly<Partial<Record<SourceName, number>>> = { 'nvidia-smi': 10_000, 'amd-smi': 15_000 };
const STANDBY: Readonly<Partial<Record<SourceName, SourceName>>> = {
  dcgmi: 'dcgm',
  'nvidia-smi': 'nvml',
  'amd-smi': 'amd-exporter',
};
const DETAILS_EVERY_MS = 60_000;

/** Creates the sources with their schedules. Of those found by themselves a command stands by for what is cheaper. */
export function scheduleSources(options: ScheduleOptions): ScheduledSource[] {
  const isOptional = options.sources.length === 0;
  const names = isOptional ? SOURCE_NAMES : SOURCE_NAMES.filter((name) => options.sources.includes(name));
  return names.map((name) => ({
    source: createSource(name, options),
    intervalMs: Math.max(options.intervalMs, LEAST_INTERVAL_MS[name] ?? 0),
    timeoutMs: options.timeoutMs,
    isOptional,
    standbyFor: isOptional ? STANDBY[name] : undefined,
  }));
}

function createSource(name: SourceName, options: ScheduleOptions): Source {
  const now = (): number => performance.now();
  switch (name) {
    case 'dcgm':
      return createDcgmSource(options.dcgmUrl);
    case 'dcgmi': {
      const { dcgmi: command, dcgmHost: host, intervalMs } = options;
      return createDcgmiSource({ command, host, intervalMs, now });
    }
    case 'nvml':
      return createNvmlSource({ library: options.nvmlLibrary });
    case 'nvidia-smi':
      return createNvidiaSmiSource({
        command: options.nvidiaSmi,
        detailsEveryMs: DETAILS_EVERY_MS,
        now,
        kernelLog: options.kernelLog,
      });
    case 'amd-exporter':
      return createAmdExporterSource(options.amdUrl);
    case 'amd-smi':
      return createAmdSmiSource({ command: options.amdSmi, detailsEveryMs: DETAILS_EVERY_MS, now });
  }
}
