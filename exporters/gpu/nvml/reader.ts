import { ExporterError } from '../../error.ts';
import {
  type DeviceReading,
  type DeviceState,
  type Measure,
  type MissingMetric,
  normalizePciBusId,
  type SourceReport,
} from '../reading.ts';
import { explainCode, NVML, stateOfCode } from './codes.ts';
import { readDeviceMeasures } from './device.ts';
import { GpmSampler } from './gpm.ts';
import {
  eventData,
  memoryV2,
  pciInfo,
  processInfos,
  readEventData,
  readMemoryV2,
  readPciBusId,
  readProcessInfos,
  readText,
  u32,
  u64,
} from './layout.ts';
import type { NvmlLibrary } from './library.ts';

const XID_EVENT = 0x8n;
const MOST_GPUS = 128;
const MOST_PROCESSES = 512;
const MOST_EVENTS = 256;
const MOST_HANDLES = 1024;
const GPM_METRICS: readonly string[] = [
  'gpu_sm_occupancy_ratio',
  'gpu_sm_active_ratio',
  'gpu_tensor_active_ratio',
  'gpu_dram_active_ratio',
];

interface Known {
  readonly uuid: string;
  readonly name?: string;
  readonly pciBusId?: string;
}

/**
 * Reads all GPUs of a node through NVML. Every call blocks, and on a broken driver forever, so this runs in a process of
 * its own. What a driver or GPU doesn't support is left out; a GPU that is lost keeps its place with its state.
 */
export class NvmlReader {
  private readonly library: NvmlLibrary;
  private readonly known = new Map<number, Known>();
  private readonly gpm: GpmSampler;
  private readonly registered = new Set<bigint>();
  /** Which GPU a handle stood for; events of one that is lost come when it has no handle any more. */
  private readonly handles = new Map<bigint, string>();
  private eventSet: bigint | undefined;
  private isReady = false;

  constructor(library: NvmlLibrary) {
    this.library = library;
    this.gpm = new GpmSampler(library);
  }

  /** @throws ExporterError `failed` where the driver doesn't answer at all. */
  read(): SourceReport {
    const { library } = this;
    if (!this.isReady) this.check('nvmlInit_v2', library.call('nvmlInit_v2'));
    this.isReady = true;
    const count = u32();
    this.check('nvmlDeviceGetCount_v2', library.call('nvmlDeviceGetCount_v2', count));
    const devices: DeviceReading[] = [];
    for (let i = 0; i < Math.min(count.readUInt32LE(), MOST_GPUS); i++) {
      const handle = u64();
      const code = library.call('nvmlDeviceGetHandleByIndex_v2', i, handle);
      const device = handle.readBigUInt64LE();
      if (code === NVML.success) devices.push(...this.readDevice(i, device));
      else devices.push(...this.withoutAnswer(i, stateOfCode(code)));
    }
    const isWatched = this.watchXids([...this.handles.keys()]);
    const read = isWatched ? this.withXids(devices) : devices;
    return { devices: read, driverVersion: this.driverVersion(), missing: this.missing(read, isWatched) };
  }

  private check(symbol: string, code: number): void {
    if (code === NVML.success) return;
    this.isReady = false;
    throw new ExporterError({ code: 'failed', where: `NVML › ${symbol}`, ...explainCode(code) });
  }

  private withoutAnswer(index: number, state: DeviceState | undefined): DeviceReading[] {
    const known = this.known.get(index);
    return known && state ? [{ ...known, gpu: String(index), state, measures: [] }] : [];
  }

  private readDevice(index: number, device: bigint): DeviceReading[] {
    const uuid = this.text('nvmlDeviceGetUUID', device);
    if (uuid === undefined) return this.withoutAnswer(index, 'lost');
    const pci = pciInfo();
    const hasPci = this.library.call('nvmlDeviceGetPciInfo_v3', device, pci) === NVML.success;
    const known: Known = {
      uuid,
      name: this.text('nvmlDeviceGetName', device),
      pciBusId: hasPci ? normalizePciBusId(readPciBusId(pci)) : undefined,
    };
    this.known.set(index, known);
    if (this.handles.size >= MOST_HANDLES) this.handles.clear();
    this.handles.set(device, uuid);
    const { measures, state, hasNvlink } = readDeviceMeasures(this.library, device);
    if (state !== 'ok') return [{ ...known, gpu: String(index), state, measures: [] }];
    const processes = this.processes(device);
    const whole: DeviceReading = {
      ...known,
      gpu: String(index),
      state,
      measures: [...measures, ...this.gpm.read({ key: uuid, device, hasNvlink })],
      processes,
    };
    return [whole, ...this.instances(whole, device)];
  }

  private text(symbol: string, device: bigint): string | undefined {
    const buffer = Buffer.alloc(96);
    return this.library.call(symbol, device, buffer, buffer.length) === NVML.success ? readText(buffer) : undefined;
  }

  private processes(device: bigint): ReturnType<typeof readProcessInfos> | undefined {
    const count = u32(MOST_PROCESSES);
    const infos = processInfos(MOST_PROCESSES);
    const code = this.library.call('nvmlDeviceGetComputeRunningProcesses_v3', device, count, infos);
    return code === NVML.success ? readProcessInfos(infos, count.readUInt32LE()) : undefined;
  }

