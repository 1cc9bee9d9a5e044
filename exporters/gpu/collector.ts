import { ExporterError } from '../error.ts';
import type { Family } from '../exposition/index.ts';
import { FLEET_DEFAULTS, type FleetOptions, GpuFleet } from './fleet.ts';
import { GPU_CONTRACT_METRICS, NVIDIA_ONLY } from './metrics.ts';
import type { Source, SourceName } from './reading.ts';
import { type SourceStatus, toFamilies } from './snapshot.ts';
import { joinWorkloads, type Workload } from './workload/join.ts';
import { listPodDevices, type PodDevices } from './workload/pod-resources.ts';
import { type ProcessIdentity, ProcReader } from './workload/proc.ts';

/** A source with how it is asked. */
export interface ScheduledSource {
  readonly source: Source;
  readonly intervalMs: number;
  /** How long a poll may take; afterwards it has failed. */
  readonly timeoutMs: number;
  /**
   * Found by itself and not asked for by name: while it has never answered it isn't reported as down, and it is asked
   * again once a minute only.
   */
  readonly isOptional: boolean;
  /** Not asked while this other source answers, because it says the same at a higher price. */
  readonly standbyFor?: SourceName;
}

/** What a collector collects, and how. */
export interface CollectorOptions {
  readonly sources: readonly ScheduledSource[];
  readonly node: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly version: string;
  /** The deployment of workloads that nothing else names. */
  readonly deployment?: string;
  /** The kubelet's socket; `undefined` doesn't ask it. */
  readonly podResourcesSocket?: string;
  /** `/proc`, or `undefined` to look at no process. */
  readonly procRoot?: string;
  readonly fleet?: Partial<FleetOptions>;
  /** Says what an operator should know; at most a line when something changes. */
  readonly log: (line: string) => void;
  /** The monotonic clock, in ms. */
  readonly now?: () => number;
}

interface Running {
  readonly scheduled: ScheduledSource;
  readonly failures: Map<string, number>;
  isPolling: boolean;
  hasAnswered: boolean;
  isUp: boolean | undefined;
  pollSeconds?: number;
  lastError?: string;
  timer?: NodeJS.Timeout;
}

const OPTIONAL_RETRY_MS = 60_000;
/** How long a metric may pause, as NVML's averages do when its process starts anew, until it is reported as missing. */
const MISSING_AFTER_MS = 30_000;
const PODS_EVERY_MS = 10_000;
const WORKLOADS_TIMEOUT_MS = 5_000;
const MOST_WORKLOADS = 2048;
const MOST_PROCESSES = 1024;

/** Asks sources, each at its own pace, and keeps what they said. A reading never waits for a source. */
export class Collector {
  private readonly options: CollectorOptions;
  private readonly fleet: GpuFleet;
  private readonly running: readonly Running[];
  private readonly now: () => number;
  private readonly proc: ProcReader | undefined;
  private readonly startedUnixMs = Date.now();
  private workloads: readonly Workload[] = [];
  private workloadTimer: NodeJS.Timeout | undefined;
  private podDevices: readonly PodDevices[] = [];
  private hasToldPodResources = false;
  private isJoining = false;
  private readonly startedMs: number;
  private readonly givenAtMs = new Map<string, number>();
  private readonly toldMissing = new Set<string>();
  private tellTimer: NodeJS.Timeout | undefined;
  private isClosed = false;
  private otlp: { sent: number; failed: number } | undefined;

  constructor(options: CollectorOptions) {
    this.options = options;
    this.now = options.now ?? (() => performance.now());
    this.startedMs = this.now();
    this.fleet = new GpuFleet({ ...FLEET_DEFAULTS, ...options.fleet });
    this.running = options.sources.map((scheduled) => ({
      scheduled,
      failures: new Map(),
      isPolling: false,
      hasAnswered: false,
      isUp: undefined,
    }));
    this.proc = options.procRoot === undefined ? undefined : new ProcReader(options.procRoot, this.now);
  }

  /** Asks every source once and waits for all of them, at most as long as their timeouts. */
  async pollOnce(): Promise<void> {
    const [standbys, others] = [true, false].map((stands) =>
      this.running.filter(({ scheduled }) => (scheduled.standbyFor !== undefined) === stands),
    );
    await Promise.all(others.map((running) => this.poll(running)));
    // Whether they are needed is known now.
    await Promise.all(standbys.map((running) => this.poll(running)));
    await this.refreshWorkloads();
  }

  /** Asks everything once, says what is missing, and goes on by intervals until it is closed. */
  async start(): Promise<void> {
    await this.pollOnce();
    this.tellSources();
    this.tellMissing();
    // Averages of the hardware need two polls, so what else is missing is known later.
    this.tellTimer = setTimeout(() => this.tellMissing(), MISSING_AFTER_MS + 1000);
    this.tellTimer.unref();
    for (const running of this.running) this.schedule(running);
    this.scheduleWorkloads();
  }

