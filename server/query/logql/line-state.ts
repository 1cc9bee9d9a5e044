import type { Labels } from '../../model/index.ts';

/** The label that says that a stage failed on a line, and the one that says why. */
export const ERROR_LABEL = '__error__';
export const ERROR_DETAILS_LABEL = '__error_details__';
/** What a label is called that lost its name to one from a stronger source. */
export const DUPLICATE_SUFFIX = '_extracted';

/** What failed on a line; the values of `__error__`, named as Loki names them. */
export type LineErrorKind =
  | 'JSONParserErr'
  | 'LogfmtParserErr'
  | 'LabelFilterErr'
  | 'SampleExtractionErr'
  | 'TemplateFormatErr';

/**
 * One line on its way through a pipeline: its text, its time and its labels from three sources. The base name of a label
 * goes to the stream, then to structured metadata, then to what was parsed; the loser is `<name>_extracted`. One state is
 * used for every line of a query: `reset` it, run the stages, read it, and keep nothing but strings and label arrays.
 */
export class LineState {
  line = '';
  timestampNs = 0n;
  /** The number that `unwrap` made of the line. */
  sample = 0;
  error: LineErrorKind | '' = '';
  errorDetails = '';
  private stream: Labels = [];
  private metadata: Labels = [];
  private readonly names: string[] = [];
  private readonly values: string[] = [];
  private readonly extracted: string[] = [];
  private readonly deleted: string[] = [];
  private clashStream: Labels = [];
  private clashMetadata: Labels = [];
  private clashResult: Labels = [];

  /** Begins a line. */
  reset(stream: Labels, metadata: Labels, timestampNs: bigint, line: string): void {
    this.line = line;
    this.timestampNs = timestampNs;
    this.sample = 0;
    this.error = '';
    this.errorDetails = '';
    this.stream = stream;
    this.metadata = metadata.length === 0 ? metadata : this.renameClashes(stream, metadata);
    if (this.names.length > 0) this.names.length = this.values.length = 0;
    if (this.extracted.length > 0) this.extracted.length = 0;
    if (this.deleted.length > 0) this.deleted.length = 0;
  }

  /** Whether the labels are those that the line came with, so that they can be looked up by the identity of the arrays. */
  get untouched(): boolean {
    return this.names.length === 0 && this.deleted.length === 0;
  }

  /** Index labels as the line came with them. */
  get originalStream(): Labels {
    return this.stream;
  }

  /** Structured metadata as the line came with it, losers renamed. */
  get originalMetadata(): Labels {
    return this.metadata;
  }

  /** The value of a label, errors included; `undefined` where there is none. */
  get(name: string): string | undefined {
    if (name === ERROR_LABEL) return this.error === '' ? undefined : this.error;
    if (name === ERROR_DETAILS_LABEL) return this.error === '' ? undefined : this.errorDetails;
    return this.getLabel(name);
  }

  /** The value of a label, not looking at errors. */
  getLabel(name: string): string | undefined {
    const { names } = this;
    for (let i = 0; i < names.length; i++) if (names[i] === name) return this.values[i];
    if (this.deleted.includes(name)) return undefined;
    return find(this.stream, name) ?? find(this.metadata, name);
  }

  /** Gives a label a value, whatever it was before. */
  set(name: string, value: string): void {
    const at = this.names.indexOf(name);
    if (at >= 0) this.values[at] = value;
    else {
      this.names.push(name);
      this.values.push(value);
    }
  }

  /** Removes a label from every source. */
  delete(name: string): void {
    const at = this.names.indexOf(name);
    if (at >= 0) {
      this.names.splice(at, 1);
      this.values.splice(at, 1);
    }
    if (!this.deleted.includes(name)) this.deleted.push(name);
  }

  /** Whether the line came with the label. */
  hasBase(name: string): boolean {
    return find(this.stream, name) !== undefined || find(this.metadata, name) !== undefined;
  }

  /** Takes a label from a parser: of a name that occurs twice the first value counts. */
  extract(name: string, value: string): void {
    if (this.extracted.includes(name)) return;
    this.extracted.push(name);
    this.set(this.hasBase(name) ? name + DUPLICATE_SUFFIX : name, value);
  }

  /** Records a failure; the first one of a line counts. */
  fail(kind: LineErrorKind, details: string): void {
    if (this.error !== '') return;
    this.error = kind;
    this.errorDetails = details;
  }

  /** Names of all labels that the line has now, errors excluded. */
  labelNames(): string[] {
    const out: string[] = [];
    for (const source of [this.stream, this.metadata]) {
      for (let i = 0; i < source.length; i += 2) if (!this.isHidden(source[i])) out.push(source[i]);
    }
    out.push(...this.names);
    return out;
  }

  /** Index labels that are left, sorted. */
  streamLabels(): Labels {
    return this.visible(this.stream);
  }

  /** Structured metadata that is left, sorted. */
  metadataLabels(): Labels {
    return this.visible(this.metadata);
  }

  /** Labels that the pipeline made, sorted. */
  parsedLabels(): Labels {
    if (this.names.length === 0) return [];
    return sortedPairs(this.names, this.values);
  }

  /** All labels, sorted, errors excluded. Values may be empty: `json x="missing"` makes `x` an empty label. */
  allLabels(): Labels {
    if (this.untouched && this.metadata.length === 0) return this.stream;
    const names = this.names.slice();
    const values = this.values.slice();
    for (const source of [this.stream, this.metadata]) {
      for (let i = 0; i < source.length; i += 2) {
        if (this.isHidden(source[i])) continue;
        names.push(source[i]);
        values.push(source[i + 1]);
      }
    }
    return sortedPairs(names, values);
  }

  /** A text that is equal only for equal sets of touched labels; together with the arrays the line came with it names a series. */
  touchedKey(): string {
    let key = '';
    // The length before each value keeps values that hold the separators apart.
    for (let i = 0; i < this.names.length; i++) key += `${this.names[i]}=${this.values[i].length}:${this.values[i]}`;
    if (this.deleted.length > 0) key += `-${this.deleted.join()}`;
    return key;
  }

  private isHidden(name: string): boolean {
    return this.deleted.includes(name) || this.names.includes(name);
  }

  private visible(source: Labels): Labels {
    if (this.untouched) return source;
    const out: string[] = [];
    for (let i = 0; i < source.length; i += 2) if (!this.isHidden(source[i])) out.push(source[i], source[i + 1]);
    return out;
  }

  /** Lines of one stream follow each other, often with the same metadata array, so the last answer is kept. */
  private renameClashes(stream: Labels, metadata: Labels): Labels {
    if (this.clashMetadata === metadata && this.clashStream === stream) return this.clashResult;
    let out: string[] | undefined;
    for (let i = 0; i < metadata.length; i += 2) {
      if (find(stream, metadata[i]) === undefined) continue;
      out ??= metadata.slice();
      out[i] = metadata[i] + DUPLICATE_SUFFIX;
    }
    this.clashStream = stream;
    this.clashMetadata = metadata;
    this.clashResult = out ?? metadata;
    return this.clashResult;
  }
}

function find(labels: Labels, name: string): string | undefined {
  for (let i = 0; i < labels.length; i += 2) if (labels[i] === name) return labels[i + 1];
  return undefined;
}

function sortedPairs(names: readonly string[], values: readonly string[]): Labels {
  const order = names.map((_, i) => i).sort((a, b) => (names[a] < names[b] ? -1 : 1));
  const out: string[] = [];
  for (const i of order) out.push(names[i], values[i]);
  return out;
}