  /** The MIG instances of a GPU. Compute instances of one GPU instance share its memory, so the first stands for all. */
  private instances(whole: DeviceReading, device: bigint): DeviceReading[] {
    const { library } = this;
    const [current, pending] = [u32(), u32()];
    if (library.call('nvmlDeviceGetMigMode', device, current, pending) !== NVML.success) return [];
    const most = u32();
    if (current.readUInt32LE() !== 1) return [];
    if (library.call('nvmlDeviceGetMaxMigDeviceCount', device, most) !== NVML.success) return [];
    const found = new Map<string, DeviceReading>();
    for (let i = 0; i < Math.min(most.readUInt32LE(), 16); i++) {
      const handle = u64();
      if (library.call('nvmlDeviceGetMigDeviceHandleByIndex', device, i, handle) !== NVML.success) continue;
      const mig = handle.readBigUInt64LE();
      const id = u32();
      if (library.call('nvmlDeviceGetGpuInstanceId', mig, id) !== NVML.success) continue;
      const instance = String(id.readUInt32LE());
      if (found.has(instance)) continue;
      const profile = / MIG (\S+)$/.exec(this.text('nvmlDeviceGetName', mig) ?? '')?.[1];
      const measures: Measure[] = [];
      const memory = memoryV2();
      if (library.call('nvmlDeviceGetMemoryInfo_v2', mig, memory) === NVML.success) {
        const { used, total } = readMemoryV2(memory);
        measures.push({ kind: 'gauge', metric: 'gpu_memory_used_bytes', value: used });
        measures.push({ kind: 'gauge', metric: 'gpu_memory_total_bytes', value: total });
      }
      const subject = { key: `${whole.uuid}/${instance}`, device, instance: id.readUInt32LE(), hasNvlink: false };
      measures.push(...this.gpm.read(subject));
      found.set(instance, {
        ...whole,
        mig: { instance, profile, uuid: this.text('nvmlDeviceGetUUID', mig) },
        processes: undefined,
        measures,
      });
    }
    return [...found.values()];
  }

  /** Asks to be told of Xid errors. @returns Whether the driver does so. */
  private watchXids(devices: readonly bigint[]): boolean {
    const { library } = this;
    if (this.eventSet === undefined) {
      const set = u64();
      if (library.call('nvmlEventSetCreate', set) !== NVML.success) return false;
      this.eventSet = set.readBigUInt64LE();
    }
    for (const device of devices) {
      if (this.registered.has(device)) continue;
      const code = library.call('nvmlDeviceRegisterEvents', device, XID_EVENT, this.eventSet);
      if (code === NVML.success) this.registered.add(device);
    }
    return this.registered.size > 0;
  }

  private withXids(devices: readonly DeviceReading[]): DeviceReading[] {
    const counts = new Map<string, Map<number, number>>();
    for (let i = 0; this.eventSet !== undefined && i < MOST_EVENTS; i++) {
      const data = eventData();
      if (this.library.call('nvmlEventSetWait_v2', this.eventSet, data, 0) !== NVML.success) break;
      const event = readEventData(data);
      const uuid = this.handles.get(event.device);
      if (uuid === undefined || BigInt(event.type) !== XID_EVENT) continue;
      const ofGpu = counts.get(uuid) ?? new Map<number, number>();
      counts.set(uuid, ofGpu.set(event.data, (ofGpu.get(event.data) ?? 0) + 1));
    }
    return devices.map((device) => {
      if (device.mig !== undefined) return device;
      // An entry without errors says that errors would be told, so that no worse source is asked for them.
      const events = [...(counts.get(device.uuid) ?? [[0, 0]])].map(
        ([xid, count]): Measure => ({ kind: 'xid_events', metric: 'gpu_xid_errors_total', xid, count }),
      );
      return { ...device, measures: [...device.measures, ...events] };
    });
  }

  private driverVersion(): string | undefined {
    const buffer = Buffer.alloc(80);
    const code = this.library.call('nvmlSystemGetDriverVersion', buffer, buffer.length);
    return code === NVML.success ? readText(buffer) : undefined;
  }

  /** What the contract wants and NVML doesn't say here, with the way to get it. */
  private missing(devices: readonly DeviceReading[], isWatched: boolean): MissingMetric[] {
    const missing: MissingMetric[] = [];
    if (!isWatched && devices.length > 0)
      missing.push({
        metric: 'gpu_xid_errors_total',
        why: 'the driver takes no registration for Xid events',
        fix: "run as root; in a container the driver must be the host's",
      });
    const given = new Set(devices.flatMap(({ measures }) => measures.map(({ metric }) => metric as string)));
    if (devices.length === 0 || !this.gpm.isSettled()) return missing;
    if (!given.has('gpu_nvlink_bytes_total'))
      missing.push({
        metric: 'gpu_nvlink_bytes_total',
        why: 'no NVLink of these GPUs is up',
        fix: 'nothing where they have none; otherwise look at nvidia-smi nvlink --status',
      });
    if (!given.has('gpu_sm_active_ratio')) missing.push(...GPM_METRICS.map(missingOfGpm));
    return missing;
  }
}

function missingOfGpm(metric: string): MissingMetric {
  return {
    metric,
    why: 'NVML measures it (GPM) from Hopper on only, or without permission',
    fix: 'older data centre GPUs: run dcgm-exporter with --print-dcgm-counters; others have no such counters',
  };
}