  /** Everything that is known now, of sources that answered lately. */
  families(): Family[] {
    const nowMs = this.now();
    return toFamilies({
      devices: this.fleet.view(nowMs),
      workloads: this.workloads,
      silent: this.fleet.silent(),
      missing: this.missingNow(nowMs),
      sources: this.statuses(),
      drivers: this.fleet.driverVersions(nowMs),
      dropped: this.fleet.droppedCount(),
      otlp: this.otlp,
      node: this.options.node,
      labels: this.options.labels,
      version: this.options.version,
      startedUnixMs: this.startedUnixMs,
    });
  }

  /** Whether any source answers. */
  isReady(): boolean {
    return this.running.some(({ scheduled }) => this.fleet.isFresh(scheduled.source.name, this.now()));
  }

  /** Each source with its last error, and what the contract wants and nobody gives. */
  report(): {
    sources: { source: string; state: string; error?: string }[];
    missing: { metric: string; why: string; fix: string }[];
  } {
    const { given, missing } = this.fleet.coverage(this.now());
    return {
      sources: this.running.map((running) => ({
        source: running.scheduled.source.name,
        state: this.stateOf(running),
        error: running.isUp === true ? undefined : running.lastError,
      })),
      missing: this.wanted()
        .filter((metric) => !given.has(metric))
        .map((metric) => ({
          metric,
          ...(missing.get(metric) ?? {
            why: 'no source that answers gives it',
            fix: 'see barograph-gpu-exporter --help',
          }),
        })),
    };
  }

  /** Counts a request that sent metrics. */
  countOtlp(outcome: 'sent' | 'failed'): void {
    this.otlp ??= { sent: 0, failed: 0 };
    this.otlp[outcome]++;
  }

  /** Ends all polling. */
  close(): void {
    this.isClosed = true;
    clearTimeout(this.workloadTimer);
    clearTimeout(this.tellTimer);
    for (const { timer, scheduled } of this.running) {
      clearTimeout(timer);
      scheduled.source.close();
    }
  }

  /** What the contract wants of these GPUs: of a machine with AMD's only, nothing that only NVIDIA has. */
  private wanted(): readonly string[] {
    const answering = this.running.filter(({ hasAnswered }) => hasAnswered);
    const isAmdOnly =
      answering.length > 0 && answering.every(({ scheduled }) => scheduled.source.name.startsWith('amd'));
    return isAmdOnly ? GPU_CONTRACT_METRICS.filter((metric) => !NVIDIA_ONLY.has(metric)) : GPU_CONTRACT_METRICS;
  }

  /** What the contract wants and no source gives: for certain where a source says so, otherwise after a while. */
  private missingNow(nowMs: number): string[] {
    const { given, missing } = this.fleet.coverage(nowMs);
    for (const metric of given) this.givenAtMs.set(metric, nowMs);
    return this.wanted().filter((metric) => {
      if (given.has(metric)) return false;
      const pausedMs = nowMs - (this.givenAtMs.get(metric) ?? this.startedMs);
      return missing.has(metric) || pausedMs > MISSING_AFTER_MS;
    });
  }

  private stateOf(running: Running): string {
    if (this.isStandby(running.scheduled)) return `standby for ${running.scheduled.standbyFor}`;
    if (running.isUp === true) return 'up';
    return running.scheduled.isOptional && !running.hasAnswered ? 'not found' : 'down';
  }

  private isStandby({ standbyFor }: ScheduledSource): boolean {
    return standbyFor !== undefined && this.fleet.isFresh(standbyFor, this.now());
  }

  private schedule(running: Running): void {
    const { intervalMs, isOptional } = running.scheduled;
    const isAbsent = isOptional && !running.hasAnswered;
    running.timer = setTimeout(
      () => {
        void this.poll(running).then(() => {
          if (!this.isClosed) this.schedule(running);
        });
      },
      isAbsent ? Math.max(intervalMs, OPTIONAL_RETRY_MS) : intervalMs,
    );
    running.timer.unref();
  }

  private async poll(running: Running): Promise<void> {
    const { source, timeoutMs, intervalMs } = running.scheduled;
    if (running.isPolling || this.isClosed || this.isStandby(running.scheduled)) return;
    running.isPolling = true;
    const startedMs = this.now();
    try {
      const report = await withTimeout(source, timeoutMs);
      // Two polls may fail before what was read last isn't taken for the present any more.
      const freshForMs = 3 * intervalMs + timeoutMs;
      this.fleet.accept(source.name, report, freshForMs, this.now(), Date.now());
      if (running.isUp !== true) this.options.log(`${source.name}: reads ${countGpus(report.devices)}`);
      running.isUp = true;
      running.hasAnswered = true;
      // A process that is gone must not hold memory until the kubelet is asked again.
      await this.joinWorkloads();
    } catch (error) {
      const code = error instanceof ExporterError ? error.code : 'failed';
      running.lastError = (error as Error).message;
      running.failures.set(code, (running.failures.get(code) ?? 0) + 1);
      const isQuiet = running.scheduled.isOptional && !running.hasAnswered;
      if (running.isUp !== false && !isQuiet && !this.isClosed) this.options.log(running.lastError);
      running.isUp = false;
    } finally {
      running.pollSeconds = (this.now() - startedMs) / 1000;
      running.isPolling = false;
    }
  }

