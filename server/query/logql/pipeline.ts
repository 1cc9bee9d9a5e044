import type { Extraction, LabelFormat, LabelPick, Stage, UnwrapConversion } from './ast.ts';
import { assertNever } from './ast.ts';
import { DETECTED_LEVEL_LABEL, detectLevel } from './detected-level.ts';
import { invalidQuery } from './errors.ts';
import { ALL_LABELS, labelNameOf, type WantedLabels } from './label-name.ts';
import { ERROR_DETAILS_LABEL, ERROR_LABEL, type LineState } from './line-state.ts';
import { convertBytes, convertDurationNs, convertFloat } from './literal.ts';
import { compileTemplate, decolorize } from './stages/format.ts';
import { extractJson, extractJsonPaths, parseJsonPath, unpackJson } from './stages/json.ts';
import { compileLabelFilter, compileMatch } from './stages/label-filter.ts';
import { compileLineFilter, compileRe2 } from './stages/line-filter.ts';
import { extractLogfmt, extractLogfmtKeys } from './stages/logfmt.ts';
import { matchPattern, parsePattern } from './stages/pattern.ts';

/** One stage at work: changes the state; false drops the line. */
export type RunStage = (state: LineState) => boolean;

/** Turns an offset in the query into `line:column` for errors. */
export type Position = (at: number) => string;

/**
 * Compiles stages to functions. Parsers extract only what `wanted` names.
 * @throws BarographError `logql_invalid` where an expression, template or pattern is wrong.
 */
export function compileStages(stages: readonly Stage[], wanted: WantedLabels, position: Position): RunStage[] {
  return stages.map((stage) => compileStage(stage, wanted, position)).filter((run) => run !== undefined);
}

/** Runs a line through the stages; false where one drops it. */
export function runStages(stages: readonly RunStage[], state: LineState): boolean {
  for (const run of stages) if (!run(state)) return false;
  return true;
}

/** A stage that gives lines without one a `detected_level`, for queries that ask for it by name. */
export function addDetectedLevel(state: LineState): boolean {
  if (state.getLabel(DETECTED_LEVEL_LABEL) === undefined) {
    state.set(DETECTED_LEVEL_LABEL, detectLevel(state.originalStream, state.originalMetadata, state.line));
  }
  return true;
}

function compileStage(stage: Stage, wanted: WantedLabels, position: Position): RunStage | undefined {
  switch (stage.kind) {
    case 'line_filter': {
      const test = compileLineFilter(stage.op, stage.operands, position);
      return (state) => test(state.line);
    }
    case 'json':
      return compileJson(stage.extractions, wanted, position);
    case 'logfmt':
      return compileLogfmt(stage, wanted);
    case 'regexp':
      return compileRegexp(stage.expression, wanted, position(stage.at));
    case 'pattern':
      return compilePattern(stage.expression, wanted, position(stage.at));
    case 'unpack':
      return (state) => {
        unpackJson(state);
        return true;
      };
    case 'decolorize':
      return (state) => {
        state.line = decolorize(state.line);
        return true;
      };
    case 'label_filter':
      return compileLabelFilter(stage.predicate, position);
    case 'line_format': {
      const template = compileTemplate(stage.template, position(stage.at));
      return (state) => {
        state.line = template.apply(state) ?? state.line;
        return true;
      };
    }
    case 'label_format':
      return compileLabelFormat(stage.formats, position);
    case 'drop':
      return compileDrop(stage.labels, position);
    case 'keep':
      return compileKeep(stage.labels, position);
    case 'unwrap':
      return compileUnwrap(stage.label, stage.conversion);
    default:
      return assertNever(stage);
  }
}

function compileJson(
  extractions: readonly Extraction[],
  wanted: WantedLabels,
  position: Position,
): RunStage | undefined {
  const paths = extractions.map(({ path, at }) => {
    const steps = parseJsonPath(path);
    if (steps === undefined) {
      throw invalidQuery(
        position(at),
        `cannot parse expression ${JSON.stringify(path)}`,
        'write a path such as a.b[0] or ["a b"]',
      );
    }
    return steps;
  });
  if (wanted.none) return undefined;
  const names = extractions.map(({ name }) => name);
  return (state) => {
    if (names.length > 0) extractJsonPaths(state, names, paths);
    else extractJson(state, wanted);
    return true;
  };
}

function compileLogfmt(stage: Stage & { kind: 'logfmt' }, wanted: WantedLabels): RunStage | undefined {
  if (wanted.none) return undefined;
  const names = stage.extractions.map(({ name }) => name);
  const keys = stage.extractions.map(({ path }) => labelNameOf(path, true));
  const options = { strict: stage.strict, keepEmpty: stage.keepEmpty };
  return (state) => {
    if (names.length > 0) extractLogfmtKeys(state, options, names, keys);
    else extractLogfmt(state, options, wanted);
    return true;
  };
}

