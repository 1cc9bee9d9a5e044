import { ExporterError } from '../../error.ts';
import type { Target } from '../target.ts';
import type { Discovery, DiscoveryKind } from './discovery.ts';

/** Finds the targets of several discoveries again and again, and tells them all together. */
export class Discoverer {
  readonly #discoveries: readonly Discovery[];
  readonly #intervalMs: number;
  readonly #onTargets: (targets: readonly Target[]) => void;
  readonly #onFailure: (kind: DiscoveryKind, message: string) => void;
  readonly #found = new Map<Discovery, readonly Target[]>();
  readonly #failed = new Map<Discovery, string>();
  readonly #unwatch: (() => void)[] = [];
  #timer: NodeJS.Timeout | undefined;
  #finding: Promise<void> = Promise.resolve();

  /** @param onFailure told once as long as a discovery fails in the same way; its last targets stay in force. */
  constructor(
    discoveries: readonly Discovery[],
    intervalMs: number,
    onTargets: (targets: readonly Target[]) => void,
    onFailure: (kind: DiscoveryKind, message: string) => void,
  ) {
    this.#discoveries = discoveries;
    this.#intervalMs = intervalMs;
    this.#onTargets = onTargets;
    this.#onFailure = onFailure;
  }

  /** Finds once; settles when all have answered. */
  find(): Promise<void> {
    this.#finding = this.#finding.then(async () => {
      await Promise.all(this.#discoveries.map((discovery) => this.#ask(discovery)));
      this.#onTargets(this.#discoveries.flatMap((discovery) => this.#found.get(discovery) ?? []));
    });
    return this.#finding;
  }

  /** Goes on finding until `close`. */
  start(): void {
    this.#timer = setInterval(() => void this.find(), this.#intervalMs);
    for (const discovery of this.#discoveries) {
      const unwatch = discovery.watch?.(() => void this.find());
      if (unwatch) this.#unwatch.push(unwatch);
    }
  }

  close(): void {
    clearInterval(this.#timer);
    for (const unwatch of this.#unwatch) unwatch();
  }

  async #ask(discovery: Discovery): Promise<void> {
    try {
      this.#found.set(discovery, await discovery.find());
      this.#failed.delete(discovery);
    } catch (error) {
      const message = error instanceof ExporterError ? error.message : `an error (${(error as Error).name})`;
      if (this.#failed.get(discovery) !== message) this.#onFailure(discovery.kind, message);
      this.#failed.set(discovery, message);
    }
  }
}
