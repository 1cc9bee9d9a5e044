import { type DeviceState, type Measure, scaled } from '../reading.ts';
import { NVML, stateOfCode } from './codes.ts';
import {
  fieldValues,
  memoryV2,
  type NvmlField,
  readFieldValue,
  readMemoryV2,
  readTemperatureV1,
  readViolationNs,
  temperatureV1,
  u32,
  u64,
} from './layout.ts';
import type { NvmlArgument, NvmlLibrary } from './library.ts';

/** Time throttled in ns, by the contract's reason: the field of it, and its `nvmlPerfPolicyType_t`. */
const VIOLATIONS: readonly { readonly reason: string; readonly field: number; readonly policy: number }[] = [
  { reason: 'power', field: 74, policy: 0 },
  { reason: 'thermal', field: 75, policy: 1 },
  { reason: 'sync_boost', field: 76, policy: 2 },
  { reason: 'board_limit', field: 77, policy: 3 },
  { reason: 'reliability', field: 79, policy: 5 },
];
const NVLINK_ERRORS: readonly string[] = ['replay', 'recovery', 'crc_flit', 'crc_data'];
const MOST_NVLINKS = 18;
/** Field ids of nvml.h. Those of the newer throttle counters differ between drivers (251 or 269), so they aren't used. */
const FIELDS = { memoryTemperature: 82, nvlinkRawTxKib: 140, nvlinkRawRxKib: 141 } as const;
const ALL_LINKS = 0xffffffff;
// One call for all, because the driver answers the throttle counters together: 1 ms of its time in place of 5.
const ASKED_FIELDS: readonly NvmlField[] = [
  ...VIOLATIONS.map(({ field }) => ({ id: field })),
  { id: FIELDS.memoryTemperature },
  { id: FIELDS.nvlinkRawTxKib, scope: ALL_LINKS },
  { id: FIELDS.nvlinkRawRxKib, scope: ALL_LINKS },
];

/** What NVML says of one GPU. */
export interface DeviceMeasures {
  readonly measures: readonly Measure[];
  /** `ok` unless it stopped answering meanwhile. */
  readonly state: DeviceState;
  /** Whether a link is up; without one every counter of links is 0 for want of links. */
  readonly hasNvlink: boolean;
}

/** Reads one GPU's values; the state says when it stopped answering. */
export function readDeviceMeasures(library: NvmlLibrary, device: bigint): DeviceMeasures {
  const reading = new Reading(library, device);
  readMemory(reading);
  readLoad(reading);
  const fields = reading.fields(ASKED_FIELDS);
  readFields(reading, fields);
  readThrottling(reading, fields);
  readErrors(reading);
  const hasNvlink = readLinks(reading, fields);
  return { measures: reading.measures, state: reading.state, hasNvlink };
}

/** Calls for one GPU, which stop as soon as it is lost: a driver takes seconds for each call to a GPU that is gone. */
class Reading {
  readonly measures: Measure[] = [];
  state: DeviceState = 'ok';
  private readonly library: NvmlLibrary;
  private readonly device: bigint;

  constructor(library: NvmlLibrary, device: bigint) {
    this.library = library;
    this.device = device;
  }

  /** Whether the driver filled in what it was asked for. */
  ask(symbol: string, ...args: readonly NvmlArgument[]): boolean {
    if (this.state !== 'ok') return false;
    const code = this.library.call(symbol, this.device, ...args);
    this.state = stateOfCode(code) ?? this.state;
    return code === NVML.success;
  }

  number(symbol: string, ...before: readonly number[]): number | undefined {
    const out = u32();
    return this.ask(symbol, ...before, out) ? out.readUInt32LE() : undefined;
  }

  bigNumber(symbol: string, ...before: readonly number[]): bigint | undefined {
    const out = u64();
    return this.ask(symbol, ...before, out) ? out.readBigUInt64LE() : undefined;
  }

  /** The values of fields by id, of those that the driver has. */
  fields(asked: readonly NvmlField[]): ReadonlyMap<number, number> {
    const values = fieldValues(asked);
    if (!this.ask('nvmlDeviceGetFieldValues', asked.length, values)) return new Map();
    const found = new Map<number, number>();
    for (const [i, { id }] of asked.entries()) {
      const value = readFieldValue(values, i);
      if (value !== undefined) found.set(id, value);
    }
    return found;
  }

  gauge(metric: string, value: number | undefined, factor = 1): void {
    if (value !== undefined) this.measures.push({ kind: 'gauge', metric, value: scaled(value, factor) });
  }

  counter(metric: string, value: number | undefined, factor: number, labels?: Readonly<Record<string, string>>): void {
    if (value !== undefined) this.measures.push({ kind: 'counter', metric, labels, value: scaled(value, factor) });
  }
}

function readMemory(reading: Reading): void {
  const memory = memoryV2();
  // The first version counts what is reserved as used, so a driver without the second one says nothing here.
  if (!reading.ask('nvmlDeviceGetMemoryInfo_v2', memory)) return;
  const { used, total, reserved } = readMemoryV2(memory);
  if (total === 0) return;
  reading.gauge('gpu_memory_used_bytes', used);
  reading.gauge('gpu_memory_total_bytes', total);
  reading.gauge('gpu_memory_reserved_bytes', reserved);
}

