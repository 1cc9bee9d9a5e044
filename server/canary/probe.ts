import { BarographError } from '../model/index.ts';
import type { Store } from '../store/index.ts';
import { Hider } from './hide.ts';
import { CANARY_NAME } from './label.ts';
import { drawRoot, findMarkers, needlesOf } from './marker.ts';
import { type Sender, sendPaths } from './paths.ts';
import { drawSeeded, drawUnguessable } from './random.ts';
import type { CanaryFinding, CanaryPath, CanaryReport } from './report.ts';
import { openScrapeTarget } from './scrape-target.ts';
import { searchFilesApart } from './search-process.ts';
import { type Answer, type CanaryTargets, GrpcSender, sendHttp } from './send.ts';

/** What a run needs from the program. */
export interface ProbeParts {
  readonly store: Pick<Store, 'findTexts' | 'deleteDeployment'>;
  /** The data directory. */
  readonly directory: string;
  /** Where the process listens, asked at the start of a run. */
  readonly targets: () => CanaryTargets;
  /** Scrapes a target at `host:port` once, as jobs are scraped, and resolves once it is stored. */
  readonly scrape: (address: string, signal: AbortSignal) => Promise<void>;
  /** Calls back with every line that the program logs, until the function that it returns is called. */
  readonly watchLog: (onLine: (line: string) => void) => () => void;
}

/** Spans, records and metrics of a message. */
const ITEMS = 6;
/** The same series in every run, so that runs add none. */
const HARMLESS_SEED = 1;

/** With such a name a series is refused as a whole, and then nothing else of it is tried. */
const REFUSES_ALL: ReadonlySet<string> = new Set(['metric name', 'metric unit']);

function isHiding(place: string): boolean {
  return !REFUSES_ALL.has(place) || drawUnguessable(3) === 0;
}

/** Series that must be there, by the receivers that are tried. */
const EXPECTED_SERIES = ['canary_queue_length', 'canary_waiting', 'canary_scraped_total'] as const;

/** One run of the canary: sends, searches, and deletes what it sent. */
export class Probe {
  private readonly parts: ProbeParts;
  private readonly signal: AbortSignal;
  private readonly root = drawRoot();
  private readonly control = drawRoot();
  private readonly needles = needlesOf(this.root);
  private readonly hider = new Hider(this.root, drawSeeded(HARMLESS_SEED), isHiding, drawUnguessable);
  private readonly paths: CanaryPath[] = [];
  private readonly findings = new Map<string, CanaryFinding>();
  private answers = 0;
  private readonly startedMs = Date.now();

  constructor(parts: ProbeParts, signal: AbortSignal) {
    this.parts = parts;
    this.signal = signal;
    this.hider.control = this.control;
  }

  /** Never throws: what went wrong is in the report. */
  async run(): Promise<CanaryReport> {
    let logLines = 0;
    const unwatch = this.parts.watchLog((line) => {
      logLines++;
      this.look('log output', Buffer.from(line, 'utf8').toString('latin1'));
    });
    let reason: string | undefined;
    let files = { files: 0, bytes: 0 };
    try {
      await this.sendAll();
      const missing = await this.askBack();
      const unseen = await this.searchTables();
      reason = missing ?? unseen;
      files = await this.searchFiles();
    } catch (error) {
      if (!(error instanceof BarographError) && !this.signal.aborted) throw error;
      reason = this.signal.aborted ? 'the program was stopped' : (error as Error).message;
    } finally {
      unwatch();
      // Whatever came of it, none of it is anybody's telemetry.
      await this.parts.store.deleteDeployment(CANARY_NAME);
    }
    const findings = [...this.findings.values()];
    return {
      result: findings.length > 0 ? 'found' : reason === undefined ? 'clean' : 'failed',
      startedMs: this.startedMs,
      endedMs: Date.now(),
      paths: this.paths,
      findings,
      searched: { ...files, logLines, answers: this.answers },
      reason,
    };
  }

  private async sendAll(): Promise<void> {
    const targets = this.parts.targets();
    const grpc = new GrpcSender(targets);
    try {
      const shape = { items: ITEMS, nowMs: Date.now() };
      const sender: Sender = { targets, grpc, hider: this.hider, shape, signal: this.signal };
      for (const [name, send] of sendPaths()) await this.takePath(name, () => send(sender));
    } finally {
      grpc.close();
    }
    for (const format of ['text', 'openmetrics'] as const) {
      await this.takePath(`scrape_${format}`, async () => {
        const target = await openScrapeTarget(this.hider, format);
        try {
          await this.parts.scrape(target.address, this.signal);
          return [{ kind: 'accepted', status: 200, text: '' }];
        } finally {
          target.close();
        }
      });
    }
  }

