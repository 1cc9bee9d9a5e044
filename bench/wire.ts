// How fast bytes become batches, on one core: `node bench/wire.ts`. Prints one line a case.
import { labelsFromRecord } from '../server/model/index.ts';
import {
  decodeWriteRequest,
  encodeWriteRequest,
  inflate,
  parseSeriesLabels,
  snappyCompress,
  WriteRequestBatch,
} from '../server/wire/index.ts';

const SERIES = 2000;
const SECONDS_PER_CASE = 1;

/** Runs `once` for about a second after a warm-up and prints how many `unit`s it did per second. */
function measure(name: string, unit: string, unitsPerRun: number, once: () => void): void {
  for (let i = 0; i < 30; i++) once();
  const start = performance.now();
  let runs = 0;
  while (performance.now() - start < SECONDS_PER_CASE * 1000) {
    once();
    runs++;
  }
  const seconds = (performance.now() - start) / 1000;
  const rate = (runs * unitsPerRun) / seconds;
  console.log(`${name.padEnd(46)} ${(rate / 1e6).toFixed(2).padStart(9)} M ${unit}/s`);
}

function fleetLabels(i: number): readonly string[] {
  return labelsFromRecord({
    __name__: 'inference_ttft_seconds_bucket',
    deployment: `dep-${i % 40}`,
    gpu_type: ['H100', 'H200', 'A100', 'L40S'][i % 4],
    instance: `node-${Math.floor(i / 97) % 200}:9400`,
    le: String(i % 11),
    model_version: `llm-${i % 12}-70b-v${i % 3}`,
    region: ['eu-west', 'us-east', 'ap-south'][i % 3],
    replica: String(i),
  });
}

function writeRequest(samplesPerSeries: number): Uint8Array {
  const count = SERIES * samplesPerSeries;
  return encodeWriteRequest({
    series: Array.from({ length: SERIES }, (_, i) => fleetLabels(i)),
    sampleSeries: Uint32Array.from({ length: count }, (_, i) => i % SERIES),
    sampleTimestampMs: Float64Array.from(
      { length: count },
      (_, i) => 1_764_000_000_000 + Math.floor(i / SERIES) * 15_000,
    ),
    sampleValue: Float64Array.from({ length: count }, (_, i) => i * 0.37),
  });
}

function benchRemoteWrite(): void {
  const batch = new WriteRequestBatch();
  for (const perSeries of [1, 10]) {
    const body = writeRequest(perSeries);
    const samples = SERIES * perSeries;
    measure(`remote write decode, ${perSeries} sample(s) a series`, 'samples', samples, () =>
      decodeWriteRequest(body, batch),
    );
  }
  const body = writeRequest(1);
  const packed = snappyCompress(body);
  measure('snappy, then decode', 'samples', SERIES, () => decodeWriteRequest(inflate(packed, 'snappy'), batch));
  decodeWriteRequest(body, batch);
  measure('parse labels (8) of a new series', 'series', SERIES, () => {
    for (let i = 0; i < batch.seriesCount; i++) parseSeriesLabels(batch.labelBytes(i));
  });
  const series = Array.from({ length: SERIES }, (_, i) => fleetLabels(i));
  const sampleSeries = Uint32Array.from({ length: SERIES }, (_, i) => i);
  const sampleTimestampMs = new Float64Array(SERIES).fill(1_764_000_000_000);
  const sampleValue = new Float64Array(SERIES).fill(0.5);
  measure('remote write encode', 'samples', SERIES, () => {
    encodeWriteRequest({ series, sampleSeries, sampleTimestampMs, sampleValue });
  });
}

benchRemoteWrite();
