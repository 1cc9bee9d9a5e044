import { relabel } from '../govern/index.ts';
import {
  isPlainLabelName,
  isPlainMetricName,
  type Labels,
  labelValue,
  METRIC_NAME,
  withLabel,
} from '../model/index.ts';
import type { LabelKeyKind } from '../wire/index.ts';
import type { ScrapeJob } from './config.ts';

/** What becomes of the labels of a scraped series. */
export type LabelVerdict =
  | { readonly kind: 'kept'; readonly labels: Labels }
  /** The rules drop it. */
  | { readonly kind: 'dropped' }
  /** The scrape fails by it: over a limit of the job, or no name that is accepted. */
  | { readonly kind: 'refused'; readonly reason: 'label_limit' | 'bad_labels'; readonly message: string };

/**
 * The labels that a scraped series is stored by: the target's come in, `metric_relabel_configs` run, the job's limits
 * hold. Source: prometheus/prometheus scrape.
 * @param scraped the labels as the target wrote them, without empty ones
 * @param emptied names that the target wrote with an empty value; with `honor_labels` they keep the target's label out
 */
export function sampleLabels(
  job: ScrapeJob,
  target: Labels,
  scraped: Labels,
  emptied: readonly string[] = [],
): LabelVerdict {
  const merged = job.honorLabels ? honored(scraped, target, emptied) : overruled(scraped, target);
  const labels = relabel(merged, job.metricRelabel);
  if (!labels || labels.length === 0) return { kind: 'dropped' };
  if (labelValue(labels, METRIC_NAME) === '') {
    return { kind: 'refused', reason: 'bad_labels', message: 'a series has no metric name after relabelling' };
  }
  if (!hasGoodNames(labels, job.legacyNames)) {
    return {
      kind: 'refused',
      reason: 'bad_labels',
      message: 'a series has a metric or label name that is not accepted',
    };
  }
  const message = limitMessage(labels, job);
  return message === undefined ? { kind: 'kept', labels } : { kind: 'refused', reason: 'label_limit', message };
}

/** The labels of a series that the scrape itself makes, such as `up`. */
export function reportLabels(metric: string, target: Labels): Labels {
  return overruled([METRIC_NAME, metric], target);
}

/** What the target wrote wins. */
function honored(scraped: Labels, target: Labels, emptied: readonly string[]): Labels {
  let out = scraped;
  for (let i = 0; i < target.length; i += 2) {
    if (labelValue(scraped, target[i]) !== '' || emptied.includes(target[i])) continue;
    out = withLabel(out, target[i], target[i + 1]);
  }
  return out;
}

/** The target's labels win; what it wrote under their names is kept with `exported_` before it, as often as it takes. */
function overruled(scraped: Labels, target: Labels): Labels {
  let out = scraped;
  const conflicts: { readonly name: string; readonly value: string }[] = [];
  for (let i = 0; i < target.length; i += 2) {
    const value = labelValue(scraped, target[i]);
    if (value !== '') conflicts.push({ name: target[i], value });
    out = withLabel(out, target[i], target[i + 1]);
  }
  conflicts.sort((a, b) => a.name.length - b.name.length);
  for (const { name, value } of conflicts) {
    let exported = `exported_${name}`;
    while (labelValue(out, exported) !== '') exported = `exported_${exported}`;
    out = withLabel(out, exported, value);
  }
  return out;
}

function hasGoodNames(labels: Labels, legacy: boolean): boolean {
  for (let i = 0; i < labels.length; i += 2) {
    if (labels[i] === '' || !labels[i].isWellFormed() || !labels[i + 1].isWellFormed()) return false;
    if (!legacy) continue;
    if (labels[i] === METRIC_NAME ? !isPlainMetricName(labels[i + 1]) : !isPlainLabelName(labels[i])) return false;
  }
  return true;
}

function limitMessage(labels: Labels, job: ScrapeJob): string | undefined {
  const { labelLimit, labelNameBytesLimit, labelValueBytesLimit } = job;
  if (labelLimit > 0 && labels.length / 2 > labelLimit) {
    return `label_limit exceeded: a series has ${labels.length / 2} labels, the limit is ${labelLimit}`;
  }
  if (labelNameBytesLimit === 0 && labelValueBytesLimit === 0) return undefined;
  for (let i = 0; i < labels.length; i += 2) {
    const nameBytes = Buffer.byteLength(labels[i]);
    if (labelNameBytesLimit > 0 && nameBytes > labelNameBytesLimit) {
      return `label_name_length_limit exceeded: a label's name has ${nameBytes} bytes, the limit is ${labelNameBytesLimit}`;
    }
    const valueBytes = Buffer.byteLength(labels[i + 1]);
    if (labelValueBytesLimit > 0 && valueBytes > labelValueBytesLimit) {
      return `label_value_length_limit exceeded: a label's value has ${valueBytes} bytes, the limit is ${labelValueBytesLimit}`;
    }
  }
  return undefined;
}

/**
 * The names of labels that a target wrote with an empty value, of which the decoded label set says nothing.
 * @param bytes the range of the series in the batch, which a decoder has accepted
 */
export function emptyLabelNames(bytes: Uint8Array, kind: LabelKeyKind): string[] {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return kind === 'text' ? emptyInText(buffer) : emptyInFields(buffer);
}

/** One label with an empty value, or anything else that may stand between the braces. */
const TEXT_PART = /([A-Za-z_]\w*|"(?:[^"\\]|\\[\s\S])*")[ \t]*(?:=[ \t]*"((?:[^"\\]|\\[\s\S])*)")?|[ \t,]+/y;

function emptyInText(buffer: Buffer): string[] {
  if (!buffer.includes('""')) return [];
  const text = buffer.toString('utf8');
  const names: string[] = [];
  TEXT_PART.lastIndex = text.indexOf('{') + 1;
  for (let part = TEXT_PART.exec(text); part; part = TEXT_PART.exec(text)) {
    if (part[2] === '') names.push(part[1].startsWith('"') ? unquoted(part[1]) : part[1]);
  }
  return names;
}

function unquoted(text: string): string {
  return text.slice(1, -1).replace(/\\(["\\n])/g, (_, char) => (char === 'n' ? '\n' : char));
}

// message Label { string name = 1; string value = 2; }, each as field 1 of a run.
function emptyInFields(buffer: Buffer): string[] {
  const names: string[] = [];
  let pos = 0;
  const varint = (): number => {
    let value = 0;
    for (let shift = 1; ; shift *= 128) {
      const byte = buffer[pos++];
      value += (byte & 0x7f) * shift;
      if (!(byte >= 0x80)) return value;
    }
  };
  while (pos < buffer.length) {
    pos++;
    const length = varint();
    const end = pos + length;
    let [name, isEmpty] = ['', true];
    while (pos < end) {
      const tag = buffer[pos++];
      if ((tag & 7) !== 2) return names;
      const size = varint();
      if (tag === 0x0a) name = buffer.toString('utf8', pos, pos + size);
      else if (tag === 0x12) isEmpty = size === 0;
      pos += size;
    }
    if (isEmpty) names.push(name);
  }
  return names;
}
