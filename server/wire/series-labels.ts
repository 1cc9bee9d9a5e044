import { BarographError, isPlainLabelName, type Labels, labelValue, METRIC_NAME } from '../model/index.ts';
import { decodeLabelRun } from './remote-write.ts';

/**
 * Reads the labels of a series from a run of remote write label fields. The result is sorted; labels with an empty
 * value are absent ones and left out.
 * @throws BarographError `bad_labels` (400): an empty or repeated name, no `__name__`;
 * `malformed` (400): bytes that aren't label fields, or not UTF-8.
 */
export function parseSeriesLabels(bytes: Uint8Array): Labels {
  const { names, values } = sliceAsciiRun(bytes) ?? decodeLabelRun(bytes, 'TimeSeries');
  const labels: string[] = [];
  let sorted = true;
  for (let i = 0; i < names.length; i++) {
    if (names[i] === '') throw badLabels(`label ${i}`, 'an empty name', 'a name');
    if (i > 0 && names[i] <= names[i - 1]) sorted = false;
    if (values[i] !== '') labels.push(names[i], values[i]);
  }
  const result = sorted ? labels : sortLabels(names, values);
  if (labelValue(result, METRIC_NAME) === '') {
    throw badLabels('labels', `no ${METRIC_NAME}`, `a metric name in ${METRIC_NAME}`);
  }
  return result;
}

/**
 * Reads a run of short ASCII labels, which nearly all are, by one call into the runtime and slices of its result.
 * `undefined` where the run holds anything else, for the general decoder. Measured in `bench/wire.ts`.
 */
function sliceAsciiRun(bytes: Uint8Array): { names: string[]; values: string[] } | undefined {
  const { length } = bytes;
  const names: string[] = [];
  const values: string[] = [];
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, length).toString('latin1');
  let pos = 0;
  while (pos < length) {
    // 0x0a length (0x0a length name) (0x12 length value), every length in one byte.
    if (pos + 4 > length || bytes[pos] !== 0x0a || bytes[pos + 2] !== 0x0a) return undefined;
    const end = pos + 2 + bytes[pos + 1];
    const nameEnd = pos + 4 + bytes[pos + 3];
    if (bytes[pos + 1] >= 0x80 || end > length || nameEnd + 2 > end || bytes[nameEnd] !== 0x12) return undefined;
    if (nameEnd + 2 + bytes[nameEnd + 1] !== end) return undefined;
    for (let i = pos + 4; i < end; i++) if (bytes[i] >= 0x80) return undefined;
    names.push(text.slice(pos + 4, nameEnd));
    values.push(text.slice(nameEnd + 2, end));
    pos = end;
  }
  return { names, values };
}

function sortLabels(names: readonly string[], values: readonly string[]): string[] {
  const order = names.map((_, i) => i);
  order.sort((a, b) => (names[a] < names[b] ? -1 : names[a] > names[b] ? 1 : 0));
  const out: string[] = [];
  for (let i = 0; i < order.length; i++) {
    const name = names[order[i]];
    if (i > 0 && name === names[order[i - 1]]) {
      throw badLabels(
        `label ${order[i]}`,
        `the name ${isPlainLabelName(name) && name.length <= 60 ? `"${name}"` : `of label ${order[i - 1]}`} again`,
        'each name once',
      );
    }
    if (values[order[i]] !== '') out.push(name, values[order[i]]);
  }
  return out;
}

function badLabels(where: string, got: string, accepted: string): BarographError {
  return new BarographError({
    code: 'bad_labels',
    status: 400,
    where: `TimeSeries.${where}`,
    got,
    accepted,
    fix: 'correct the sender, or drop the series with write_relabel_configs',
  });
}
