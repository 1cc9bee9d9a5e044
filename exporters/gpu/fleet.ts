import { type CounterSeries, DeviceCounters } from './accumulate.ts';
import { migMetric } from './metrics.ts';
import {
  type DeviceReading,
  type DeviceState,
  type GpuProcess,
  type Measure,
  type MigInstance,
  type PodUse,
  SOURCE_NAMES,
  type SourceName,
  type SourceReport,
  unknownUuid,
} from './reading.ts';
import { type Load, SilenceWatch, type SilentMetric } from './silence.ts';

/** Why a GPU that was there isn't up; `vanished`: its sources answer without it; `unreadable`: none of them answers. */
export type DownReason = Exclude<DeviceState, 'ok'> | 'vanished' | 'unreadable';

/** A GPU, or a MIG instance of one, as all sources together see it. */
export interface DeviceView {
  readonly uuid: string;
  readonly gpu?: string;
  readonly name?: string;
  readonly pciBusId?: string;
  readonly mig?: MigInstance;
  readonly down?: DownReason;
  readonly gauges: readonly {
    readonly metric: string;
    readonly labels: Readonly<Record<string, string>>;
    readonly value: number;
  }[];
  readonly counters: readonly CounterSeries[];
  readonly processes: readonly GpuProcess[];
  readonly pods: readonly PodUse[];
}

interface Seen {
  readonly byKey: ReadonlyMap<string, DeviceReading>;
  readonly report: SourceReport;
  readonly atMs: number;
  readonly freshForMs: number;
}

interface Known {
  identity: Pick<DeviceReading, 'uuid' | 'gpu' | 'name' | 'pciBusId' | 'mig'>;
  readonly counters: DeviceCounters;
  /** Sources that have listed it since the exporter started. */
  readonly sources: Set<SourceName>;
  seenAtMs: number;
}

/** Sizes and times of a fleet. */
export interface FleetOptions {
  /** GPUs and MIG instances that are known at most; further ones are left out and counted. */
  readonly mostDevices: number;
  /** A gap between readings that is longer than this counts for nothing in rates and throttling. */
  readonly mostGapMs: number;
  readonly silentAfterMs: number;
  /** How long a GPU that is gone is reported as down. */
  readonly forgetAfterMs: number;
}

/** Defaults of FleetOptions. */
export const FLEET_DEFAULTS: FleetOptions = {
  mostDevices: 512,
  mostGapMs: 120_000,
  silentAfterMs: 120_000,
  forgetAfterMs: 7 * 24 * 3_600_000,
};

/** The GPUs of a node: the reports of all sources, which of them counts for what, and what follows over time. */
export class GpuFleet {
  private readonly options: FleetOptions;
  private readonly silence: SilenceWatch;
  private readonly seen = new Map<SourceName, Seen>();
  private readonly known = new Map<string, Known>();
  /** The first identity of each AMD GPU by its index: the exporter says serial numbers, the command UUIDs. */
  private readonly amdUuids = new Map<string, string>();
  private dropped = 0;

  constructor(options: FleetOptions = FLEET_DEFAULTS) {
    this.options = options;
    this.silence = new SilenceWatch(options.silentAfterMs);
  }

  /**
   * Takes in what a source reported.
   *
   * @param freshForMs For how long the report is taken for the present.
   * @param nowMs The monotonic clock. @param unixMs The wall clock.
   */
  accept(source: SourceName, report: SourceReport, freshForMs: number, nowMs: number, unixMs: number): void {
    const byKey = new Map<string, DeviceReading>();
    for (const raw of report.devices) {
      const reading = source.startsWith('amd-') ? this.ofAmd(raw) : raw;
      const key = keyOf(reading);
      const known = this.know(key, source, reading, nowMs);
      if (known) byKey.set(key, reading.mig === undefined ? reading : ofInstance(reading));
      // A GPU that was lost before anybody knew its UUID went by its address, and isn't another one.
      const standIn = reading.pciBusId === undefined ? undefined : unknownUuid(reading.pciBusId);
      if (standIn !== undefined && standIn !== reading.uuid) this.known.delete(standIn);
    }
    this.seen.set(source, { byKey, report, atMs: nowMs, freshForMs });
    for (const [key, reading] of byKey) {
      if (reading.state !== 'ok') continue;
      this.silence.observe(source, reading, this.loadOf(key, nowMs), nowMs);
    }
    for (const [key, reading] of byKey) {
      const owned = reading.measures.filter(({ metric }) => this.ownerOf(key, metric, nowMs) === source);
      this.known.get(key)?.counters.observe(source, owned, nowMs, unixMs);
    }
    this.forget(nowMs);
  }

