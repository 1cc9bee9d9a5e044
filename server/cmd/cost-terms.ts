import type { Config } from '../config/index.ts';
import type { CostTerms } from '../govern/index.ts';
import type { RetentionSettings, Store } from '../store/index.ts';

const DAY_MS = 86_400_000;
/** Sealed samples from which their bytes are worth a mean. */
const MIN_SEALED = 100_000;
/** Bytes of a sample until then: what the simulated fleet's come to (bench/results/samples.md). */
const USUAL_BYTES_PER_SAMPLE = 1.5;

/** What cost is reckoned with: the sealed blocks' bytes, the days that retention keeps, the configured price. */
export function costTerms(store: Store, { rules }: RetentionSettings, price: Config['cost']): CostTerms {
  const { sealedBytes, sealedSamples } = store.sampleStats();
  const isMeasured = sealedSamples >= MIN_SEALED;
  return {
    bytesPerSample: isMeasured ? sealedBytes / sealedSamples : USUAL_BYTES_PER_SAMPLE,
    isMeasured,
    keptDays: {
      samples: rules.per_model.ageMs / DAY_MS,
      fleetSamples: rules.fleet.ageMs / DAY_MS,
      logs: rules.logs.ageMs / DAY_MS,
      spans: rules.traces.ageMs / DAY_MS,
    },
    price: price && { perGibMonth: price.per_gib_month, currency: price.currency },
  };
}
