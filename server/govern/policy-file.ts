import type { z } from 'zod';
import { BarographError } from '../model/index.ts';
import { createPolicy, type PolicyChanges } from './default-policy.ts';
import { NameJudge } from './names.ts';
import { changesOf } from './policy-changes.ts';
import { LIMIT_KEYS, label, type PolicyFile, policyFile, profile, relabelConfig } from './policy-schema.ts';
import { compileRelabel } from './relabel.ts';

/** Says where a key was written, such as `policy.yaml:12`; `undefined` where that isn't known. */
export type PlaceOf = (path: readonly PropertyKey[]) => string | undefined;

/**
 * Checks a policy as it was written and says what it changes for those who have none of their own; what it says of tenants
 * is read by `parseTenantPolicies`.
 * @throws BarographError `bad_policy` naming file, line and key, what came and what is accepted.
 */
export function parsePolicy(input: unknown, placeOf: PlaceOf = () => undefined): PolicyChanges {
  const result = policyFile.safeParse(input ?? {}, { reportInput: true });
  if (!result.success) throw issueError(result.error.issues[0], input, placeOf);
  const file = result.data;
  const base = createPolicy();
  checkLabels(file, new NameJudge(base), placeOf);
  checkRelabel(file, placeOf);
  return changesOf(file, base);
}

type Issue = z.core.$ZodIssue;

function issueError(issue: Issue, input: unknown, placeOf: PlaceOf): BarographError {
  if (issue.code === 'unrecognized_keys') {
    const path = [...issue.path, issue.keys[0]];
    const accepted = keysAt(issue.path);
    return policyError(path, 'an unknown key', accepted === '' ? undefined : accepted, placeOf);
  }
  // Of a union the part that came closest says most.
  if (issue.code === 'invalid_union' && issue.errors.length > 0) {
    const inner = issue.errors.flat().find(({ path }) => path.length > 0) ?? issue.errors[0]?.[0];
    if (inner && inner.path.length > 0)
      return issueError({ ...inner, path: [...issue.path, ...inner.path] } as Issue, input, placeOf);
  }
  return policyError(issue.path, shown(valueAt(input, issue.path)), acceptedBy(issue), placeOf);
}

export function policyError(
  path: readonly PropertyKey[],
  got: string,
  accepted: string | undefined,
  placeOf: PlaceOf,
): BarographError {
  const key = path.map(String).join('.');
  return new BarographError({
    code: 'bad_policy',
    status: 400,
    where: `${placeOf(path) ?? 'policy'}${key === '' ? '' : ` › ${key}`}`,
    got,
    accepted,
    fix: 'docs/reference/policy.md lists every key',
  });
}

/** What zod expected there, in few words. */
function acceptedBy(issue: Issue): string {
  switch (issue.code) {
    case 'invalid_value':
      return issue.values.map(String).join(', ');
    case 'invalid_type':
      return `${issue.expected === 'int' ? 'whole number' : issue.expected}`
        .replace(/^(?=[aeiou])/, 'an ')
        .replace(/^(?!an )/, 'a ');
    case 'too_small':
      return `at least ${issue.minimum}${issue.origin === 'array' ? ' of them' : ''}`;
    case 'too_big':
      return `at most ${issue.maximum}${issue.origin === 'array' ? ' of them' : ''}`;
    default:
      return issue.message;
  }
}

/** The keys that are accepted where an unknown one stood. */
function keysAt(path: readonly PropertyKey[]): string {
  const [first] = path;
  const keys = (schema: { readonly shape: object }): string => Object.keys(schema.shape).join(', ');
  if (first === undefined) return keys(policyFile);
  if (first === 'labels') return keys(label);
  if (first === 'profiles') return keys(profile);
  if (first === 'relabel_configs') return keys(relabelConfig);
  if (first === 'limits') return Object.keys(LIMIT_KEYS).join(', ');
  if (first === 'aliases') return path.includes('from') ? 'name, keep' : 'to, from, metric_prefix';
  if (first === 'never') return 'rule, pattern';
  if (first === 'fleet') return 'labels, resolution';
  if (first === 'content') return 'attributes, prefixes, patterns, events, log_fields, descriptions';
  return '';
}

function valueAt(input: unknown, path: readonly PropertyKey[]): unknown {
  let value = input;
  for (const part of path) value = (value as Record<PropertyKey, unknown> | undefined | null)?.[part];
  return value;
}

function shown(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (typeof value === 'object' && value !== null) return Array.isArray(value) ? 'a list' : 'a mapping';
  return JSON.stringify(value).slice(0, 80);
}

/** No policy can allow what carries content or names a person. */
function checkLabels(file: PolicyFile, names: NameJudge, placeOf: PlaceOf): void {
  const check = (label: string, path: readonly PropertyKey[]): void => {
    const verdict = names.judge(label);
    if (verdict.kind !== 'never' && verdict.kind !== 'content' && verdict.kind !== 'unfit') return;
    const why = verdict.kind === 'never' ? `the rule ${verdict.rule}` : 'the rules on content';
    throw policyError(path, `a label that ${why} removes`, 'a name that no rule of the conventions removes', placeOf);
  };
  for (const [label, { class: labelClass, budget, values }] of Object.entries(file.labels)) {
    if (labelClass !== 'never') check(label, ['labels', label]);
    else if (budget !== undefined || values !== undefined)
      throw policyError(['labels', label], 'a budget or values with the class never', 'only the class', placeOf);
    if (labelClass === undefined && !Object.hasOwn(createPolicy().labels, label))
      throw policyError(['labels', label], 'no class', 'a class, for a label that the taxonomy does not have', placeOf);
  }
  file.profiles.forEach((profile, i) => {
    profile.keep?.forEach((label, j) => void check(label, ['profiles', i, 'keep', j]));
    for (const bound of ['le', 'quantile']) {
      const at = profile.drop?.indexOf(bound) ?? -1;
      if (at >= 0) throw policyError(['profiles', i, 'drop', at], JSON.stringify(bound), 'other labels', placeOf);
    }
  });
  file.aliases.forEach(({ to }, i) => void check(to, ['aliases', i, 'to']));
  file.stream_labels?.forEach((label, i) => void check(label, ['stream_labels', i]));
  file.fleet.labels?.forEach((label, i) => void check(label, ['fleet', 'labels', i]));
}

function checkRelabel({ relabel_configs }: PolicyFile, placeOf: PlaceOf): void {
  relabel_configs.forEach((config, i) => {
    try {
      compileRelabel(config, `relabel_configs.${i}`);
    } catch (error) {
      if (!(error instanceof BarographError)) throw error;
      const key = /^relabel_configs\.\d+\.(\w+)/.exec(error.message)?.[1];
      const path = ['relabel_configs', i, ...(key === undefined ? [] : [key])];
      const [, got = 'a rule that is wrong', accepted] =
        /: got (.*?)(?:, accepted is (.*))?$/s.exec(error.message) ?? [];
      throw policyError(path, got, accepted, placeOf);
    }
  });
}
