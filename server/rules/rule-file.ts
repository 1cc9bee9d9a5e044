import { isMap, isScalar, isSeq, LineCounter, type Node, parseDocument } from 'yaml';
import { BarographError, labelsFromRecord, labelsKey, parseDurationMs } from '../model/index.ts';
import { parsePromql } from '../query/index.ts';
import { parseTemplate } from './template-parse.ts';

/** What a recording and an alerting rule have in common. */
interface RuleBase {
  /** Of a recording rule the metric, of an alerting rule the alert's name. */
  readonly name: string;
  readonly expr: string;
  /** With those of the group; values of alerting rules are templates. */
  readonly labels: Readonly<Record<string, string>>;
  /** Line of the file, from 1. */
  readonly line: number;
}

/** A rule whose result is written as a metric. */
export interface RecordingRuleSpec extends RuleBase {
  readonly kind: 'record';
}

/** A rule whose result is alerts. Durations are milliseconds. */
export interface AlertingRuleSpec extends RuleBase {
  readonly kind: 'alert';
  readonly forMs: number;
  readonly keepFiringForMs: number;
  /** Templates. */
  readonly annotations: Readonly<Record<string, string>>;
}

/** A rule as its file has it. */
export type RuleSpec = RecordingRuleSpec | AlertingRuleSpec;

/** Rules that are evaluated together, one after another. */
export interface RuleGroupSpec {
  readonly file: string;
  readonly name: string;
  /** Milliseconds; 0 for the configured interval. */
  readonly intervalMs: number;
  /** Series or alerts of one rule at most; 0 for no limit. */
  readonly limit: number;
  /** Milliseconds before the time of evaluation at which expressions are asked. */
  readonly queryOffsetMs: number;
  readonly rules: readonly RuleSpec[];
}

const GROUP_KEYS = ['name', 'interval', 'limit', 'query_offset', 'labels', 'rules', 'partial_response_strategy'];
const RULE_KEYS = ['record', 'alert', 'expr', 'for', 'keep_firing_for', 'labels', 'annotations'];
const LABEL_NAME = /^[a-zA-Z_][a-zA-Z0-9_]*$/;
/** What a person who is woken must find. */
const PAGE_NEEDS = ['owner', 'runbook_url', 'impact'];
const PAGING_SEVERITY = new Set(['page', 'critical']);
/** Bytes of a rule file at most. */
const MAX_FILE_CHARACTERS = 16 * 1024 * 1024;

/**
 * Reads a Prometheus rule file, strictly: an unknown key, an expression or template that doesn't parse and a rule that
 * is there twice are errors.
 * @param file its name, as errors and the API say it
 * @throws BarographError `bad_rules` with file and line.
 */
export function readRuleFile(text: string, file: string): RuleGroupSpec[] {
  return new RuleFileReader(text, file).groups();
}

class RuleFileReader {
  readonly #file: string;
  readonly #lines = new LineCounter();
  readonly #root: Node | null;

