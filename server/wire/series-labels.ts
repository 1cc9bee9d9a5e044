import { BarographError, type Labels, labelValue, METRIC_NAME } from '../model/index.ts';
import { decodeLabelRun } from './remote-write.ts';

/**
 * Reads the labels of a series from a run of remote write label fields. The result is sorted; labels with an empty
 * value are absent ones and left out.
 * @throws BarographError `bad_labels` (400): an empty or repeated name, no `__name__`;
 * `malformed` (400): bytes that aren't label fields, or not UTF-8.
 */
export function parseSeriesLabels(bytes: Uint8Array): Labels {
  const { names, values } = decodeLabelRun(bytes, 'TimeSeries');
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

function sortLabels(names: readonly string[], values: readonly string[]): string[] {
  const order = names.map((_, i) => i);
  order.sort((a, b) => (names[a] < names[b] ? -1 : names[a] > names[b] ? 1 : 0));
  const out: string[] = [];
  for (let i = 0; i < order.length; i++) {
    const name = names[order[i]];
    if (i > 0 && name === names[order[i - 1]]) {
      throw badLabels(`label ${order[i]}`, `the name ${JSON.stringify(name.slice(0, 60))} again`, 'each name once');
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
