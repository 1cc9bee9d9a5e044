/** A GPU type as its maker's data sheet describes it, and how it behaves under heat. */
export interface GpuType {
  /** The product name as NVML tells it. */
  readonly name: string;
  /** Bytes of device memory that a process can see. */
  readonly memoryBytes: number;
  /** Bytes that driver and firmware keep. */
  readonly reservedBytes: number;
  /** Bytes a second between memory and chip. */
  readonly memoryBytesPerSecond: number;
  /** Dense operations a second of the tensor cores, by the width of a weight in bytes (2: BF16, 1: FP8). */
  readonly flopsByWeightBytes: Readonly<Record<1 | 2, number>>;
  readonly powerLimitWatts: number;
  readonly idleWatts: number;
  readonly smClockMaxHertz: number;
  readonly memoryClockHertz: number;
  /** Where the driver begins to lower clocks. */
  readonly maxOperatingCelsius: number;
  /** Where the hardware itself halves them. */
  readonly slowdownCelsius: number;
  /** Kelvin that the chip is warmer than the air for each watt, with its cooling in order. */
  readonly kelvinPerWatt: number;
  /** Seconds in which a change of temperature is 63 % done. */
  readonly thermalSeconds: number;
}

// Memory, bandwidth, tensor throughput without sparsity and power limits: NVIDIA's data sheets of H100 SXM5 (2023) and
// L40S (2023). Temperatures are typical of `nvidia-smi -q -d TEMPERATURE`; the thermal resistance is chosen so that the
// board holds about 60 °C while it decodes in air of 27 °C.
export const H100: GpuType = {
  name: 'NVIDIA H100 80GB HBM3',
  memoryBytes: 81_559 * 1_048_576,
  reservedBytes: 585 * 1_048_576,
  memoryBytesPerSecond: 3.35e12,
  flopsByWeightBytes: { 1: 1979e12, 2: 989e12 },
  powerLimitWatts: 700,
  idleWatts: 72,
  smClockMaxHertz: 1980e6,
  memoryClockHertz: 2619e6,
  maxOperatingCelsius: 85,
  slowdownCelsius: 89,
  kelvinPerWatt: 0.073,
  thermalSeconds: 40,
};

export const L40S: GpuType = {
  name: 'NVIDIA L40S',
  memoryBytes: 46_068 * 1_048_576,
  reservedBytes: 608 * 1_048_576,
  memoryBytesPerSecond: 864e9,
  flopsByWeightBytes: { 1: 733e12, 2: 362e12 },
  powerLimitWatts: 350,
  idleWatts: 36,
  smClockMaxHertz: 2520e6,
  memoryClockHertz: 9001e6,
  maxOperatingCelsius: 88,
  slowdownCelsius: 92,
  kelvinPerWatt: 0.15,
  thermalSeconds: 35,
};

/** A language model by the sizes that decide what it costs to run. */
export interface ModelSize {
  readonly parameters: number;
  readonly layers: number;
  readonly hiddenSize: number;
  readonly keyValueHeads: number;
  readonly headSize: number;
  /** Bytes of a weight: 2 for BF16, 1 for FP8. */
  readonly weightBytes: 1 | 2;
}

/** The shape of Llama 3.3 70B, in BF16. */
export const SIZE_70B: ModelSize = {
  parameters: 70.6e9,
  layers: 80,
  hiddenSize: 8192,
  keyValueHeads: 8,
  headSize: 128,
  weightBytes: 2,
};

/** The shape of Qwen 3 14B, in FP8. */
export const SIZE_14B: ModelSize = {
  parameters: 14.8e9,
  layers: 40,
  hiddenSize: 5120,
  keyValueHeads: 8,
  headSize: 128,
  weightBytes: 1,
};