  constructor(text: string, file: string) {
    this.#file = file;
    if (text.length > MAX_FILE_CHARACTERS) {
      throw this.#error(null, `${text.length} characters`, `at most ${MAX_FILE_CHARACTERS}`);
    }
    const document = parseDocument(text, { lineCounter: this.#lines, prettyErrors: false, merge: true });
    const [error] = document.errors;
    if (error) throw this.#errorAt(this.#lines.linePos(error.pos[0]).line, `no YAML (${error.code})`, 'YAML 1.2');
    this.#root = document.contents as Node | null;
  }

  groups(): RuleGroupSpec[] {
    if (this.#root === null) return [];
    const root = this.#mapping(this.#root, ['groups']);
    const names = new Set<string>();
    return this.#sequence(root.get('groups')).map((node) => {
      const group = this.#group(node);
      if (names.has(group.name)) throw this.#error(node, `group ${JSON.stringify(group.name)} twice`, 'unique names');
      names.add(group.name);
      return group;
    });
  }

  #group(node: Node): RuleGroupSpec {
    const keys = this.#mapping(node, GROUP_KEYS);
    const name = this.#text(keys.get('name'));
    if (name === '') throw this.#error(node, 'a group without name', 'a name');
    const strategy = this.#text(keys.get('partial_response_strategy'));
    // Everything is in one store here, so an answer is never partial and both strategies mean the same.
    if (strategy !== '' && !/^(warn|abort)$/i.test(strategy)) {
      throw this.#error(keys.get('partial_response_strategy'), JSON.stringify(strategy.slice(0, 40)), 'warn or abort');
    }
    const limit = this.#text(keys.get('limit')) || '0';
    if (!/^-?\d{1,9}$/.test(limit)) throw this.#error(keys.get('limit'), 'no whole number', 'a whole number');
    const shared = this.#texts(keys.get('labels'), 'label');
    const rules: RuleSpec[] = [];
    const seen = new Set<string>();
    for (const item of this.#sequence(keys.get('rules'))) {
      const rule = this.#rule(item, shared);
      const key = `${rule.kind}\0${rule.name}\0${labelsKey(labelsFromRecord(rule.labels))}\0${rule.expr}`;
      if (seen.has(key)) {
        throw this.#error(item, `rule ${rule.name} twice in its group`, 'rules that differ', 'remove one of them');
      }
      seen.add(key);
      rules.push(rule);
    }
    const intervalMs = this.#duration(keys.get('interval'));
    const queryOffsetMs = this.#duration(keys.get('query_offset'));
    return { file: this.#file, name, intervalMs, limit: Math.max(0, Number(limit)), queryOffsetMs, rules };
  }

  #rule(node: Node, shared: Readonly<Record<string, string>>): RuleSpec {
    const keys = this.#mapping(node, RULE_KEYS);
    const [record, alert] = [this.#text(keys.get('record')), this.#text(keys.get('alert'))];
    if ((record === '') === (alert === '')) throw this.#error(node, 'a rule with both or neither', 'record or alert');
    const expr = this.#text(keys.get('expr'));
    if (expr === '') throw this.#error(node, 'a rule without expr', 'a PromQL expression');
    try {
      parsePromql(expr);
    } catch (error) {
      throw this.#error(keys.get('expr'), `an expression that is refused: ${(error as Error).message}`, 'PromQL');
    }
    const labels = { ...shared, ...this.#texts(keys.get('labels'), 'label') };
    const line = this.#lineOf(node);
    if (record !== '') {
      for (const key of ['for', 'keep_firing_for', 'annotations']) {
        if (keys.has(key)) throw this.#error(keys.get(key), `${key} of a recording rule`, 'record, expr, labels');
      }
      if (!/^[a-zA-Z_:][a-zA-Z0-9_:]*$/.test(record)) {
        throw this.#error(keys.get('record'), JSON.stringify(record.slice(0, 80)), 'a metric name');
      }
      return { kind: 'record', name: record, expr, labels, line };
    }
    const annotations = this.#texts(keys.get('annotations'), 'annotation');
    for (const [key, texts] of Object.entries({ labels, annotations })) {
      for (const [name, text] of Object.entries(texts))
        this.#checkTemplate(text, `${key}.${name}`, keys.get(key) ?? node);
    }
    this.#checkClass(node, labels, annotations);
    const forMs = this.#duration(keys.get('for'));
    const keepFiringForMs = this.#duration(keys.get('keep_firing_for'));
    return { kind: 'alert', name: alert, expr, labels, line, forMs, keepFiringForMs, annotations };
  }

  #checkTemplate(text: string, name: string, node: Node): void {
    try {
      parseTemplate(text);
    } catch (error) {
      throw this.#error(node, `${name}: ${(error as Error).message}`, 'a template of Prometheus');
    }
  }

  /** The wall between what may wake somebody and what may not. */
  #checkClass(
    node: Node,
    labels: Readonly<Record<string, string>>,
    annotations: Readonly<Record<string, string>>,
  ): void {
    const { class: alertClass } = labels;
    if (alertClass === undefined) return;
    if (alertClass === 'page') {
      const missing = PAGE_NEEDS.filter((name) => !(annotations[name] ?? labels[name]));
      if (missing.length === 0) return;
      throw this.#error(
        node,
        `class page without ${missing.join(', ')}`,
        'owner, runbook_url and impact',
        'add them as annotations or labels',
      );
    }
    if (alertClass !== 'notify') {
      throw this.#error(
        node,
        'an unknown label class',
        'page or notify, written out',
        'leave the label out for neither',
      );
    }
    const { severity = '' } = labels;
    // A severity that is only known once the alert fires could turn out to be a paging one.
    if (PAGING_SEVERITY.has(severity.toLowerCase()) || severity.includes('{{')) {
      throw this.#error(
        node,
        'class notify with a severity that pages',
        'another severity',
        'class notify never wakes anybody',
      );
    }
  }

  #mapping(node: Node | undefined, accepted: readonly string[]): Map<string, Node> {
    if (!isMap(node)) throw this.#error(node, 'no mapping', `keys ${accepted.join(', ')}`);
    const out = new Map<string, Node>();
    for (const { key, value } of node.items) {
      const name = isScalar(key) ? String(key.value) : '';
      if (!accepted.includes(name)) {
        throw this.#error(key as Node, `key ${JSON.stringify(name.slice(0, 80))}`, accepted.join(', '));
      }
      if (isScalar(value) && value.value === null) continue;
      if (value !== null) out.set(name, value as Node);
    }
    return out;
  }

  #sequence(node: Node | undefined): Node[] {
    if (node === undefined) return [];
    if (!isSeq(node)) throw this.#error(node, 'no list', 'a list');
    return node.items as Node[];
  }

  /** The text of a scalar as it is written; '' where there is none. */
  #text(node: Node | undefined): string {
    if (node === undefined) return '';
    if (!isScalar(node)) throw this.#error(node, 'no text', 'a text');
    return typeof node.value === 'string' ? node.value : (node.source ?? String(node.value));
  }

  #texts(node: Node | undefined, what: string): Record<string, string> {
    const out: Record<string, string> = {};
    if (node === undefined) return out;
    if (!isMap(node)) throw this.#error(node, 'no mapping', `${what}s by name`);
    for (const { key, value } of node.items) {
      const name = isScalar(key) ? String(key.value) : '';
      if (!LABEL_NAME.test(name) || name === '__name__' || (what === 'label' && name === '__proto__')) {
        throw this.#error(key as Node, `${what} name ${JSON.stringify(name.slice(0, 80))}`, 'a plain label name');
      }
      out[name] = value === null ? '' : this.#text(value as Node);
    }
    return out;
  }

  #duration(node: Node | undefined): number {
    if (node === undefined) return 0;
    try {
      return parseDurationMs(this.#text(node));
    } catch (error) {
      throw this.#error(node, (error as Error).message, 'a duration such as 5m');
    }
  }

  #lineOf(node: Node | null | undefined): number {
    return this.#lines.linePos(node?.range?.[0] ?? 0).line;
  }

  #error(node: Node | null | undefined, got: string, accepted: string, fix?: string): BarographError {
    return this.#errorAt(this.#lineOf(node), got, accepted, fix);
  }

  #errorAt(line: number, got: string, accepted: string, fix?: string): BarographError {
    return new BarographError({ code: 'bad_rules', status: 500, where: `${this.#file}:${line}`, got, accepted, fix });
  }
}
