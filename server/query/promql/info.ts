import {
  createMatcher,
  type Labels,
  labelsKey,
  labelValue,
  type Matcher,
  METRIC_NAME,
  onlyLabels,
  printLabels,
  withLabel,
} from '../../model/index.ts';
import { type Call, type LabelMatcher, unparen, type VectorSelector } from './ast.ts';
import type { EvaluationContext } from './context.ts';
import { executionError } from './errors.ts';
import { isEmptySeries, mergeEqual, type VectorSeries } from './values.ts';

/** The labels by which a series and an info series belong together, as Prometheus has it for now. */
const IDENTIFYING: ReadonlySet<string> = new Set(['instance', 'job']);
const DEFAULT_INFO_METRIC: LabelMatcher = { name: METRIC_NAME, op: '=', value: 'target_info' };
/** What names that are only excluded are excluded from. */
const ANY_INFO_METRIC: LabelMatcher = { name: METRIC_NAME, op: '=~', value: '.+_info' };

function matchersOf(call: Call): readonly LabelMatcher[] {
  const filter = call.args[1] && unparen(call.args[1]);
  return filter?.kind === 'selector' ? filter.matchers : [];
}

/** The selector of the series that a call of `info` may join: by name only, since an absent label may match as well. */
export function infoSelector(call: Call): VectorSelector {
  const names = matchersOf(call).filter(({ name }) => name === METRIC_NAME);
  const named = names.some(({ op }) => op === '=' || op === '=~');
  const matchers = named ? names : names.length > 0 ? [ANY_INFO_METRIC, ...names] : [DEFAULT_INFO_METRIC];
  return { kind: 'selector', matchers, offset: undefined, at: undefined, mode: undefined, position: call.position };
}

/** One info series at one step. */
interface Candidate {
  readonly series: VectorSeries;
  readonly metric: string;
  readonly data: Labels;
}

/**
 * `info(v, {…})`: adds to each series the data labels of the info series with the same `instance` and `job`. With label
 * matchers only labels that they name are added, and a series without a matching info series is left out unless all
 * matchers accept an empty value.
 * @param times Info series whose values are the times of their samples; of several of one metric the newest counts.
 * @throws BarographError `promql_execution` where two info series contradict each other.
 */
export function joinInfo(
  call: Call,
  base: readonly VectorSeries[],
  times: readonly VectorSeries[],
  context: EvaluationContext,
): VectorSeries[] {
  const filters = matchersOf(call)
    .filter(({ name }) => name !== METRIC_NAME)
    .map(({ name, op, value }) => createMatcher(name, op, value));
  const infoNames = new Set(times.map((series) => labelValue(series.labels, METRIC_NAME)));
  const byIdentity = new Map<string, Candidate[]>();
  for (const series of times) {
    if (!filters.every((filter) => filter.matches(labelValue(series.labels, filter.name)))) continue;
    const key = labelsKey(onlyLabels(series.labels, IDENTIFYING));
    const candidate = { series, metric: labelValue(series.labels, METRIC_NAME), data: dataLabels(series, filters) };
    const known = byIdentity.get(key);
    if (known) known.push(candidate);
    else byIdentity.set(key, [candidate]);
  }
  const required = filters.some((filter) => !filter.matches(''));
  const out: VectorSeries[] = [];
  for (const series of base) {
    context.tick();
    if (infoNames.has(labelValue(series.labels, METRIC_NAME))) {
      out.push(series);
      continue;
    }
    const identity = onlyLabels(series.labels, IDENTIFYING);
    const candidates = identity.length > 0 ? (byIdentity.get(labelsKey(identity)) ?? []) : [];
    out.push(...joinSeries(series, candidates, required));
  }
  return mergeEqual(out);
}

function dataLabels({ labels }: VectorSeries, filters: readonly Matcher[]): Labels {
  const wanted = new Set(filters.map(({ name }) => name));
  const data: string[] = [];
  for (let i = 0; i < labels.length; i += 2) {
    const name = labels[i];
    if (name === METRIC_NAME || IDENTIFYING.has(name) || (wanted.size > 0 && !wanted.has(name))) continue;
    data.push(name, labels[i + 1]);
  }
  return data;
}

/** Which info series count may change from step to step, and with them the labels. */
function joinSeries(series: VectorSeries, candidates: readonly Candidate[], required: boolean): VectorSeries[] {
  const out = new Map<string, VectorSeries>();
  for (let step = 0; step < series.has.length; step++) {
    if (!series.has[step]) continue;
    const found = newestOf(candidates, step);
    if (found.length === 0 && required) continue;
    const labels = found.reduce((all, { data }) => addLabels(all, data, series.labels), series.labels);
    const key = labelsKey(labels);
    let joined = out.get(key);
    if (!joined) out.set(key, (joined = { ...series, labels, has: new Uint8Array(series.has.length) }));
    joined.has[step] = 1;
  }
  return [...out.values()].filter((one) => !isEmptySeries(one));
}

/** The newest info series of each metric at a step. */
function newestOf(candidates: readonly Candidate[], step: number): Candidate[] {
  const newest = new Map<string, Candidate>();
  for (const candidate of candidates) {
    const { series, metric } = candidate;
    if (!series.has[step]) continue;
    const known = newest.get(metric);
    if (known && known.series.values[step] === series.values[step]) {
      throw executionError(
        `found duplicate series for info metric: existing ${printLabels(known.series.labels)}, new ${printLabels(series.labels)}`,
      );
    }
    if (!known || known.series.values[step] < series.values[step]) newest.set(metric, candidate);
  }
  return [...newest.values()];
}

/** Adds data labels that the series doesn't have itself. */
function addLabels(all: Labels, data: Labels, own: Labels): Labels {
  let labels = all;
  for (let i = 0; i < data.length; i += 2) {
    if (labelValue(own, data[i]) !== '') continue;
    const known = labelValue(labels, data[i]);
    if (known !== '' && known !== data[i + 1]) throw executionError(`conflicting label: ${data[i]}`);
    labels = withLabel(labels, data[i], data[i + 1]);
  }
  return labels;
}
