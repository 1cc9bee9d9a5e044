import { ExporterError } from '../../error.ts';
import { readSamples, type TextSample } from '../../exposition/index.ts';
import { DCGM_FIELDS, type DcgmField } from '../../generated/conventions.ts';
import { getText, HttpGetter } from '../../http/index.ts';
import { BOARD_METRICS } from '../metrics.ts';
import {
  type DeviceReading,
  type Measure,
  type MissingMetric,
  normalizePciBusId,
  type PodUse,
  type Source,
  type SourceReport,
} from '../reading.ts';
import { derivedMeasures, isDcgmName, measureOf, podOf } from './dcgm-map.ts';

/** dcgm-exporter's endpoint as a source; its own interval (30 s by default) says how fresh the values are. */
export function createDcgmSource(url: string): Source {
  const getter = new HttpGetter();
  return {
    name: 'dcgm',
    poll: async (signal) => readDcgmText(await getText(getter, 'dcgm-exporter', new URL(url), signal)),
    close: () => getter.close(),
  };
}

interface Draft {
  readonly identity: Omit<DeviceReading, 'measures' | 'state' | 'pods'>;
  readonly measures: Map<string, Measure>;
  readonly values: Map<string, number>;
  readonly pods: Map<string, PodUse>;
}

/**
 * Reads dcgm-exporter's text, of any version: `UUID` or `uuid`, `Hostname` or `hostname`, old field names and those of
 * DCGM 4.6.0, MIG instances, and several pods on one GPU, whose series repeat the GPU's values.
 *
 * @throws ExporterError `malformed` where the text has no field of DCGM at all.
 */
export function readDcgmText(text: string): SourceReport {
  const { samples } = readSamples(text, isDcgmName);
  if (samples.length === 0)
    throw new ExporterError({
      code: 'malformed',
      where: 'dcgm-exporter',
      got: 'a text without any DCGM_ field',
      fix: "point --dcgm-url at dcgm-exporter's /metrics, and look at its log for GPUs that it can't watch",
    });
  const drafts = new Map<string, Draft>();
  const seen = new Set<string>();
  let driverVersion: string | undefined;
  for (const sample of samples) {
    seen.add(sample.name);
    driverVersion ??= sample.labels.DCGM_FI_DRIVER_VERSION || undefined;
    const draft = draftOf(drafts, sample);
    if (!draft) continue;
    const pod = podOf(sample.labels);
    if (pod) draft.pods.set(`${pod.namespace}/${pod.pod}/${pod.container}`, pod);
    draft.values.set(sample.name, sample.value);
    const measure = measureOf(sample);
    if (measure) draft.measures.set(keyOf(measure), measure);
  }
  const read = [...drafts.values()].map(readingOf);
  const devices = [...read, ...wholesOf(read)];
  return { devices, driverVersion, missing: missingMetrics(devices, seen) };
}

function draftOf(drafts: Map<string, Draft>, { labels }: TextSample): Draft | undefined {
  const uuid = labels.UUID || labels.uuid || labels.gpu_uuid;
  if (!uuid) return undefined;
  const instance = labels.GPU_I_ID || undefined;
  const key = `${uuid}/${instance ?? ''}`;
  let draft = drafts.get(key);
  if (!draft) {
    const identity = {
      uuid,
      gpu: labels.gpu || undefined,
      pciBusId: labels.pci_bus_id ? normalizePciBusId(labels.pci_bus_id) : undefined,
      name: labels.modelName || labels.model_name || undefined,
      mig: instance === undefined ? undefined : { instance, profile: labels.GPU_I_PROFILE || undefined },
    };
    draft = { identity, measures: new Map(), values: new Map(), pods: new Map() };
    drafts.set(key, draft);
  }
  return draft;
}

/** One key a series, so that what several pods repeat is counted once. */
function keyOf(measure: Measure): string {
  switch (measure.kind) {
    case 'gauge':
    case 'counter':
    case 'rate':
      return `${measure.metric}${JSON.stringify(measure.labels ?? {})}`;
    case 'xid_window':
    case 'xid_events':
      return `${measure.kind}${measure.xid}`;
    case 'reasons':
    case 'last_xid':
      return measure.kind;
  }
}

function readingOf({ identity, measures, values, pods }: Draft): DeviceReading {
  const counted = [...measures.values()];
  // Where the exporter counts Xids, the gauge of the last one would count the same error again.
  const isCounted = counted.some(({ kind }) => kind === 'xid_window');
  const known = new Set(counted.map(({ metric }) => metric));
  const kept = isCounted ? counted.filter(({ kind }) => kind !== 'last_xid') : counted;
  return {
    ...identity,
    state: 'ok',
    measures: [...kept, ...derivedMeasures(values, known)],
    pods: [...pods.values()],
  };
}

/**
 * In MIG mode the exporter watches instances only, and repeats on each what is the GPU's: temperature, power, clocks,
 * errors of the driver. That makes the GPU, without what an instance has of its own.
 */
function wholesOf(devices: readonly DeviceReading[]): DeviceReading[] {
  const wholes = new Map<string, DeviceReading>();
  for (const device of devices) {
    if (device.mig === undefined || wholes.has(device.uuid)) continue;
    if (devices.some(({ uuid, mig }) => uuid === device.uuid && mig === undefined)) continue;
    const measures = device.measures.filter(({ metric }) => BOARD_METRICS.has(metric));
    wholes.set(device.uuid, { ...device, mig: undefined, measures, pods: undefined });
  }
  return [...wholes.values()];
}

/** What the contract wants and no GPU has, with the way to get it. */
function missingMetrics(devices: readonly DeviceReading[], seen: ReadonlySet<string>): MissingMetric[] {
  const given = new Set(devices.flatMap(({ measures }) => measures.map(({ metric }) => metric as string)));
  const missing = new Map<string, DcgmField[]>();
  for (const field of DCGM_FIELDS) {
    if (given.has(field.target)) continue;
    missing.set(field.target, [...(missing.get(field.target) ?? []), field]);
  }
  return [...missing].map(([metric, fields]) => adviceFor(metric, fields, seen));
}

function adviceFor(metric: string, fields: readonly DcgmField[], seen: ReadonlySet<string>): MissingMetric {
  const names = fields.map(({ field }) => field);
  if (fields.some(({ field, renamed }) => seen.has(field) || (renamed !== undefined && seen.has(renamed))))
    return { metric, why: `${names.join(', ')}: no value`, fix: 'the GPU or driver does not support it' };
  const isProfiling = names.every((name) => name.startsWith('DCGM_FI_PROF_'));
  const file = 'start dcgm-exporter with -f and the file of barograph-gpu-exporter --print-dcgm-counters';
  return {
    metric,
    why: `dcgm-exporter doesn't expose ${names.join(', ')}`,
    fix: isProfiling ? `${file}; profiling fields need a data centre GPU and CAP_SYS_ADMIN` : file,
  };
}