  /** All GPUs and instances, each with what is known now. */
  view(nowMs: number): DeviceView[] {
    return [...this.known].flatMap(([key, known]) => this.viewOf(key, known, nowMs) ?? []);
  }

  /** Values that aren't believed. */
  silent(): readonly SilentMetric[] {
    return this.silence.silent();
  }

  /** The metrics that at least one fresh report gives, and the advice of the reports about the rest. */
  coverage(nowMs: number): { given: Set<string>; missing: Map<string, { why: string; fix: string }> } {
    const given = new Set<string>();
    const missing = new Map<string, { why: string; fix: string }>();
    for (const source of SOURCE_NAMES) {
      const seen = this.fresh(source, nowMs);
      for (const reading of seen?.byKey.values() ?? [])
        if (reading.mig === undefined) for (const { metric } of reading.measures) given.add(metric);
      for (const { metric, why, fix } of seen?.report.missing ?? [])
        if (!missing.has(metric)) missing.set(metric, { why, fix });
    }
    for (const metric of given) missing.delete(metric);
    return { given, missing };
  }

  /** The driver's version by source. */
  driverVersions(nowMs: number): [SourceName, string][] {
    return SOURCE_NAMES.flatMap((source) => {
      const version = this.fresh(source, nowMs)?.report.driverVersion;
      return version === undefined ? [] : [[source, version] as [SourceName, string]];
    });
  }

  /** Devices and series that found no room. */
  droppedCount(): number {
    return [...this.known.values()].reduce((sum, { counters }) => sum + counters.droppedCount(), this.dropped);
  }

  /** Whether a source's last report is still taken for the present. */
  isFresh(source: SourceName, nowMs: number): boolean {
    return this.fresh(source, nowMs) !== undefined;
  }

  private ofAmd(reading: DeviceReading): DeviceReading {
    if (reading.gpu === undefined) return reading;
    const uuid = this.amdUuids.get(reading.gpu) ?? reading.uuid;
    if (this.amdUuids.size < this.options.mostDevices) this.amdUuids.set(reading.gpu, uuid);
    return { ...reading, uuid };
  }

  private know(key: string, source: SourceName, reading: DeviceReading, nowMs: number): Known | undefined {
    let known = this.known.get(key);
    if (!known) {
      if (this.known.size >= this.options.mostDevices) {
        this.dropped++;
        return undefined;
      }
      const { uuid } = reading;
      known = {
        identity: { uuid },
        counters: new DeviceCounters(this.options.mostGapMs),
        sources: new Set(),
        seenAtMs: nowMs,
      };
      this.known.set(key, known);
    }
    known.sources.add(source);
    known.seenAtMs = nowMs;
    known.identity = mergeIdentity(known.identity, reading);
    return known;
  }

  private fresh(source: SourceName, nowMs: number): Seen | undefined {
    const seen = this.seen.get(source);
    return seen && nowMs - seen.atMs <= seen.freshForMs ? seen : undefined;
  }

  /**
   * The source that counts for a metric of a GPU: the first in order, unless a later one knows it better (errors as
   * events instead of the last one only, throttled time instead of a mask that is looked at now and then).
   */
  private ownerOf(key: string, metric: string, nowMs: number): SourceName | undefined {
    let [owner, best]: [SourceName | undefined, number] = [undefined, 0];
    for (const source of SOURCE_NAMES) {
      const reading = this.fresh(source, nowMs)?.byKey.get(key);
      // The error that took a GPU away comes when it is gone already.
      const isHeard = reading?.state === 'ok' || metric === 'gpu_xid_errors_total';
      if (!reading || !isHeard || this.silence.isSilent(source, key, metric)) continue;
      const quality = qualityOf(reading.measures, metric);
      if (quality > best) [owner, best] = [source, quality];
    }
    return owner;
  }

  /** How busy a GPU is by all sources, without values that aren't believed. */
  private loadOf(key: string, nowMs: number): Load {
    const highest = (metric: string): number | undefined => {
      let found: number | undefined;
      for (const source of SOURCE_NAMES) {
        if (this.silence.isSilent(source, key, metric)) continue;
        const reading = this.fresh(source, nowMs)?.byKey.get(key);
        for (const measure of reading?.measures ?? [])
          if (measure.kind === 'gauge' && measure.metric === metric) found = Math.max(found ?? 0, measure.value);
      }
      return found;
    };
    const [watts, limit] = [highest('gpu_power_watts'), highest('gpu_power_limit_watts')];
    return {
      utilization: highest('gpu_utilization_ratio'),
      power: watts !== undefined && limit !== undefined && limit > 0 ? watts / limit : undefined,
      smActive: highest('gpu_sm_active_ratio'),
    };
  }

