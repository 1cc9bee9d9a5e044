import { createHash } from 'node:crypto';
import { RE2JS } from 're2js';
import { BarographError, type Labels } from '../model/index.ts';
import { expandTemplate, readTemplate, type Template } from './relabel-template.ts';

/** What a relabelling rule does; the names of Prometheus. */
export const RELABEL_ACTIONS = [
  'replace',
  'keep',
  'drop',
  'keepequal',
  'dropequal',
  'hashmod',
  'labelmap',
  'labeldrop',
  'labelkeep',
  'lowercase',
  'uppercase',
] as const;
export type RelabelAction = (typeof RELABEL_ACTIONS)[number];

/** One `relabel_config` as a file has it, with Prometheus's keys. What is absent has Prometheus's default. */
export interface RelabelConfig {
  /** Labels whose values are joined; default none. */
  readonly source_labels?: readonly string[];
  /** What stands between the joined values; default `;`. */
  readonly separator?: string;
  /** RE2, anchored at both ends; default `(.*)`. */
  readonly regex?: string;
  /** For `hashmod`: from 1 on. */
  readonly modulus?: number;
  readonly target_label?: string;
  /** Default `$1`. */
  readonly replacement?: string;
  /** Default `replace`; in any case. */
  readonly action?: string;
}

/** A rule that was checked and whose expressions are compiled; made by `compileRelabel`. */
export type RelabelRule =
  | {
      readonly kind: 'replace';
      readonly source: Source;
      readonly regex: RE2JS;
      readonly target: Template;
      readonly targetText: string;
      readonly replacement: Template;
      readonly replacementText: string;
      /** The expression is the default one, so that an empty value needs no match. */
      readonly isDefaultRegex: boolean;
    }
  | { readonly kind: 'keep' | 'drop'; readonly source: Source; readonly regex: RE2JS }
  | {
      readonly kind: 'keepequal' | 'dropequal' | 'lowercase' | 'uppercase';
      readonly source: Source;
      readonly targetText: string;
    }
  | { readonly kind: 'hashmod'; readonly source: Source; readonly targetText: string; readonly modulus: bigint }
  | { readonly kind: 'labelmap'; readonly regex: RE2JS; readonly replacement: Template }
  | { readonly kind: 'labeldrop' | 'labelkeep'; readonly regex: RE2JS };

interface Source {
  readonly labels: readonly string[];
  readonly separator: string;
}

const DEFAULT_REGEX = '(.*)';
const DEFAULT_SEPARATOR = ';';
const DEFAULT_REPLACEMENT = '$1';
/** A label name in UTF-8 with references to groups in it; a `$`, `{` or `}` of its own it can't have. */
const NAME_TEMPLATE = /^(?:[^${}]|\$\{[^${}]+\}|\$[^${}])+$/;

/**
 * Checks a rule as Prometheus does and compiles it.
 * @param where the place of the rule for errors, such as `scrape_configs[0].relabel_configs[2]`
 * @throws BarographError `bad_relabel` naming the key.
 */
export function compileRelabel(config: RelabelConfig, where: string): RelabelRule {
  const fail = (key: string, got: string, accepted: string): BarographError =>
    new BarographError({ code: 'bad_relabel', status: 400, where: `${where}.${key}`, got, accepted });
  const action = (config.action ?? 'replace').toLowerCase() as RelabelAction;
  if (!RELABEL_ACTIONS.includes(action)) {
    throw fail('action', JSON.stringify(action.slice(0, 40)), RELABEL_ACTIONS.join(', '));
  }
  checkFields(config, action, fail);
  const regex = compileAnchored(config.regex ?? DEFAULT_REGEX, fail);
  for (const name of config.source_labels ?? []) {
    if (!isLabelName(name)) throw fail('source_labels', JSON.stringify(name), 'names of labels');
  }
  const source = { labels: config.source_labels ?? [], separator: config.separator ?? DEFAULT_SEPARATOR };
  const targetText = config.target_label ?? '';
  const replacementText = config.replacement ?? DEFAULT_REPLACEMENT;
  switch (action) {
    case 'replace':
      return {
        kind: action,
        source,
        regex,
        target: readTemplate(targetText, regex),
        targetText,
        replacement: readTemplate(replacementText, regex),
        replacementText,
        isDefaultRegex: (config.regex ?? DEFAULT_REGEX) === DEFAULT_REGEX,
      };
    case 'keep':
    case 'drop':
      return { kind: action, source, regex };
    case 'keepequal':
    case 'dropequal':
    case 'lowercase':
    case 'uppercase':
      return { kind: action, source, targetText };
    case 'hashmod':
      return { kind: action, source, targetText, modulus: BigInt(config.modulus as number) };
    case 'labelmap':
      return { kind: action, regex, replacement: readTemplate(replacementText, regex) };
    case 'labeldrop':
    case 'labelkeep':
      return { kind: action, regex };
  }
}

