import { THROTTLE_REASONS } from '../../generated/conventions.ts';
import { type DeviceReading, type DeviceState, type Measure, normalizePciBusId, scaled, toNumber } from '../reading.ts';

/** A value that is asked for, under every name that drivers have had for it, the newest first. */
interface WantedField {
  readonly names: readonly string[];
  /** Fields that came to drivers together; where one isn't known the others aren't tried. */
  readonly group?: string;
  readonly measure?: (text: string) => Measure | undefined;
}

const IDENTITY = ['uuid', 'index', 'pci.bus_id', 'name', 'driver_version'] as const;

const WANTED: readonly WantedField[] = [
  ...IDENTITY.map((name) => ({ names: [name] })),
  gaugeField('gpu_memory_total_bytes', 1048576, 'memory.total'),
  gaugeField('gpu_memory_used_bytes', 1048576, 'memory.used'),
  gaugeField('gpu_memory_reserved_bytes', 1048576, 'memory.reserved'),
  gaugeField('gpu_utilization_ratio', 0.01, 'utilization.gpu'),
  gaugeField('gpu_memory_busy_ratio', 0.01, 'utilization.memory'),
  gaugeField('gpu_temperature_celsius', 1, 'temperature.gpu'),
  gaugeField('gpu_memory_temperature_celsius', 1, 'temperature.memory'),
  gaugeField('gpu_power_watts', 1, 'power.draw'),
  gaugeField('gpu_power_limit_watts', 1, 'enforced.power.limit', 'power.limit'),
  gaugeField('gpu_clock_hertz', 1e6, 'clocks.sm'),
  gaugeField('gpu_memory_clock_hertz', 1e6, 'clocks.mem'),
  {
    names: ['clocks_event_reasons.active', 'clocks_throttle_reasons.active'],
    measure: (text) =>
      /^0x[0-9a-f]{1,16}$/i.test(text)
        ? { kind: 'reasons', metric: 'gpu_throttle_seconds_total', mask: BigInt(text) }
        : undefined,
  },
  reasonField('sw_power_cap', 'sw_power_cap'),
  reasonField('sync_boost', 'sync_boost'),
  reasonField('sw_thermal', 'sw_thermal_slowdown'),
  reasonField('hw_thermal', 'hw_thermal_slowdown'),
  reasonField('hw_power_brake', 'hw_power_brake_slowdown'),
  eccField('corrected'),
  eccField('uncorrected'),
];

function gaugeField(metric: string, factor: number, ...names: string[]): WantedField {
  return {
    names,
    measure: (text) => {
      const value = toNumber(text);
      return value === undefined ? undefined : { kind: 'gauge', metric, value: scaled(value, factor) };
    },
  };
}

/** The time that a reason held since the driver was loaded, in µs; drivers from about 570 on have it. */
function reasonField(reason: string, name: string): WantedField {
  if (!THROTTLE_REASONS.some((known) => known.reason === reason)) throw new Error(`BUG: no throttle reason ${reason}`);
  return counterField(
    'gpu_throttle_seconds_total',
    { reason },
    1e-6,
    `clocks_event_reasons_counters.${name}`,
    'reasons',
  );
}

function eccField(kind: string): WantedField {
  return counterField('gpu_ecc_errors_total', { kind }, 1, `ecc.errors.${kind}.volatile.total`, 'ecc');
}

function counterField(
  metric: string,
  labels: Readonly<Record<string, string>>,
  factor: number,
  name: string,
  group: string,
): WantedField {
  return {
    names: [name],
    group,
    measure: (text) => {
      const value = toNumber(text);
      return value === undefined ? undefined : { kind: 'counter', metric, labels, value: scaled(value, factor) };
    },
  };
}

/** A field as it is asked for now: an entry of the wanted ones, and which of its names. */
interface ChosenField {
  readonly wanted: WantedField;
  readonly name: string;
}

/**
 * Which fields this driver's `nvidia-smi` knows. A query with one unknown field gives nothing at all, so a field that is
 * refused is asked for under its older name, or no more.
 */
export class SmiQuery {
  private chosen: readonly ChosenField[] = WANTED.map((wanted) => ({ wanted, name: wanted.names[0] }));

  /** The arguments of `nvidia-smi`. */
  args(): string[] {
    return [`--query-gpu=${this.chosen.map(({ name }) => name).join(',')}`, '--format=csv,noheader,nounits'];
  }

  /**
   * Gives up the field that an output says isn't valid.
   *
   * @returns Whether there was one, so that asking again makes sense.
   */
  giveUp(output: string): boolean {
    const refused = /Field "([^"]{1,100})" is not a valid field to query/.exec(output)?.[1];
    const at = this.chosen.findIndex(({ name }) => name === refused);
    if (at < 0 || at < IDENTITY.length) return false;
    const { wanted, name } = this.chosen[at];
    const next = wanted.names[wanted.names.indexOf(name) + 1];
    this.chosen =
      next === undefined
        ? this.chosen.filter((field, i) => i !== at && (!wanted.group || field.wanted.group !== wanted.group))
        : this.chosen.map((field, i) => (i === at ? { wanted, name: next } : field));
    return true;
  }

  /** Reads the lines of an answer; a line with another number of cells is no GPU's. */
  read(output: string): { devices: DeviceReading[]; driverVersion?: string } {
    const devices: DeviceReading[] = [];
    let driverVersion: string | undefined;
    for (const line of output.split('\n')) {
      const cells = line.split(',').map((cell) => cell.trim());
      if (cells.length !== this.chosen.length || !/^GPU-/.test(cells[0])) continue;
      const [uuid, gpu, bus, name, driver] = cells;
      driverVersion ??= known(driver);
      const measures = this.chosen.flatMap(({ wanted }, i) => wanted.measure?.(cells[i]) ?? []);
      const pciBusId = known(bus);
      devices.push({
        uuid,
        gpu: known(gpu),
        pciBusId: pciBusId === undefined ? undefined : normalizePciBusId(pciBusId),
        name: known(name),
        state: stateOf(line),
        measures,
      });
    }
    return { devices, driverVersion };
  }
}

/** A text that isn't one of the words for "no value". */
function known(text: string | undefined): string | undefined {
  return text === undefined || text === '' || /^\[.*\]$|^N\/A$|^ERR!$/i.test(text) ? undefined : text;
}

/** What a text says of a GPU that doesn't answer. */
export function stateOf(text: string): DeviceState {
  if (/GPU is lost/i.test(text)) return 'lost';
  return /requires reset|reset required/i.test(text) ? 'reset_required' : 'ok';
}

/** The GPUs that an output names as unreachable, by PCI address. */
export function lostGpus(output: string): { pciBusId: string; state: DeviceState }[] {
  const pattern = /Unable to determine the device handle for GPU\s*([0-9a-f:.]+):([^\n]*)/gi;
  return [...output.matchAll(pattern)].map(([, bus, rest]) => {
    const state = stateOf(rest);
    return { pciBusId: normalizePciBusId(bus), state: state === 'ok' ? 'lost' : state };
  });
}
