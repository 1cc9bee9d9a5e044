import { mixed, type SharedVerdict } from '../govern/index.ts';
import { ByteNames } from './byte-names.ts';

/** Where series go that have the same labels left once those that go by their names are gone. */
export interface SharedRoute {
  readonly shared: SharedVerdict;
  readonly output: number;
  /** −1 for none. */
  readonly fleetOutput: number;
}

/** Remainders and bytes of them that are remembered, at most; past it the memory starts anew. */
const MAX_ROUTES = 100_000;
const MAX_KEY_BYTES = 32 * 1024 * 1024;
/** Labels of a series that this way takes; longer ones are judged one by one. */
const MAX_LABELS = 64;
/** Pairs of a metric and a label of which the fate is remembered. */
const MAX_FATES = 100_000;

/** The field tags of a label and its halves in remote write: field 1 with a length, and in it fields 1 and 2. */
const [LABEL, NAME, VALUE] = [0x0a, 0x0a, 0x12];
const METRIC_NAME_BYTES = Buffer.from('__name__');
const FNV_PRIME = 0x01000193;
const FNV_BASIS = 0x811c9dc5;

/**
 * Finds where a series goes by the labels that it keeps, read from its bytes: a leak makes a new series with every sample,
 * but what is left of it was seen before. Only labels that are removed by their names count as gone; whatever is unusual
 * (a long label, one that isn't ASCII, names out of order) is left to be judged in full.
 */
export class RemainderRoutes {
  /** Of the series that `find` found: how many of its labels go, the rule and name of each, and the hash of its value. */
  goneCount = 0;
  readonly goneRules: string[] = [];
  readonly goneNames: string[] = [];
  readonly goneHashes = new Uint32Array(MAX_LABELS);
  private readonly ruleByName: (metric: string, label: string) => string | undefined;
  private readonly maxLabels: number;
  private readonly names = new ByteNames();
  private namesEpoch = 0;
  /** By metric's and label's number: the rule that removes it, `''` where it stays. */
  private fates: (string | undefined)[][] = [];
  private fateCount = 0;
  /** Bytes of what stays, in runs within the series' bytes. */
  private readonly runs = new Uint32Array(2 * MAX_LABELS);
  private runCount = 0;
  private keyHash = 0;
  private keyLength = 0;
  private isShort = false;
  /** The number of the label's name that `fateOf` found last. */
  private lastNumber = 0;
  private routes: SharedRoute[] = [];
  private keys = Buffer.alloc(1 << 16);
  private keysUsed = 0;
  private starts: number[] = [];
  private hashes: number[] = [];
  private cells = new Int32Array(1024);

  /**
   * @param ruleByName the rule that removes a label of a metric whatever its value is; asked once a pair
   * @param maxLabels series with more labels are judged one by one
   */
  constructor(ruleByName: (metric: string, label: string) => string | undefined, maxLabels: number) {
    this.ruleByName = ruleByName;
    this.maxLabels = Math.min(MAX_LABELS, maxLabels);
  }

  /** The route of the series with the label fields `bytes[start, end)`, or `undefined`: then it is to be judged. */
  find(bytes: Uint8Array, start: number, end: number): SharedRoute | undefined {
    this.isShort = false;
    if (!this.split(bytes, start, end) || this.goneCount === 0) return undefined;
    this.isShort = true;
    const mask = this.cells.length - 1;
    let cell = this.keyHash & mask;
    for (let entry = this.cells[cell]; entry !== 0; entry = this.cells[cell]) {
      if (this.hashes[entry - 1] === this.keyHash && this.isKey(entry - 1, bytes)) return this.routes[entry - 1];
      cell = (cell + 1) & mask;
    }
    return undefined;
  }

  /** Remembers the route of the series that `find` just missed; nothing where it isn't one for this way. */
  add(bytes: Uint8Array, route: SharedRoute): void {
    if (!this.isShort) return;
    if (this.routes.length === MAX_ROUTES || this.keysUsed + this.keyLength > MAX_KEY_BYTES) this.clear();
    while (this.keysUsed + this.keyLength > this.keys.length) {
      this.keys = Buffer.concat([this.keys], this.keys.length * 2);
    }
    this.starts.push(this.keysUsed);
    for (let run = 0; run < this.runCount; run += 2) {
      this.keys.set(bytes.subarray(this.runs[run], this.runs[run + 1]), this.keysUsed);
      this.keysUsed += this.runs[run + 1] - this.runs[run];
    }
    this.routes.push(route);
    this.hashes.push(this.keyHash);
    if (this.routes.length * 2 > this.cells.length) {
      this.cells = new Int32Array(this.cells.length * 2);
      for (let at = 0; at < this.routes.length; at++) this.place(at);
    } else this.place(this.routes.length - 1);
  }

