import { ExporterError } from '../../error.ts';
import { readSamples, type TextSample } from '../../exposition/index.ts';
import { getText, HttpGetter } from '../../http/index.ts';
import {
  type DeviceReading,
  type Measure,
  normalizePciBusId,
  type PodUse,
  plausible,
  type Source,
  type SourceReport,
  scaled,
} from '../reading.ts';
import { amdMissing } from './amd-missing.ts';

/** AMD's device-metrics-exporter as a source. */
export function createAmdExporterSource(url: string): Source {
  const getter = new HttpGetter();
  return {
    name: 'amd-exporter',
    poll: async (signal) => readAmdText(await getText(getter, 'AMD device-metrics-exporter', new URL(url), signal)),
    close: () => getter.close(),
  };
}

interface AmdField {
  readonly metric: string;
  readonly kind: 'gauge' | 'counter';
  readonly factor: number;
  readonly labels?: Readonly<Record<string, string>>;
  /** Only the series with these labels. */
  readonly only?: Readonly<Record<string, string>>;
  /** Of several fields for one metric the highest counts. */
  readonly rank?: number;
}

// Power and temperature have several fields of which a product fills some; energy is in µJ and memory in MB of 2^20.
// A compute unit's occupancy is what NVIDIA's SM occupancy is. gpu_prof_sm_active isn't here: it is how busy the vector
// units are, where the contract's activity is whether a wave is there at all.
const FIELDS: Readonly<Record<string, AmdField>> = {
  gpu_used_vram: gaugeField('gpu_memory_used_bytes', 1048576),
  gpu_total_vram: gaugeField('gpu_memory_total_bytes', 1048576),
  gpu_gfx_activity: gaugeField('gpu_utilization_ratio', 0.01),
  gpu_umc_activity: gaugeField('gpu_memory_busy_ratio', 0.01),
  gpu_prof_occupancy_percent: gaugeField('gpu_sm_occupancy_ratio', 0.01),
  gpu_prof_tensor_active_percent: gaugeField('gpu_tensor_active_ratio', 0.01),
  gpu_power_usage: { ...gaugeField('gpu_power_watts', 1), rank: 3 },
  gpu_package_power: { ...gaugeField('gpu_power_watts', 1), rank: 2 },
  gpu_average_package_power: { ...gaugeField('gpu_power_watts', 1), rank: 1 },
  gpu_junction_temperature: { ...gaugeField('gpu_temperature_celsius', 1), rank: 2 },
  gpu_edge_temperature: { ...gaugeField('gpu_temperature_celsius', 1), rank: 1 },
  gpu_memory_temperature: gaugeField('gpu_memory_temperature_celsius', 1),
  gpu_energy_consumed: { metric: 'gpu_energy_joules_total', kind: 'counter', factor: 1e-6 },
  gpu_ecc_correct_total: counterField('gpu_ecc_errors_total', 'corrected'),
  gpu_ecc_uncorrect_total: counterField('gpu_ecc_errors_total', 'uncorrected'),
  pcie_replay_count: counterField('gpu_pcie_replays_total'),
};

function gaugeField(metric: string, factor: number): AmdField {
  return { metric, kind: 'gauge', factor };
}

function counterField(metric: string, kind?: string): AmdField {
  return { metric, kind: 'counter', factor: 1, labels: kind === undefined ? undefined : { kind } };
}

const CLOCKS: Readonly<Record<string, string>> = { system: 'gpu_clock_hertz', memory: 'gpu_memory_clock_hertz' };

/** Removes the prefix that a configuration may give all names (`amd_` in the example), so that `gpu_…` is left. */
function bare(name: string): string {
  return /^[a-z_]*?(gpu_.*|pcie_replay_count)$/.exec(name.toLowerCase())?.[1] ?? name;
}

interface Draft {
  readonly identity: Omit<DeviceReading, 'measures' | 'state' | 'pods'>;
  readonly measures: Map<string, { measure: Measure; rank: number }>;
  readonly pods: Map<string, PodUse>;
}

/**
 * Reads the exporter's text, with or without a prefix. Of a partitioned GPU only partition 0 has power, temperature and
 * activity; the others' zeros are no readings and are left out.
 *
 * @throws ExporterError `malformed` where there is no GPU in the text.
 */
export function readAmdText(text: string): SourceReport {
  const drafts = new Map<string, Draft>();
  for (const sample of readSamples(text, (name) => /gpu_|pcie_replay/i.test(name)).samples) read(drafts, sample);
  if (drafts.size === 0)
    throw new ExporterError({
      code: 'malformed',
      where: 'AMD device-metrics-exporter',
      got: 'a text without any GPU',
      fix: 'point --amd-url at its /metrics (port 5000)',
    });
  const devices = [...drafts.values()].map(
    ({ identity, measures, pods }): DeviceReading => ({
      ...identity,
      state: 'ok',
      measures: [...measures.values()].map(({ measure }) => measure),
      pods: [...pods.values()],
    }),
  );
  return { devices, missing: amdMissing(devices, "enable it in the exporter's config.json (GPUConfig.Fields)") };
}

function read(drafts: Map<string, Draft>, { name, labels, value }: TextSample): void {
  const partition = labels.gpu_partition_id;
  if (partition !== undefined && partition !== '' && partition !== '0') return;
  const uuid = labels.gpu_uuid || labels.serial_number || (labels.gpu_id ? `AMD-${labels.gpu_id}` : '');
  if (uuid === '') return;
  let draft = drafts.get(uuid);
  if (!draft) {
    const identity = {
      uuid,
      gpu: labels.gpu_id || undefined,
      name: labels.card_model || undefined,
      pciBusId: labels.pcie_bus_id ? normalizePciBusId(labels.pcie_bus_id) : undefined,
    };
    draft = { identity, measures: new Map(), pods: new Map() };
    drafts.set(uuid, draft);
  }
  if (labels.pod)
    draft.pods.set(`${labels.namespace}/${labels.pod}/${labels.container}`, {
      pod: labels.pod,
      namespace: labels.namespace || undefined,
      container: labels.container || undefined,
    });
  const key = bare(name);
  const field = Object.hasOwn(FIELDS, key) ? FIELDS[key] : clockField(key, labels);
  const number = plausible(value);
  if (!field || number === undefined || number < 0) return;
  const { metric, kind, factor, labels: more, rank = 0 } = field;
  const slot = `${metric}${JSON.stringify(more ?? {})}`;
  // A product that lacks a sensor reports 0 there, which no running GPU has as temperature or power.
  if (rank > 0 && number === 0) return;
  if ((draft.measures.get(slot)?.rank ?? -1) >= rank) return;
  draft.measures.set(slot, { measure: { kind, metric, labels: more, value: scaled(number, factor) }, rank });
}

/** A die has several system clocks; the first stands for the GPU. */
function clockField(key: string, labels: TextSample['labels']): AmdField | undefined {
  const type = labels.clock_type?.toLowerCase().replace('gpu_clock_type_', '') ?? '';
  if (key !== 'gpu_clock' || !Object.hasOwn(CLOCKS, type)) return undefined;
  return { metric: CLOCKS[type], kind: 'gauge', factor: 1e6 };
}
