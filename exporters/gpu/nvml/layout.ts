import os from 'node:os';

// The structures of nvml.h (13.3.29) that are used, for the 64-bit ABI of Linux: `unsigned int` has 4 bytes, `long long`,
// `double` and pointers have 8 and begin at a multiple of it. Both ABIs that NVIDIA ships (x86_64, aarch64) are little
// endian; a test holds these against what a C compiler makes of the declarations.

/** Whether the machine has the ABI that the layouts are for. */
export function isSupportedAbi(): boolean {
  return os.endianness() === 'LE' && ['x64', 'arm64'].includes(process.arch);
}

/** `NVML_STRUCT_VERSION`: a structure's size with its version in the highest byte. */
function structVersion(bytes: number, version: number): number {
  return (bytes | (version << 24)) >>> 0;
}

/** A buffer for one `unsigned int`. */
export function u32(value = 0): Buffer {
  const buffer = Buffer.alloc(4);
  buffer.writeUInt32LE(value);
  return buffer;
}

/** A buffer for one `unsigned long long` or handle. */
export function u64(): Buffer {
  return Buffer.alloc(8);
}

/** The text in a buffer up to its first zero byte. */
export function readText(buffer: Buffer): string {
  const end = buffer.indexOf(0);
  return buffer.toString('utf8', 0, end < 0 ? buffer.length : end);
}

/** `nvmlMemory_v2_t {unsigned version; u64 total, reserved, free, used}`: `used` is without what is reserved. */
export function memoryV2(): Buffer {
  const buffer = Buffer.alloc(40);
  buffer.writeUInt32LE(structVersion(40, 2));
  return buffer;
}

/** Bytes of a `nvmlMemory_v2_t`. */
export function readMemoryV2(buffer: Buffer): { total: number; reserved: number; used: number } {
  return { total: toNumber(buffer, 8), reserved: toNumber(buffer, 16), used: toNumber(buffer, 32) };
}

/** `nvmlTemperature_v1_t {unsigned version; sensorType; int temperature}` for the GPU's own sensor (0). */
export function temperatureV1(): Buffer {
  const buffer = Buffer.alloc(12);
  buffer.writeUInt32LE(structVersion(12, 1));
  return buffer;
}

/** Degrees Celsius of a `nvmlTemperature_v1_t`. */
export function readTemperatureV1(buffer: Buffer): number {
  return buffer.readInt32LE(8);
}

/** A field of NVML by its number in nvml.h; `scope` is a link's number where a field is of links. */
export interface NvmlField {
  readonly id: number;
  readonly scope?: number;
}

const FIELD_BYTES = 40;

/**
 * An array of `nvmlFieldValue_t {unsigned fieldId, scopeId; i64 timestamp, latencyUsec; int valueType, nvmlReturn; union
 * value}`.
 */
export function fieldValues(fields: readonly NvmlField[]): Buffer {
  const buffer = Buffer.alloc(fields.length * FIELD_BYTES);
  for (const [i, { id, scope = 0 }] of fields.entries()) {
    buffer.writeUInt32LE(id, i * FIELD_BYTES);
    buffer.writeUInt32LE(scope, i * FIELD_BYTES + 4);
  }
  return buffer;
}

/** The value at a place of an array of `nvmlFieldValue_t`, or `undefined` where the driver has none. */
export function readFieldValue(buffer: Buffer, index: number): number | undefined {
  const at = index * FIELD_BYTES;
  if (buffer.readUInt32LE(at + 28) !== 0) return undefined;
  switch (buffer.readUInt32LE(at + 24)) {
    case 0:
      return buffer.readDoubleLE(at + 32);
    case 1:
      return buffer.readUInt32LE(at + 32);
    case 2:
    case 3:
      return toNumber(buffer, at + 32);
    case 4:
      return Number(buffer.readBigInt64LE(at + 32));
    case 5:
      return buffer.readInt32LE(at + 32);
    default:
      return undefined;
  }
}