  /** Reads the labels; false where they are to be judged in full. */
  private split(bytes: Uint8Array, start: number, end: number): boolean {
    const metric = this.metricOf(bytes, start, end);
    if (metric < 0) return false;
    let [hash, runStart, keyLength, lastName, lastEnd] = [FNV_BASIS, start, 0, -1, -1];
    this.goneCount = 0;
    this.runCount = 0;
    for (let at = start, labels = 0; at < end; labels++) {
      if (labels === this.maxLabels || at + 4 > end || bytes[at] !== LABEL || bytes[at + 2] !== NAME) return false;
      const labelEnd = at + 2 + bytes[at + 1];
      const nameStart = at + 4;
      const nameEnd = nameStart + bytes[at + 3];
      if (bytes[at + 1] >= 0x80 || labelEnd > end || nameEnd + 2 > labelEnd || bytes[nameEnd] !== VALUE) return false;
      // An empty value means that there is no such label, so such series are left to be read in full.
      if (nameEnd + 2 + bytes[nameEnd + 1] !== labelEnd || bytes[nameEnd + 1] === 0) return false;
      if (lastName >= 0 && !isBefore(bytes, lastName, lastEnd, nameStart, nameEnd)) return false;
      [lastName, lastEnd] = [nameStart, nameEnd];
      let nameHash = FNV_BASIS;
      for (let i = nameStart; i < nameEnd; i++) {
        if (bytes[i] >= 0x80) return false;
        nameHash = Math.imul(nameHash ^ bytes[i], FNV_PRIME);
      }
      const rule = this.fateOf(metric, bytes, nameStart, nameEnd, nameHash);
      if (rule === undefined) return false;
      let valueHash = FNV_BASIS;
      let isAscii = 0;
      for (let i = nameEnd + 2; i < labelEnd; i++) {
        valueHash = Math.imul(valueHash ^ bytes[i], FNV_PRIME);
        isAscii |= bytes[i];
      }
      if (rule === '') hash = Math.imul(hash ^ nameHash, FNV_PRIME) ^ mixed(valueHash);
      else {
        if (isAscii >= 0x80) return false;
        this.goneRules[this.goneCount] = rule;
        this.goneNames[this.goneCount] = this.names.text(this.lastNumber);
        this.goneHashes[this.goneCount++] = mixed(valueHash);
        keyLength += this.endRun(runStart, at);
        runStart = labelEnd;
      }
      at = labelEnd;
    }
    this.keyLength = keyLength + this.endRun(runStart, end);
    this.keyHash = mixed(hash) | 0;
    return true;
  }

  /** The rule that removes a label, `''` where it stays, `undefined` where the numbers of names just began anew. */
  private fateOf(metric: number, bytes: Uint8Array, start: number, end: number, hash: number): string | undefined {
    const number = this.names.numberOf(bytes, start, end, hash);
    if (this.names.epoch !== this.namesEpoch) {
      this.forgetFates();
      return undefined;
    }
    this.lastNumber = number;
    this.fates[metric] ??= [];
    const known = this.fates[metric][number];
    if (known !== undefined) return known;
    const rule = this.ruleByName(this.names.text(metric), this.names.text(number)) ?? '';
    if (++this.fateCount > MAX_FATES) this.forgetFates();
    (this.fates[metric] ??= [])[number] = rule;
    return rule;
  }

  /** The number of the metric's name, or −1 where it isn't found at once. */
  private metricOf(bytes: Uint8Array, start: number, end: number): number {
    for (let at = start; at + 4 < end; at += 2 + bytes[at + 1]) {
      if (bytes[at + 1] >= 0x80 || bytes[at + 3] !== METRIC_NAME_BYTES.length) continue;
      let isMetric = true;
      for (let i = 0; i < METRIC_NAME_BYTES.length; i++)
        if (bytes[at + 4 + i] !== METRIC_NAME_BYTES[i]) isMetric = false;
      if (!isMetric) continue;
      const valueStart = at + 6 + METRIC_NAME_BYTES.length;
      const valueEnd = valueStart + bytes[valueStart - 1];
      if (valueEnd > end) return -1;
      let hash = FNV_BASIS;
      for (let i = valueStart; i < valueEnd; i++) {
        if (bytes[i] >= 0x80) return -1;
        hash = Math.imul(hash ^ bytes[i], FNV_PRIME);
      }
      const number = this.names.numberOf(bytes, valueStart, valueEnd, hash);
      if (this.names.epoch !== this.namesEpoch) this.forgetFates();
      return number;
    }
    return -1;
  }

  private endRun(start: number, end: number): number {
    if (start === end) return 0;
    this.runs[this.runCount++] = start;
    this.runs[this.runCount++] = end;
    return end - start;
  }

  private isKey(route: number, bytes: Uint8Array): boolean {
    const start = this.starts[route];
    const end = route + 1 < this.starts.length ? this.starts[route + 1] : this.keysUsed;
    if (end - start !== this.keyLength) return false;
    const { keys } = this;
    let at = start;
    for (let run = 0; run < this.runCount; run += 2) {
      for (let i = this.runs[run]; i < this.runs[run + 1]; i++) if (bytes[i] !== keys[at++]) return false;
    }
    return true;
  }

  private place(route: number): void {
    const mask = this.cells.length - 1;
    let cell = this.hashes[route] & mask;
    while (this.cells[cell] !== 0) cell = (cell + 1) & mask;
    this.cells[cell] = route + 1;
  }

  private forgetFates(): void {
    this.namesEpoch = this.names.epoch;
    this.fates = [];
    this.fateCount = 0;
  }

  private clear(): void {
    this.routes = [];
    this.starts = [];
    this.hashes = [];
    this.keysUsed = 0;
    this.cells.fill(0);
  }
}

/** Whether one name comes before another, byte by byte. */
function isBefore(bytes: Uint8Array, a: number, aEnd: number, b: number, bEnd: number): boolean {
  const length = Math.min(aEnd - a, bEnd - b);
  for (let i = 0; i < length; i++) if (bytes[a + i] !== bytes[b + i]) return bytes[a + i] < bytes[b + i];
  return aEnd - a < bEnd - b;
}
