import type { GpuType } from './hardware.ts';

/** Bits of DCGM_FI_DEV_CLOCKS_EVENT_REASONS that the model can set. */
export const REASON_IDLE = 0x1;
export const REASON_SW_POWER_CAP = 0x4;
export const REASON_HW_SLOWDOWN = 0x8;
export const REASON_SW_THERMAL = 0x20;
export const REASON_HW_THERMAL = 0x40;

/** What an engine asks of one of its GPUs in a second, as shares of that second and of the data sheet. */
export interface GpuLoad {
  /** Share of time in which a kernel ran, 0 to 1. */
  readonly busy: number;
  /** Share of the tensor cores' peak at full clocks, 0 to 1. */
  readonly tensor: number;
  /** Share of the memory's bandwidth, 0 to 1. */
  readonly dram: number;
  /** Share of the full batch that the engine has, 0 to 1: more sequences mean more resident warps. */
  readonly batch: number;
}

/** What surrounds a GPU and can go wrong. */
export interface GpuSurroundings {
  /** Temperature of the air or water that cools it, °C. */
  inletCelsius: number;
  /** How many times worse than designed its cooling is, ≥ 1. */
  coolingFactor: number;
  /** Watts, where somebody lowered the limit. */
  powerLimitWatts: number;
  /** Share of time that another process's kernels take, 0 to below 1: the driver slices time between processes. */
  otherBusy: number;
}

const LOWEST_CLOCK = 0.25;
/** Power falls faster than clocks, because voltage falls with them. */
const POWER_EXPONENT = 2.2;

/**
 * One GPU: power follows load and clocks, temperature follows power with a first-order lag, and clocks fall when the
 * power limit or a temperature is reached, which the driver reports as reasons and counts as violations.
 */
export class Gpu {
  readonly type: GpuType;
  readonly uuid: string;
  /** Index on its node. */
  readonly index: number;
  readonly surroundings: GpuSurroundings;
  temperatureCelsius: number;
  powerWatts: number;
  /** Share of full SM clocks, above 0 to 1. */
  clock = 1;
  /** Bits of the clock event reasons that hold now. */
  reasons = REASON_IDLE;
  energyJoules = 0;
  powerViolationNs = 0;
  thermalViolationNs = 0;
  busyRatio = 0;
  smActiveRatio = 0;
  smOccupancyRatio = 0;
  tensorActiveRatio = 0;
  dramActiveRatio = 0;
  /** Bytes that processes hold, without what the driver reserves. */
  usedBytes = 0;
  /** The number of the last Xid error, 0 for none. */
  lastXid = 0;
  eccDoubleBitErrors = 0;
  remappedRows = 0;
  nvlinkBytes = 0;
  pcieTransmitBytesPerSecond = 0;
  pcieReceiveBytesPerSecond = 0;
  #thermalClock = 1;

  constructor(type: GpuType, uuid: string, index: number, inletCelsius: number) {
    this.type = type;
    this.uuid = uuid;
    this.index = index;
    this.surroundings = { inletCelsius, coolingFactor: 1, powerLimitWatts: type.powerLimitWatts, otherBusy: 0 };
    this.powerWatts = type.idleWatts;
    this.temperatureCelsius = inletCelsius + type.idleWatts * type.kelvinPerWatt;
  }

  /** Moves on by some seconds under a load; at most a second at a time, or the controllers overshoot. */
  tick(own: GpuLoad, seconds: number): void {
    const load = withOther(own, this.surroundings.otherBusy);
    this.busyRatio = load.busy;
    this.tensorActiveRatio = Math.min(1, load.tensor / this.clock);
    this.dramActiveRatio = load.dram;
    // Decoding leaves most SMs waiting for memory; multiplying whole prompts fills them.
    this.smActiveRatio = Math.min(1, load.busy * (0.32 + 0.3 * load.dram + 0.9 * load.tensor + 0.15 * load.batch));
    this.smOccupancyRatio = Math.min(0.75, this.smActiveRatio * (0.22 + 0.25 * load.batch + 0.3 * load.tensor));
    this.#setClock(load);
    this.#heat(seconds);
    this.energyJoules += this.powerWatts * seconds;
    const ns = seconds * 1e9;
    if (this.reasons & REASON_SW_POWER_CAP) this.powerViolationNs += ns * (1 - this.clock);
    if (this.reasons & (REASON_SW_THERMAL | REASON_HW_THERMAL)) this.thermalViolationNs += ns;
  }

  /** Share of full speed that is left to its engine, above 0 to 1: by the clocks, and by whoever else computes here. */
  get speed(): number {
    return this.clock * (1 - this.surroundings.otherBusy);
  }

  #setClock(load: GpuLoad): void {
    const { type, surroundings } = this;
    const demand = Math.min(1.15, 0.28 * load.busy + 0.38 * load.dram + 0.85 * load.tensor);
    const dynamicWatts = (type.powerLimitWatts - type.idleWatts) * demand;
    const allowedWatts = Math.max(1, surroundings.powerLimitWatts - type.idleWatts);
    const powerClock = dynamicWatts > allowedWatts ? (allowedWatts / dynamicWatts) ** (1 / POWER_EXPONENT) : 1;
    const overCelsius = this.temperatureCelsius - type.maxOperatingCelsius;
    this.#thermalClock += overCelsius > 0 ? -0.015 * Math.min(4, overCelsius) : 0.01;
    this.#thermalClock = Math.min(1, Math.max(LOWEST_CLOCK, this.#thermalClock));
    const tooHot = this.temperatureCelsius >= type.slowdownCelsius;
    this.clock = Math.max(LOWEST_CLOCK, Math.min(powerClock, this.#thermalClock, tooHot ? 0.5 : 1));
    this.reasons = 0;
    if (load.busy === 0) this.reasons |= REASON_IDLE;
    if (powerClock < 1 && powerClock <= this.#thermalClock) this.reasons |= REASON_SW_POWER_CAP;
    if (this.#thermalClock < 1) this.reasons |= REASON_SW_THERMAL;
    if (tooHot) this.reasons |= REASON_HW_SLOWDOWN | REASON_HW_THERMAL;
    this.powerWatts = type.idleWatts + dynamicWatts * this.clock ** POWER_EXPONENT;
  }

  #heat(seconds: number): void {
    const { type, surroundings } = this;
    const resistance = type.kelvinPerWatt * surroundings.coolingFactor;
    const target = surroundings.inletCelsius + this.powerWatts * resistance;
    this.temperatureCelsius += (target - this.temperatureCelsius) * (1 - Math.exp(-seconds / type.thermalSeconds));
  }
}

/** How much of the tensor cores' peak a training step reaches while it runs. */
const TRAINING_TENSOR = 0.35;

/** An engine's load together with that of a training process. */
function withOther(own: GpuLoad, otherBusy: number): GpuLoad {
  if (otherBusy === 0) return own;
  const busy = 1 - (1 - own.busy) * (1 - otherBusy);
  return { ...own, busy, tensor: Math.min(1, own.tensor + TRAINING_TENSOR * otherBusy) };
}