  private viewOf(key: string, known: Known, nowMs: number): DeviceView | undefined {
    const readings: [SourceName, DeviceReading][] = [];
    for (const source of SOURCE_NAMES) {
      const reading = this.fresh(source, nowMs)?.byKey.get(key);
      if (reading) readings.push([source, reading]);
    }
    const down = this.downReason(readings, known, nowMs);
    // An instance that is gone was taken away by whoever rules the node, which is no failure.
    if (down !== undefined && known.identity.mig !== undefined) return undefined;
    const gauges: { metric: string; labels: Readonly<Record<string, string>>; value: number }[] = [];
    const owners = new Map<string, SourceName | undefined>();
    const owner = (metric: string): SourceName | undefined => {
      if (!owners.has(metric)) owners.set(metric, this.ownerOf(key, metric, nowMs));
      return owners.get(metric);
    };
    for (const [source, { measures }] of down === undefined ? readings : [])
      for (const measure of measures)
        if (measure.kind === 'gauge' && owner(measure.metric) === source)
          gauges.push({ metric: measure.metric, labels: measure.labels ?? {}, value: measure.value });
    // Errors stay in sight when the GPU is gone, because they say why; other counters end with it.
    const counters = known.counters
      .all()
      .filter(({ metric }) => owner(metric) !== undefined || metric === 'gpu_xid_errors_total');
    return {
      ...known.identity,
      down,
      gauges,
      counters: down === undefined ? counters : counters.filter(({ metric }) => metric === 'gpu_xid_errors_total'),
      processes: readings.find(([, { processes }]) => processes !== undefined)?.[1].processes ?? [],
      pods: readings.find(([, { pods }]) => pods !== undefined && pods.length > 0)?.[1].pods ?? [],
    };
  }

  private downReason(
    readings: readonly [SourceName, DeviceReading][],
    known: Known,
    nowMs: number,
  ): DownReason | undefined {
    for (const [, { state }] of readings) if (state !== 'ok') return state;
    if (readings.length > 0) return undefined;
    return [...known.sources].some((source) => this.isFresh(source, nowMs)) ? 'vanished' : 'unreadable';
  }

  private forget(nowMs: number): void {
    for (const [key, { seenAtMs, identity, sources }] of this.known) {
      const isGone =
        nowMs - seenAtMs > (identity.mig === undefined ? this.options.forgetAfterMs : this.options.mostGapMs);
      if (!isGone) continue;
      this.known.delete(key);
      for (const source of sources) this.silence.forget(source, key);
    }
  }
}

function keyOf({ uuid, mig }: DeviceReading): string {
  return mig === undefined ? uuid : `${uuid}/${mig.instance}`;
}

/** An instance's reading under the names of instances; its key stands in for the UUID where values are watched. */
function ofInstance(reading: DeviceReading): DeviceReading {
  const measures = reading.measures.flatMap((measure): Measure[] => {
    const metric = migMetric(measure.metric);
    if (metric === undefined || (measure.kind !== 'gauge' && measure.kind !== 'counter')) return [];
    return [{ ...measure, metric }];
  });
  return { ...reading, uuid: keyOf(reading), measures };
}

function mergeIdentity(known: Known['identity'], reading: DeviceReading): Known['identity'] {
  return {
    uuid: known.uuid,
    gpu: known.gpu ?? reading.gpu,
    name: known.name ?? reading.name,
    pciBusId: known.pciBusId ?? reading.pciBusId,
    mig: reading.mig && {
      ...reading.mig,
      profile: known.mig?.profile ?? reading.mig.profile,
      uuid: known.mig?.uuid ?? reading.mig.uuid,
    },
  };
}

/** How well readings know a metric; 0 for not at all. */
function qualityOf(measures: readonly Measure[], metric: string): number {
  let quality = 0;
  for (const measure of measures) {
    if (measure.metric !== metric) continue;
    switch (measure.kind) {
      case 'gauge':
      case 'last_xid':
      case 'reasons':
      case 'rate':
        quality = Math.max(quality, 1);
        break;
      case 'xid_window':
      case 'counter':
        quality = Math.max(quality, 2);
        break;
      case 'xid_events':
        quality = Math.max(quality, 3);
        break;
    }
  }
  return quality;
}
