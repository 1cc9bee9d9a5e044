import { ExporterError } from '../../error.ts';
import {
  type DeviceReading,
  type Measure,
  type MissingMetric,
  type Source,
  type SourceReport,
  unknownUuid,
} from '../reading.ts';
import { type CommandResult, CommandRunner } from '../run-command.ts';
import { KernelLog, type XidCounts } from './kernel-log.ts';
import { hasMig, readSmiDetails } from './smi-details.ts';
import { lostGpus, SmiQuery } from './smi-query.ts';

/** How `nvidia-smi` is asked. */
export interface SmiOptions {
  /** The command or its path. */
  readonly command: string;
  /** How often the details are asked for, which cost some 100 ms of the driver's time a GPU. */
  readonly detailsEveryMs: number;
  /** The monotonic clock, in ms. */
  readonly now: () => number;
  /** The kernel's log, where Xid errors are; `undefined` doesn't look. */
  readonly kernelLog?: string;
}

const MISSING: readonly MissingMetric[] = [
  ...[
    'gpu_sm_occupancy_ratio',
    'gpu_sm_active_ratio',
    'gpu_tensor_active_ratio',
    'gpu_dram_active_ratio',
    'gpu_energy_joules_total',
    'gpu_nvlink_bytes_total',
    'gpu_pcie_bytes_total',
  ].map((metric) => ({
    metric,
    why: 'nvidia-smi has no field for it',
    fix: 'install the npm package koffi beside the exporter, which then reads NVML, or run dcgm-exporter',
  })),
];

const NO_XIDS: MissingMetric = {
  metric: 'gpu_xid_errors_total',
  why: "nvidia-smi has no field for it, and the kernel's log can't be read",
  fix: 'run as root or with CAP_SYSLOG, in a container with /dev/kmsg',
};

/** `nvidia-smi` as a source: the fields of a query at every poll, details now and then. */
export function createNvidiaSmiSource(options: SmiOptions): Source {
  return new NvidiaSmi(options);
}

class NvidiaSmi implements Source {
  readonly name = 'nvidia-smi';
  private readonly options: SmiOptions;
  private readonly runner: CommandRunner;
  private readonly query = new SmiQuery();
  private readonly uuids = new Map<string, string>();
  private details: readonly DeviceReading[] = [];
  private detailsAtMs = Number.NEGATIVE_INFINITY;
  private readonly log: KernelLog | undefined;

  constructor(options: SmiOptions) {
    this.options = options;
    this.runner = new CommandRunner(options.command);
    this.log = options.kernelLog === undefined ? undefined : new KernelLog(options.kernelLog);
  }

  async poll(signal: AbortSignal): Promise<SourceReport> {
    const result = await this.ask(signal);
    const { devices, driverVersion } = this.query.read(result.stdout);
    for (const { uuid, pciBusId } of devices) if (pciBusId !== undefined) this.uuids.set(pciBusId, uuid);
    const lost = lostGpus(`${result.stdout}\n${result.stderr}`).map(
      ({ pciBusId, state }): DeviceReading => ({
        uuid: this.uuids.get(pciBusId) ?? unknownUuid(pciBusId),
        pciBusId,
        state,
        measures: [],
      }),
    );
    if (devices.length === 0 && lost.length === 0) throw this.failure(result);
    await this.refreshDetails(signal);
    const xids = this.log?.readXids();
    const wholes = [...devices.map((device) => this.withDetails(device)), ...lost];
    return {
      devices: [...wholes.map((device) => withXids(device, xids)), ...this.instances()],
      driverVersion,
      missing: xids === undefined ? [...MISSING, NO_XIDS] : MISSING,
    };
  }

  close(): void {
    this.runner.close();
    this.log?.close();
  }

  /** Asks until no field is refused; each answer gives up one, so it ends. */
  private async ask(signal: AbortSignal): Promise<CommandResult> {
    for (;;) {
      const result = await this.runner.run(this.query.args(), signal);
      if (result.exitCode === 0 || !this.query.giveUp(`${result.stdout}\n${result.stderr}`)) return result;
    }
  }

  private async refreshDetails(signal: AbortSignal): Promise<void> {
    const { now, detailsEveryMs } = this.options;
    if (now() - this.detailsAtMs < detailsEveryMs) return;
    this.detailsAtMs = now();
    this.details = [];
    try {
      const xml = await this.runner.run(['-q', '-x'], signal);
      const listing = hasMig(xml.stdout) ? (await this.runner.run(['-L'], signal)).stdout : '';
      if (xml.exitCode === 0) this.details = readSmiDetails(xml.stdout, listing);
    } catch {
      // What the query gave stands without them; a command that hangs is told of at the next poll.
    }
  }

  private withDetails(device: DeviceReading): DeviceReading {
    const more = this.details.find(({ uuid, mig }) => uuid === device.uuid && mig === undefined);
    if (!more || device.state !== 'ok') return device;
    return { ...device, measures: [...device.measures, ...more.measures], processes: more.processes };
  }

  private instances(): DeviceReading[] {
    return this.details.filter(({ mig }) => mig !== undefined);
  }

  private failure({ exitCode, stdout, stderr }: CommandResult): ExporterError {
    const said = `${stdout}\n${stderr}`.split('\n').find((line) => line.trim() !== '');
    return new ExporterError({
      code: 'failed',
      where: this.options.command,
      got: `exit code ${exitCode} and ${said === undefined ? 'no output' : JSON.stringify(said.trim().slice(0, 160))}`,
      accepted: 'a line a GPU',
      fix: 'look whether the driver is loaded (lsmod, the kernel log)',
    });
  }
}

/** A GPU with its errors of the kernel's log; none of Xid 0 says that they would have been found there. */
function withXids(device: DeviceReading, xids: XidCounts | undefined): DeviceReading {
  if (xids === undefined || device.pciBusId === undefined) return device;
  const events = [...(xids.get(device.pciBusId) ?? [[0, 0]])].map(
    ([xid, count]): Measure => ({ kind: 'xid_events', metric: 'gpu_xid_errors_total', xid, count }),
  );
  return { ...device, measures: [...device.measures, ...events] };
}
