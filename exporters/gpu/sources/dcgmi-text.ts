import { DCGM_FIELDS } from '../../generated/conventions.ts';
import { type DeviceReading, normalizePciBusId } from '../reading.ts';
import { derivedMeasures, measureOf } from './dcgm-map.ts';

/** A field as the host engine is asked for it: its number, which never changes, and the name that it has had longest. */
export interface DcgmiField {
  readonly id: number;
  readonly name: string;
}

/** Numbers of fields beyond those of the conventions (dcgm_fields.h). */
const BESIDE: readonly DcgmiField[] = [
  { id: 101, name: 'DCGM_FI_DEV_MEM_CLOCK' },
  { id: 140, name: 'DCGM_FI_DEV_MEMORY_TEMP' },
  { id: 202, name: 'DCGM_FI_DEV_PCIE_REPLAY_COUNTER' },
  { id: 204, name: 'DCGM_FI_DEV_MEM_COPY_UTIL' },
  { id: 251, name: 'DCGM_FI_DEV_FB_FREE' },
  { id: 393, name: 'DCGM_FI_DEV_UNCORRECTABLE_REMAPPED_ROWS' },
  { id: 394, name: 'DCGM_FI_DEV_CORRECTABLE_REMAPPED_ROWS' },
  { id: 395, name: 'DCGM_FI_DEV_ROW_REMAP_FAILURE' },
  { id: 396, name: 'DCGM_FI_DEV_ROW_REMAP_PENDING' },
];

/** Every field that the host engine is asked for, in the order of the columns. */
export const DCGMI_FIELDS: readonly DcgmiField[] = [
  ...DCGM_FIELDS.map(({ id, field }) => ({ id, name: field })),
  ...BESIDE,
].filter(({ id }, i, all) => all.findIndex((other) => other.id === id) === i);

/** Whether a field is measured by the profiling module, which not every GPU, host engine and user has. */
export function isProfiling({ id }: DcgmiField): boolean {
  return id >= 1001 && id < 1100;
}

/** Who the GPUs are, by the host engine's own numbers. */
export type DcgmiGpus = ReadonlyMap<string, Pick<DeviceReading, 'uuid' | 'name' | 'pciBusId'>>;

/** Reads `dcgmi discovery -l`: a table, or plain lines where there is no terminal. */
export function readDiscovery(text: string): DcgmiGpus {
  const gpus = new Map<string, { uuid: string; name?: string; pciBusId?: string }>();
  let [id, name, pciBusId]: (string | undefined)[] = [];
  for (const line of text.split('\n')) {
    const started = /^\|?\s*(?:GPU ID:\s*)?(\d+)\s*(?:\||$)/.exec(line);
    if (started) [id, name, pciBusId] = [started[1], undefined, undefined];
    const [, key, value] = /\b(Name|PCI Bus ID|Device UUID):\s*([^|]*?)\s*(?:\||$)/.exec(line) ?? [];
    if (key === 'Name') name = value;
    else if (key === 'PCI Bus ID') pciBusId = normalizePciBusId(value);
    else if (key === 'Device UUID' && id !== undefined && /^GPU-[\w-]+$/.test(value))
      gpus.set(id, { uuid: value, name, pciBusId });
  }
  return gpus;
}

/**
 * Reads a row of `dcgmi dmon`: `GPU 0` and a value a field, or `N/A`. A value that was cut to fit its column (`123...`) is
 * no value.
 *
 * @returns `undefined` for headings, MIG instances (whose numbers don't say which GPU's they are) and rows of another length.
 */
export function readDmonRow(line: string, fields: readonly DcgmiField[]): { gpu: string; cells: string[] } | undefined {
  const match = /^GPU (\d{1,4})\s+(\S.*)$/.exec(line.trimEnd());
  const cells = match?.[2].split(/\s+/) ?? [];
  return match && cells.length === fields.length ? { gpu: match[1], cells } : undefined;
}

/** What a row says of its GPU, or `undefined` where it has no value at all, as of a GPU that fell off the bus. */
export function readDmonCells(
  gpu: string,
  cells: readonly string[],
  fields: readonly DcgmiField[],
  gpus: DcgmiGpus,
): DeviceReading | undefined {
  const identity = gpus.get(gpu);
  if (!identity) return undefined;
  const values = new Map<string, number>();
  const measures = fields.flatMap(({ name }, i) => {
    if (!/^-?\d+(?:\.\d+)?$/.test(cells[i])) return [];
    const value = Number(cells[i]);
    values.set(name, value);
    return measureOf({ name, labels: {}, value, isWhole: !cells[i].includes('.') }) ?? [];
  });
  if (measures.length === 0) return undefined;
  const known = new Set(measures.map(({ metric }) => metric as string));
  return { ...identity, gpu, state: 'ok', measures: [...measures, ...derivedMeasures(values, known)] };
}