/** `nvmlViolationTime_t {u64 referenceTime, violationTime}`: the latter in ns. */
export function readViolationNs(buffer: Buffer): number {
  return toNumber(buffer, 8);
}

const PROCESS_BYTES = 24;

/** Room for `nvmlProcessInfo_v2_t {unsigned pid; u64 usedGpuMemory; unsigned gpuInstanceId, computeInstanceId}`. */
export function processInfos(count: number): Buffer {
  return Buffer.alloc(count * PROCESS_BYTES);
}

/** The processes of an array; memory and instance are absent where the driver says that it has none. */
export function readProcessInfos(
  buffer: Buffer,
  count: number,
): { pid: number; memoryBytes?: number; instance?: string }[] {
  return Array.from({ length: Math.min(count, buffer.length / PROCESS_BYTES) }, (_, i) => {
    const at = i * PROCESS_BYTES;
    const memory = buffer.readBigUInt64LE(at + 8);
    const instance = buffer.readUInt32LE(at + 16);
    return {
      pid: buffer.readUInt32LE(at),
      memoryBytes: memory === 0xffffffffffffffffn ? undefined : Number(memory),
      instance: instance === 0xffffffff ? undefined : String(instance),
    };
  });
}

/** `nvmlEventData_t {handle device; u64 eventType, eventData; unsigned gpuInstanceId, computeInstanceId}`. */
export function eventData(): Buffer {
  return Buffer.alloc(32);
}

/** Device handle, kind and datum (an Xid) of a `nvmlEventData_t`. */
export function readEventData(buffer: Buffer): { device: bigint; type: number; data: number } {
  return { device: buffer.readBigUInt64LE(0), type: toNumber(buffer, 8), data: toNumber(buffer, 16) };
}

const GPM_METRIC_BYTES = 40;

/**
 * `nvmlGpmMetricsGet_t {unsigned version, numMetrics; handle sample1, sample2; nvmlGpmMetric_t metrics[…]}` with
 * `nvmlGpmMetric_t {unsigned metricId; nvmlReturn; double value; three pointers}`. The library touches as many as
 * `numMetrics`; room for more is left because the array has grown with every driver.
 */
export function gpmMetricsGet(sample1: bigint, sample2: bigint, metricIds: readonly number[]): Buffer {
  const buffer = Buffer.alloc(24 + 512 * GPM_METRIC_BYTES);
  buffer.writeUInt32LE(1);
  buffer.writeUInt32LE(metricIds.length, 4);
  buffer.writeBigUInt64LE(sample1, 8);
  buffer.writeBigUInt64LE(sample2, 16);
  metricIds.forEach((id, i) => void buffer.writeUInt32LE(id, 24 + i * GPM_METRIC_BYTES));
  return buffer;
}

/** The values of a `nvmlGpmMetricsGet_t` in the order that they were asked for in; `undefined` where one failed. */
export function readGpmMetrics(buffer: Buffer, count: number): (number | undefined)[] {
  return Array.from({ length: count }, (_, i) => {
    const at = 24 + i * GPM_METRIC_BYTES;
    return buffer.readUInt32LE(at + 4) === 0 ? buffer.readDoubleLE(at + 8) : undefined;
  });
}

/** `nvmlGpmSupport_t {unsigned version, isSupportedDevice}`. */
export function gpmSupport(): Buffer {
  const buffer = Buffer.alloc(8);
  buffer.writeUInt32LE(1);
  return buffer;
}

/** `nvmlPciInfo_t` of nvmlDeviceGetPciInfo_v3: 68 bytes whose last 32 are the address as text. */
export function pciInfo(): Buffer {
  return Buffer.alloc(68);
}

/** The address in a `nvmlPciInfo_t`. */
export function readPciBusId(buffer: Buffer): string {
  return readText(buffer.subarray(36));
}

/** Whole numbers past 2^53 lose digits, which no counter here reaches within a driver's life. */
function toNumber(buffer: Buffer, at: number): number {
  return Number(buffer.readBigUInt64LE(at));
}