  private statuses(): SourceStatus[] {
    return this.running
      .filter((running) => !(running.scheduled.isOptional && !running.hasAnswered) && running.isUp !== undefined)
      .map((running) => ({
        source: running.scheduled.source.name,
        isUp: running.isUp === true,
        pollSeconds: running.pollSeconds,
        failures: running.failures,
        sinceMs: this.startedUnixMs,
      }));
  }

  private tellSources(): void {
    const { log } = this.options;
    const { sources } = this.report();
    if (sources.some(({ state }) => state === 'up')) return;
    log('no source of GPU metrics answers; they are asked again and again');
    for (const { source, error } of sources) log(`  ${source}: ${error ?? 'not asked'}`);
  }

  /** Says once of each metric that it is missing; nothing while no source answers, which was said then. */
  private tellMissing(): void {
    if (!this.isReady()) return;
    const now = new Set<string>(this.missingNow(this.now()));
    const byAdvice = new Map<string, string[]>();
    for (const { metric, why, fix } of this.report().missing) {
      if (!now.has(metric) || this.toldMissing.has(metric)) continue;
      this.toldMissing.add(metric);
      byAdvice.set(`${why}; ${fix}`, [...(byAdvice.get(`${why}; ${fix}`) ?? []), metric]);
    }
    for (const [advice, metrics] of byAdvice) this.options.log(`missing: ${metrics.join(', ')}: ${advice}`);
  }

  private scheduleWorkloads(): void {
    this.workloadTimer = setTimeout(() => {
      void this.refreshWorkloads().then(() => {
        if (!this.isClosed) this.scheduleWorkloads();
      });
    }, PODS_EVERY_MS);
    this.workloadTimer.unref();
  }

  /** Who uses GPUs comes second to what they do, so nothing that goes wrong here ends anything. */
  private async refreshWorkloads(): Promise<void> {
    await this.refreshPodDevices();
    await this.joinWorkloads();
  }

  private async joinWorkloads(): Promise<void> {
    if (this.isJoining) return;
    this.isJoining = true;
    try {
      await this.joinNow();
    } catch (error) {
      this.workloads = [];
      this.options.log(`workloads: ${(error as Error).message}`);
    } finally {
      this.isJoining = false;
    }
  }

  private async joinNow(): Promise<void> {
    const devices = this.fleet.view(this.now());
    const identities = new Map<number, ProcessIdentity>();
    const pids = new Set(devices.flatMap(({ processes }) => processes.map(({ pid }) => pid)));
    for (const pid of [...pids].slice(0, MOST_PROCESSES)) {
      const identity = await this.proc?.identify(pid);
      if (identity) identities.set(pid, identity);
    }
    const { deployment } = this.options;
    const joined = joinWorkloads({ devices, identities, podDevices: this.podDevices, deployment });
    this.workloads = joined.slice(0, MOST_WORKLOADS);
  }

  private async refreshPodDevices(): Promise<void> {
    const { podResourcesSocket, log } = this.options;
    if (podResourcesSocket === undefined) return;
    try {
      this.podDevices = await listPodDevices(podResourcesSocket, AbortSignal.timeout(WORKLOADS_TIMEOUT_MS));
      this.hasToldPodResources = false;
    } catch (error) {
      this.podDevices = [];
      const isAbsent = error instanceof ExporterError && error.code === 'unreachable';
      // Most machines have no kubelet, which is nothing to tell.
      if (!isAbsent && !this.hasToldPodResources) log((error as Error).message);
      this.hasToldPodResources = true;
    }
  }
}

function countGpus(devices: readonly { readonly mig?: object }[]): string {
  const gpus = devices.filter(({ mig }) => mig === undefined).length;
  const instances = devices.length - gpus;
  const text = `${gpus} GPU${gpus === 1 ? '' : 's'}`;
  return instances === 0 ? text : `${text} and ${instances} MIG instance${instances === 1 ? '' : 's'}`;
}

/** A source is told to stop after its time, and isn't waited for where it doesn't. */
async function withTimeout(source: Source, timeoutMs: number): Promise<Awaited<ReturnType<Source['poll']>>> {
  const abort = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      abort.abort();
      const error = { code: 'timeout', where: source.name, got: `no answer in ${timeoutMs} ms` } as const;
      // The source's own error says more, and comes first where it comes.
      setTimeout(() => reject(new ExporterError(error)), 50);
    }, timeoutMs);
  });
  try {
    return await Promise.race([source.poll(abort.signal), late]);
  } finally {
    clearTimeout(timer);
    late.catch(() => undefined);
  }
}