/** Names of the groups in order; RE2 itself refuses names that occur twice, in words that don't say which stage it is. */
const GROUP_NAME = /\(\?P?<([^>]*)>/g;

function compileRegexp(expression: string, wanted: WantedLabels, position: string): RunStage | undefined {
  const all = [...expression.matchAll(GROUP_NAME)].map((match) => match[1]);
  const twice = all.find((name, i) => all.indexOf(name) !== i);
  if (twice !== undefined) throw invalidQuery(position, `duplicate extracted label name ${JSON.stringify(twice)}`);
  const regex = compileRe2(expression, 0, position);
  const groups = Object.entries(regex.namedGroups());
  if (groups.length === 0) {
    throw invalidQuery(position, 'at least one named capture must be supplied', 'name a group: (?P<status>\\d+)');
  }
  const taken = groups.filter(([name]) => wanted.has(name));
  if (taken.length === 0) return undefined;
  return (state) => {
    const matcher = regex.matcher(state.line);
    if (!matcher.find()) return true;
    for (const [name, group] of taken) state.extract(name, matcher.group(group) ?? '');
    return true;
  };
}

function compilePattern(expression: string, wanted: WantedLabels, position: string): RunStage | undefined {
  const parts = parsePattern(expression);
  if (typeof parts === 'string') throw invalidQuery(position, `pattern ${JSON.stringify(expression)}: ${parts}`);
  const names = parts.flatMap((part) => ('capture' in part && part.capture !== '' ? [part.capture] : []));
  if (names.length === 0) {
    throw invalidQuery(position, 'at least one capture is required', 'name one: <ip> - <_>');
  }
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined) throw invalidQuery(position, `duplicate capture name ${JSON.stringify(twice)}`);
  if (!names.some((name) => wanted.has(name))) return undefined;
  return (state) => {
    matchPattern(parts, state.line, (name, value) => {
      if (wanted.has(name)) state.extract(name, value);
    });
    return true;
  };
}

function compileLabelFormat(formats: readonly LabelFormat[], position: Position): RunStage {
  const seen = new Set<string>();
  const steps = formats.map((format) => {
    if (format.to === ERROR_LABEL) throw invalidQuery(position(format.at), `${ERROR_LABEL} cannot be formatted`);
    if (seen.has(format.to))
      throw invalidQuery(
        position(format.at),
        `multiple label name ${JSON.stringify(format.to)} not allowed in a single format operation`,
      );
    seen.add(format.to);
    if (format.kind === 'rename') {
      const { from, to } = format;
      return (state: LineState) => {
        const value = state.get(from);
        if (value === undefined) return;
        state.set(to, value);
        if (from !== to) state.delete(from);
      };
    }
    const template = compileTemplate(format.template, position(format.at));
    return (state: LineState) => {
      const value = template.apply(state);
      if (value !== undefined) state.set(format.to, value);
    };
  });
  return (state) => {
    for (const step of steps) step(state);
    return true;
  };
}

function compilePicks(
  labels: readonly LabelPick[],
  position: Position,
): { name: string; matches: (value: string) => boolean }[] {
  return labels.map(({ name, match }) => ({
    name,
    matches: match === undefined ? () => true : compileMatch(match, position).matches,
  }));
}

function compileDrop(labels: readonly LabelPick[], position: Position): RunStage {
  const picks = compilePicks(labels, position);
  return (state) => {
    for (const { name, matches } of picks) {
      const value = state.get(name);
      if (value === undefined || !matches(value)) continue;
      if (name === ERROR_LABEL || name === ERROR_DETAILS_LABEL) {
        if (name === ERROR_LABEL) state.error = '';
        state.errorDetails = '';
      } else state.delete(name);
    }
    return true;
  };
}

function compileKeep(labels: readonly LabelPick[], position: Position): RunStage {
  const picks = compilePicks(labels, position);
  return (state) => {
    for (const name of state.labelNames()) {
      const value = state.getLabel(name);
      if (value !== undefined && !picks.some((pick) => pick.name === name && pick.matches(value))) state.delete(name);
    }
    return true;
  };
}

const CONVERT = {
  number: convertFloat,
  bytes: convertBytes,
  duration: toSeconds,
  duration_seconds: toSeconds,
} as const;

function toSeconds(text: string): ReturnType<typeof convertDurationNs> {
  const ns = convertDurationNs(text);
  return 'value' in ns ? { value: ns.value / 1e9 } : ns;
}

function compileUnwrap(label: string, conversion: UnwrapConversion): RunStage {
  const convert = CONVERT[conversion];
  return (state) => {
    const text = state.getLabel(label);
    if (text === undefined || text === '') return false;
    const converted = convert(text);
    if ('value' in converted) state.sample = converted.value;
    else state.fail('SampleExtractionErr', `${converted.problem} in label ${label}`);
    return true;
  };
}

/** The stages compiled for their errors alone. */
export function checkStages(stages: readonly Stage[], position: Position): void {
  compileStages(stages, ALL_LABELS, position);
}
