/**
 * A label set as a flat array of alternating names and values, `[name0, value0, name1, value1, …]`, sorted by name
 * (UTF-16 code units) with unique names and no empty values. One array instead of objects keeps a few hundred thousand
 * series small and makes comparison a plain loop.
 */
export type Labels = readonly string[];

/** The label that holds a metric's name. */
export const METRIC_NAME = '__name__';

/** The label set without labels. */
export const NO_LABELS: Labels = Object.freeze([]);

/**
 * Builds a label set from pairs in any order. Empty values mean an absent label, as everywhere in Prometheus; of a name
 * that occurs twice the last value wins (receivers that must refuse duplicates look for them before).
 */
export function labelsFromPairs(pairs: Iterable<readonly [string, string]>): Labels {
  return labelsFromRecord(Object.fromEntries(pairs));
}

/** Builds a label set from a record of names to values; empty values are left out. */
export function labelsFromRecord(record: Readonly<Record<string, string>>): Labels {
  const names = Object.keys(record).sort();
  const out: string[] = [];
  for (const name of names) {
    const value = record[name];
    if (value !== '') out.push(name, value);
  }
  return out;
}

/** The record of names to values, for JSON answers. */
export function labelsToRecord(labels: Labels): Record<string, string> {
  const record: Record<string, string> = {};
  for (let i = 0; i < labels.length; i += 2) record[labels[i]] = labels[i + 1];
  return record;
}

/** The value of a label, or `''` where it is absent. */
export function labelValue(labels: Labels, name: string): string {
  for (let i = 0; i < labels.length; i += 2) if (labels[i] === name) return labels[i + 1];
  return '';
}

/** The set without the named labels. Returns the same array where nothing was removed. */
export function withoutLabels(labels: Labels, names: ReadonlySet<string>): Labels {
  let out: string[] | undefined;
  for (let i = 0; i < labels.length; i += 2) {
    if (names.has(labels[i])) out ??= labels.slice(0, i);
    else if (out) out.push(labels[i], labels[i + 1]);
  }
  return out ?? labels;
}

/** The set with only the named labels. */
export function onlyLabels(labels: Labels, names: ReadonlySet<string>): Labels {
  const out: string[] = [];
  for (let i = 0; i < labels.length; i += 2) if (names.has(labels[i])) out.push(labels[i], labels[i + 1]);
  return out;
}

/** The set with one label set to `value`; an empty value removes it. */
export function withLabel(labels: Labels, name: string, value: string): Labels {
  const out: string[] = [];
  let placed = value === '';
  for (let i = 0; i < labels.length; i += 2) {
    if (!placed && labels[i] >= name) {
      out.push(name, value);
      placed = true;
    }
    if (labels[i] !== name) out.push(labels[i], labels[i + 1]);
  }
  if (!placed) out.push(name, value);
  return out;
}

/**
 * A string that is equal for equal label sets and only for them; usable as a `Map` key. The separators are bytes that
 * UTF-8 text can't hold as characters of a label, 0xFF and 0xFE in the Latin-1 range, as Prometheus's own hashing does.
 */
export function labelsKey(labels: Labels): string {
  return labels.join('\u00ff\u00fe');
}

/** Whether two label sets are equal. */
export function equalLabels(a: Labels, b: Labels): boolean {
  if (a === b) return true;
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

/** Orders label sets as Prometheus does: name by name and value by value, the shorter first. */
export function compareLabels(a: Labels, b: Labels): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    if (a[i] < b[i]) return -1;
    if (a[i] > b[i]) return 1;
  }
  return a.length - b.length;
}

const PLAIN_NAME = /^[a-zA-Z_][a-zA-Z0-9_]*$/;
const PLAIN_METRIC = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/;

/** Whether a label name needs no quotes in PromQL. */
export function isPlainLabelName(name: string): boolean {
  return PLAIN_NAME.test(name);
}

/** Whether a metric name needs no quotes in PromQL. */
export function isPlainMetricName(name: string): boolean {
  return PLAIN_METRIC.test(name);
}

/** `metric{a="b"}` as Prometheus prints it. */
export function printLabels(labels: Labels): string {
  const metric = labelValue(labels, METRIC_NAME);
  const plain = metric === '' || isPlainMetricName(metric);
  const parts: string[] = plain ? [] : [JSON.stringify(metric)];
  for (let i = 0; i < labels.length; i += 2) {
    if (labels[i] === METRIC_NAME) continue;
    const name = isPlainLabelName(labels[i]) ? labels[i] : JSON.stringify(labels[i]);
    parts.push(`${name}=${JSON.stringify(labels[i + 1])}`);
  }
  if (parts.length === 0 && metric !== '') return metric;
  return `${plain ? metric : ''}{${parts.join(', ')}}`;
}
