import { type DeviceReading, type GpuProcess, type Measure, toNumber } from '../reading.ts';
import { childAt, parseXml, textAt, type XmlElement } from './xml.ts';

/**
 * Reads `nvidia-smi -q -x` for what a query of fields doesn't give: remapped rows, retired pages, PCIe replays,
 * processes and MIG instances. Values that change faster than this is asked for are left to the query.
 *
 * @param listing The output of `nvidia-smi -L`, which alone has the UUIDs and profiles of MIG instances.
 * @throws ExporterError `malformed` where the text breaks off.
 */
export function readSmiDetails(xml: string, listing = ''): DeviceReading[] {
  const root = parseXml('nvidia-smi -q -x', xml);
  return root.children.filter(({ name }) => name === 'gpu').flatMap((gpu) => readGpu(gpu, listing));
}

function readGpu(gpu: XmlElement, listing: string): DeviceReading[] {
  const uuid = textAt(gpu, 'uuid');
  if (!uuid) return [];
  const processes = (childAt(gpu, 'processes')?.children ?? []).flatMap(readProcess);
  const whole: DeviceReading = { uuid, state: 'ok', measures: readMeasures(gpu), processes };
  const instances = new Map<string, DeviceReading>();
  for (const device of childAt(gpu, 'mig_devices')?.children ?? []) {
    const reading = readInstance(uuid, device, listing);
    // The compute instances of one GPU instance share its memory, which must not be counted for each of them.
    if (reading?.mig && !instances.has(reading.mig.instance)) instances.set(reading.mig.instance, reading);
  }
  return [whole, ...instances.values()];
}

function readProcess(element: XmlElement): GpuProcess[] {
  const pid = Number(textAt(element, 'pid'));
  if (element.name !== 'process_info' || !Number.isInteger(pid) || pid <= 0) return [];
  const mebibytes = toNumber(textAt(element, 'used_memory'));
  const instance = textAt(element, 'gpu_instance_id');
  return [
    {
      pid,
      memoryBytes: mebibytes === undefined ? undefined : mebibytes * 1048576,
      instance: instance && /^\d+$/.test(instance) ? instance : undefined,
    },
  ];
}

function readMeasures(gpu: XmlElement): Measure[] {
  const rows = childAt(gpu, 'remapped_rows');
  const pages = childAt(gpu, 'retired_pages');
  return [
    ...counterOf('gpu_row_remaps_total', 'corrected', textAt(rows, 'remapped_row_corr')),
    ...counterOf('gpu_row_remaps_total', 'uncorrected', textAt(rows, 'remapped_row_unc')),
    ...flagOf('gpu_row_remap_pending', textAt(rows, 'remapped_row_pending')),
    ...flagOf('gpu_row_remap_failed', textAt(rows, 'remapped_row_failure')),
    ...counterOf(
      'gpu_pages_retired_total',
      'corrected',
      textAt(pages, 'multiple_single_bit_retirement', 'retired_count'),
    ),
    ...counterOf('gpu_pages_retired_total', 'uncorrected', textAt(pages, 'double_bit_retirement', 'retired_count')),
    ...counterOf('gpu_pcie_replays_total', undefined, textAt(gpu, 'pci', 'replay_counter')),
  ];
}

function counterOf(metric: string, kind: string | undefined, text: string | undefined): Measure[] {
  const value = toNumber(text);
  if (value === undefined) return [];
  return [{ kind: 'counter', metric, labels: kind === undefined ? undefined : { kind }, value }];
}

function flagOf(metric: string, text: string | undefined): Measure[] {
  if (text !== 'Yes' && text !== 'No') return [];
  return [{ kind: 'gauge', metric, value: text === 'Yes' ? 1 : 0 }];
}

function readInstance(uuid: string, device: XmlElement, listing: string): DeviceReading | undefined {
  const instance = textAt(device, 'gpu_instance_id');
  if (device.name !== 'mig_device' || !instance) return undefined;
  const measures: Measure[] = [];
  for (const part of ['used', 'total'] as const) {
    const mebibytes = toNumber(textAt(device, 'fb_memory_usage', part));
    if (mebibytes !== undefined)
      measures.push({ kind: 'gauge', metric: `gpu_memory_${part}_bytes`, value: mebibytes * 1048576 });
  }
  const errors = toNumber(textAt(device, 'ecc_error_count', 'volatile_count', 'sram_uncorrectable'));
  if (errors !== undefined)
    measures.push({ kind: 'counter', metric: 'gpu_ecc_errors_total', labels: { kind: 'uncorrected' }, value: errors });
  return { uuid, mig: { instance, ...listed(uuid, textAt(device, 'index'), listing) }, state: 'ok', measures };
}

/** The profile and UUID of a MIG device in a listing such as `  MIG 1g.10gb     Device  0: (UUID: MIG-…)`. */
function listed(uuid: string, index: string | undefined, listing: string): { profile?: string; uuid?: string } {
  let isOfGpu = false;
  for (const line of listing.split('\n')) {
    if (/^GPU \d+:/.test(line)) isOfGpu = line.includes(uuid);
    const device = /^\s+MIG\s+(\S+)\s+Device\s+(\d+):\s+\(UUID:\s+(MIG-[^)]+)\)/.exec(line);
    if (isOfGpu && device && device[2] === index) return { profile: device[1], uuid: device[3] };
  }
  return {};
}

/** Whether a GPU of the text is in MIG mode, so that the listing is worth asking for. */
export function hasMig(xml: string): boolean {
  return /<mig_device>/.test(xml);
}