  private async takePath(path: string, send: () => Promise<readonly Answer[]>): Promise<void> {
    this.hider.path = path;
    const before = this.hider.places.length;
    const answers = await send();
    for (const { kind, status, text } of answers) {
      if (kind === 'unanswered') throw tooBusy(path, status);
      // Protobuf's answers are bytes, and errors must not quote what was sent.
      this.look(`answer › ${path}`, text);
    }
    this.answers += answers.length;
    this.paths.push({
      path,
      accepted: answers.filter(({ kind }) => kind === 'accepted').length,
      refused: answers.filter(({ kind }) => kind === 'refused').length,
      hidden: this.hider.places.length - before,
    });
  }

  /** Asks the APIs for all that they know of what was sent. @returns What is missing, so that nothing is proved. */
  private async askBack(): Promise<string | undefined> {
    let missing: string | undefined;
    const targets = this.parts.targets();
    const metric = `{deployment="${CANARY_NAME}"}`;
    const startS = String(this.startedMs / 1000 - 3600);
    const routes: readonly (readonly [string, Record<string, string>])[] = [
      ['/metrics', {}],
      ['/api/v1/series', { 'match[]': metric, start: startS }],
      ['/api/v1/labels', { start: startS }],
      ['/api/v1/label/__name__/values', { start: startS }],
      ['/api/v1/metadata', {}],
      ['/api/v1/query_exemplars', { query: metric, start: startS, end: String(Date.now() / 1000) }],
      ['/api/barograph/v1/cardinality', { limit: '1000' }],
      ['/loki/api/v1/query_range', { query: metric, limit: '1000' }],
      ['/loki/api/v1/series', { match: metric }],
      ['/api/search', { q: `{ resource.service.name = "${CANARY_NAME}" }`, limit: '100' }],
      ['/api/v2/search/tags', {}],
    ];
    for (const [route, parameters] of routes) {
      const address = `${targets.url}${route}?${new URLSearchParams(parameters)}`;
      const { text } = await sendHttp(targets, address, { method: 'GET' }, this.signal);
      this.answers++;
      this.look(route === '/metrics' ? 'own metrics' : `answer › ${route}`, text);
      if (route === '/api/v1/series') missing = EXPECTED_SERIES.find((name) => !text.includes(`"${name}"`));
    }
    return missing && `the series ${missing} was sent and is not there, so nothing was proved`;
  }

  /** @returns Why the search proves nothing, where it doesn't see what must be there. */
  private async searchTables(): Promise<string | undefined> {
    // The control is looked for by itself, so that its rows take no room from what must not be there.
    const seen = await this.parts.store.findTexts([this.control], this.signal);
    const inLogs = seen.some(({ place }) => place.startsWith('logs.'));
    const inSpans = seen.some(({ place }) => place.startsWith('spans.'));
    const needles = this.needles.map(({ text }) => text);
    for (const { place, text } of await this.parts.store.findTexts(needles, this.signal))
      this.look(`table › ${place}`, text);
    if (inLogs && inSpans) return undefined;
    return `the control was not found in the tables of ${inLogs ? 'spans' : 'logs'}, so nothing was proved`;
  }

  private async searchFiles(): Promise<{ files: number; bytes: number }> {
    const search = {
      directory: this.parts.directory,
      needles: this.needles.map(({ text }) => text),
      // Clocks of file systems are coarser than the program's.
      sinceMs: this.startedMs - 5000,
    };
    const { files, bytes, matches } = await searchFilesApart(search, this.signal);
    for (const { file, text } of matches) this.look(`file › ${file}`, text);
    return { files, bytes };
  }

  private look(found: string, text: string): void {
    for (const { encoding: foundAs, place } of findMarkers(text, this.root, this.needles)) {
      const hidden = this.hider.places[place ?? -1] ?? { path: 'unknown', place: 'unknown', encoding: foundAs };
      const finding = { ...hidden, found, foundAs };
      this.findings.set(`${found} ${hidden.path} ${hidden.place} ${hidden.encoding}`, finding);
    }
  }
}

function tooBusy(path: string, status: number): BarographError {
  return new BarographError({
    code: 'canary_failed',
    status: 500,
    where: `content canary › ${path}`,
    got: `status ${status}`,
    accepted: 'an acknowledgement or a refusal',
    fix: 'ask for another run once the program is less busy',
  });
}