function readLoad(reading: Reading): void {
  const rates = Buffer.alloc(8);
  if (reading.ask('nvmlDeviceGetUtilizationRates', rates)) {
    reading.gauge('gpu_utilization_ratio', rates.readUInt32LE(0), 0.01);
    reading.gauge('gpu_memory_busy_ratio', rates.readUInt32LE(4), 0.01);
  }
  reading.gauge('gpu_power_watts', reading.number('nvmlDeviceGetPowerUsage'), 1e-3);
  reading.gauge('gpu_power_limit_watts', reading.number('nvmlDeviceGetEnforcedPowerLimit'), 1e-3);
  const energy = reading.bigNumber('nvmlDeviceGetTotalEnergyConsumption');
  reading.counter('gpu_energy_joules_total', energy === undefined ? undefined : Number(energy), 1e-3);
  const temperature = temperatureV1();
  if (reading.ask('nvmlDeviceGetTemperatureV', temperature))
    reading.gauge('gpu_temperature_celsius', readTemperatureV1(temperature));
  else reading.gauge('gpu_temperature_celsius', reading.number('nvmlDeviceGetTemperature', 0));
  reading.gauge('gpu_clock_hertz', reading.number('nvmlDeviceGetClockInfo', 1), 1e6);
  reading.gauge('gpu_memory_clock_hertz', reading.number('nvmlDeviceGetClockInfo', 2), 1e6);
}

function readFields(reading: Reading, fields: ReadonlyMap<number, number>): void {
  const memoryTemperature = fields.get(FIELDS.memoryTemperature);
  // Boards without the sensor say 0.
  if (memoryTemperature !== 0) reading.gauge('gpu_memory_temperature_celsius', memoryTemperature);
}

function readThrottling(reading: Reading, fields: ReadonlyMap<number, number>): void {
  const mask =
    reading.bigNumber('nvmlDeviceGetCurrentClocksEventReasons') ??
    reading.bigNumber('nvmlDeviceGetCurrentClocksThrottleReasons');
  if (mask !== undefined) reading.measures.push({ kind: 'reasons', metric: 'gpu_throttle_seconds_total', mask });
  for (const { reason, field, policy } of VIOLATIONS) {
    const violation = Buffer.alloc(16);
    let ns = fields.get(field);
    if (ns === undefined && reading.ask('nvmlDeviceGetViolationStatus', policy, violation))
      ns = readViolationNs(violation);
    reading.counter('gpu_throttle_seconds_total', ns, 1e-9, { reason });
  }
}

function readErrors(reading: Reading): void {
  for (const [type, kind] of ['corrected', 'uncorrected'].entries()) {
    const errors = reading.bigNumber('nvmlDeviceGetTotalEccErrors', type, 0);
    reading.counter('gpu_ecc_errors_total', errors === undefined ? undefined : Number(errors), 1, { kind });
  }
  const [corrected, uncorrected, pending, failure] = [u32(), u32(), u32(), u32()];
  if (reading.ask('nvmlDeviceGetRemappedRows', corrected, uncorrected, pending, failure)) {
    reading.counter('gpu_row_remaps_total', corrected.readUInt32LE(), 1, { kind: 'corrected' });
    reading.counter('gpu_row_remaps_total', uncorrected.readUInt32LE(), 1, { kind: 'uncorrected' });
    reading.gauge('gpu_row_remap_pending', pending.readUInt32LE());
    reading.gauge('gpu_row_remap_failed', failure.readUInt32LE());
  }
  reading.counter('gpu_pcie_replays_total', reading.number('nvmlDeviceGetPcieReplayCounter'), 1);
}

/** @returns Whether any link is up. */
function readLinks(reading: Reading, fields: ReadonlyMap<number, number>): boolean {
  let hasNvlink = false;
  const sums: (number | undefined)[] = NVLINK_ERRORS.map(() => undefined);
  for (let link = 0; link < MOST_NVLINKS; link++) {
    // Links are numbered without gaps, so the first that isn't there is the end.
    const isUp = reading.number('nvmlDeviceGetNvLinkState', link);
    if (isUp === undefined) break;
    hasNvlink ||= isUp === 1;
    NVLINK_ERRORS.forEach((_, kind) => {
      const errors = reading.bigNumber('nvmlDeviceGetNvLinkErrorCounter', link, kind);
      if (errors !== undefined) sums[kind] = (sums[kind] ?? 0) + Number(errors);
    });
  }
  sums.forEach((sum, kind) => void reading.counter('gpu_nvlink_errors_total', sum, 1, { kind: NVLINK_ERRORS[kind] }));
  const [transmitted, received] = [fields.get(FIELDS.nvlinkRawTxKib), fields.get(FIELDS.nvlinkRawRxKib)];
  if (hasNvlink && transmitted !== undefined && received !== undefined)
    reading.counter('gpu_nvlink_bytes_total', transmitted + received, 1024);
  return hasNvlink;
}