type Fail = (key: string, got: string, accepted: string) => BarographError;

/** Which keys an action needs and which it can't have. Source: prometheus/prometheus model/relabel. */
function checkFields(config: RelabelConfig, action: RelabelAction, fail: Fail): void {
  const refuse = (keys: readonly (keyof RelabelConfig)[], accepted: string): void => {
    for (const key of keys) if (isSet(config, key)) throw fail(key, `a ${key} with the action ${action}`, accepted);
  };
  const target = config.target_label ?? '';
  switch (action) {
    case 'keep':
    case 'drop':
      return;
    case 'labelmap': {
      const replacement = config.replacement ?? DEFAULT_REPLACEMENT;
      if (!NAME_TEMPLATE.test(replacement)) throw fail('replacement', JSON.stringify(replacement), 'a label name');
      return;
    }
    case 'labeldrop':
    case 'labelkeep':
      refuse(['source_labels', 'target_label', 'modulus', 'separator', 'replacement'], 'only regex');
      return;
    case 'keepequal':
    case 'dropequal':
      refuse(['regex', 'modulus', 'separator', 'replacement'], 'only source_labels and target_label');
      break;
    case 'lowercase':
    case 'uppercase':
      refuse(['replacement'], 'none');
      break;
    case 'hashmod': {
      const { modulus = 0 } = config;
      if (!Number.isSafeInteger(modulus) || modulus < 1)
        throw fail('modulus', String(modulus), 'a whole number from 1');
      break;
    }
    case 'replace':
  }
  if (target === '') throw fail('target_label', 'none', `a label name, which the action ${action} needs`);
  const isTemplate = action === 'replace' && target.includes('$');
  if (isTemplate ? !NAME_TEMPLATE.test(target) : !isLabelName(target)) {
    throw fail('target_label', JSON.stringify(target), 'a label name');
  }
}

/** Whether a key says something else than its default. */
function isSet(config: RelabelConfig, key: keyof RelabelConfig): boolean {
  const value = config[key];
  switch (key) {
    case 'separator':
      return value !== undefined && value !== DEFAULT_SEPARATOR;
    case 'regex':
      return value !== undefined && value !== DEFAULT_REGEX;
    case 'replacement':
      return value !== undefined && value !== DEFAULT_REPLACEMENT;
    case 'modulus':
      return value !== undefined && value !== 0;
    default:
      return value !== undefined && value !== '';
  }
}

/** Any text in UTF-8 that isn't empty. */
function isLabelName(name: string): boolean {
  return name !== '' && name.isWellFormed();
}

function compileAnchored(pattern: string, fail: Fail): RE2JS {
  try {
    // The pattern alone first: what closes a group that it didn't open must not be hidden by the anchors' group.
    RE2JS.compile(pattern, RE2JS.DOTALL);
    return RE2JS.compile(`^(?s:${pattern})$`);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw fail('regex', JSON.stringify(pattern.slice(0, 200)), `an expression in RE2 syntax (${reason})`);
  }
}

/**
 * Applies rules in order.
 * @returns The labels as the rules leave them, or `undefined` where they drop the target or series. The same array where
 *   nothing changed.
 */
export function relabel(labels: Labels, rules: readonly RelabelRule[]): Labels | undefined {
  if (rules.length === 0) return labels;
  const editor = new LabelEditor(labels);
  for (const rule of rules) if (!applyRule(rule, editor)) return undefined;
  return editor.isChanged ? editor.labels() : labels;
}

/** False where the rule drops the labels. */
function applyRule(rule: RelabelRule, editor: LabelEditor): boolean {
  switch (rule.kind) {
    case 'keep':
      return rule.regex.test(joined(rule.source, editor));
    case 'drop':
      return !rule.regex.test(joined(rule.source, editor));
    case 'keepequal':
      return editor.get(rule.targetText) === joined(rule.source, editor);
    case 'dropequal':
      return editor.get(rule.targetText) !== joined(rule.source, editor);
    case 'replace':
      replace(rule, editor);
      return true;
    case 'lowercase':
      editor.set(rule.targetText, toLower(joined(rule.source, editor)));
      return true;
    case 'uppercase':
      editor.set(rule.targetText, toUpper(joined(rule.source, editor)));
      return true;
    case 'hashmod': {
      // The last eight bytes of the MD5, as in every version of Prometheus, so that shards agree with it.
      const hash = createHash('md5').update(joined(rule.source, editor), 'utf8').digest().readBigUInt64BE(8);
      editor.set(rule.targetText, String(hash % rule.modulus));
      return true;
    }
    case 'labelmap':
      for (const [name, value] of editor.entries()) {
        const match = rule.regex.exec(name);
        if (match) editor.set(expandTemplate(rule.replacement, match), value);
      }
      return true;
    case 'labeldrop':
      for (const [name] of editor.entries()) if (rule.regex.test(name)) editor.set(name, '');
      return true;
    case 'labelkeep':
      for (const [name] of editor.entries()) if (!rule.regex.test(name)) editor.set(name, '');
      return true;
  }
}

function replace(rule: RelabelRule & { kind: 'replace' }, editor: LabelEditor): void {
  const value = joined(rule.source, editor);
  if (value === '' && rule.isDefaultRegex && rule.target.isPlain && rule.replacement.isPlain) {
    editor.set(rule.targetText, rule.replacementText);
    return;
  }
  const match = rule.regex.exec(value);
  if (!match) return;
  const target = expandTemplate(rule.target, match);
  if (isLabelName(target)) editor.set(target, expandTemplate(rule.replacement, match));
}

function joined({ labels, separator }: Source, editor: LabelEditor): string {
  if (labels.length === 1) return editor.get(labels[0]);
  return labels.map((name) => editor.get(name)).join(separator);
}

/**
 * A label set while rules change it. `entries` goes through the labels in the order in which Prometheus's builder does:
 * those it began with by name, then the ones that were set, so that of two labels that `labelmap` brings to one name the
 * same one wins.
 */
class LabelEditor {
  isChanged = false;
  readonly #values = new Map<string, string>();
  readonly #added = new Set<string>();

  constructor(labels: Labels) {
    for (let i = 0; i < labels.length; i += 2) this.#values.set(labels[i], labels[i + 1]);
  }

  get(name: string): string {
    return this.#values.get(name) ?? '';
  }

  /** An empty value removes the label. */
  set(name: string, value: string): void {
    this.isChanged = true;
    if (value === '') {
      this.#values.delete(name);
      this.#added.delete(name);
      return;
    }
    if (!this.#added.has(name)) {
      this.#values.delete(name);
      this.#added.add(name);
    }
    this.#values.set(name, value);
  }

  /** The labels as they are now; changes while they are gone through aren't among them. */
  entries(): [string, string][] {
    return [...this.#values];
  }

  labels(): Labels {
    const names = [...this.#values.keys()].sort();
    return names.flatMap((name) => [name, this.#values.get(name) as string]);
  }
}

/** Lower case letter by letter, as Go does: `Σ` is `σ` at a word's end too, and a letter stays one letter. */
function toLower(text: string): string {
  return mapLetters(text, (letter) => (letter === 'İ' ? 'i' : letter.toLowerCase()));
}

function toUpper(text: string): string {
  return mapLetters(text, (letter) => IOTA_CAPITALS.get(letter) ?? letter.toUpperCase());
}

function mapLetters(text: string, map: (letter: string) => string): string {
  let out = '';
  for (const letter of text) {
    const mapped = map(letter);
    // What becomes several letters has no simple mapping, and stays.
    out += [...mapped].length === 1 ? mapped : letter;
  }
  return out;
}

/** Greek letters with an iota below: the simple mapping is one letter, JavaScript's are two. Source: UnicodeData.txt. */
const IOTA_CAPITALS: ReadonlyMap<string, string> = new Map(
  [
    ...[0x1f80, 0x1f90, 0x1fa0].flatMap((first) => Array.from({ length: 8 }, (_, i) => [first + i, first + i + 8])),
    [0x1fb3, 0x1fbc],
    [0x1fc3, 0x1fcc],
    [0x1ff3, 0x1ffc],
  ].map(([small, capital]) => [String.fromCodePoint(small), String.fromCodePoint(capital)]),
);
