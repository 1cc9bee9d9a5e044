import type { Attributes, AttributeValue } from '../model/index.ts';
import type { ContentFields } from './content-fields.ts';
import type { Action, DecisionLog, Signal, Source } from './decisions.ts';
import { byteLength } from './judge-series.ts';
import type { NameJudge } from './names.ts';
import type { Policy } from './policy.ts';
import { isProse } from './prose.ts';
import { sniffValue } from './sniff.ts';

/** Where an attribute was met, for the counters. */
export interface Place {
  readonly signal: Signal;
  readonly source: Source;
}

/** What becomes of an attribute of a span, or of a log line's metadata. */
export type AttributeFate =
  /** `isRequest`: it identifies a request, so there are as many values as requests. */
  | { readonly kind: 'kept'; readonly isRequest: boolean }
  /** Under its new name, unless the object has that already. */
  | { readonly kind: 'renamed'; readonly to: string }
  /** `isOnlyText`: numbers of that name stay. */
  | { readonly kind: 'removed'; readonly rule: string; readonly isOnlyText: boolean };

const MAX_DEPTH = 5;
const MAX_HARMLESS = 20_000;
const MAX_HARMLESS_CHARACTERS = 64;
const URL_NAMES = new Set(['http.target', 'http.url', 'url.full', 'http.request.url']);
const HAS_SCHEME = /^[a-z][a-z0-9+.-]{1,20}:\/\//i;

/** Removes content, personal data, secrets and oversized values from attributes; identifiers of requests stay. */
export class AttributeCleaner {
  /** Short values that were found clean lately, whatever their attribute; the same few codes stand in every span. */
  private harmless = new Set<string>();
  private readonly policy: Policy;
  private readonly names: NameJudge;
  private readonly decisions: DecisionLog;
  private readonly fields: ContentFields;
  private readonly renames: ReadonlyMap<string, string>;
  private readonly personal: ReadonlySet<string>;
  private readonly text: ReadonlySet<string>;
  private readonly descriptions: ReadonlySet<string>;

  constructor(policy: Policy, names: NameJudge, decisions: DecisionLog, fields: ContentFields) {
    this.policy = policy;
    this.names = names;
    this.decisions = decisions;
    this.fields = fields;
    this.personal = new Set(policy.personalRules);
    this.text = new Set(policy.textRules);
    this.descriptions = new Set(policy.content.descriptions);
    this.renames = new Map(
      Object.entries(policy.attributes).flatMap(([name, { was }]) => was.map((old) => [old, name] as const)),
    );
  }

  /** What becomes of an attribute by its name alone; counts nothing. */
  fateOf(name: string): AttributeFate {
    const to = this.renames.get(name);
    if (to !== undefined) return { kind: 'renamed', to };
    const [text, number] = [this.refusedByName(name, name, ''), this.refusedByName(name, name, 0)];
    if (text === undefined) return { kind: 'kept', isRequest: this.isRequest(name) };
    return { kind: 'removed', rule: text, isOnlyText: number === undefined };
  }

  private isRequest(name: string): boolean {
    const verdict = this.names.judge(name);
    return verdict.kind === 'never' && this.policy.requestRules.includes(verdict.rule);
  }

  /** The attributes without what is refused; the same object where nothing had to change. */
  clean(attributes: Attributes, place: Place): Attributes {
    const names = Object.keys(attributes);
    const max = this.policy.limits.attributesPerObject;
    let changed = names.length > max;
    if (changed) this.decisions.add(place.signal, place.source, 'too_many_attributes', 'truncated', '');
    const cleaned: [string, AttributeValue][] = [];
    for (const name of names.slice(0, max)) {
      const value = this.cleanNamed(name, name, attributes[name], place, 0);
      if (value !== attributes[name]) changed = true;
      if (value === undefined) continue;
      const newName = this.renamed(name, attributes, place);
      if (newName !== name) changed = true;
      cleaned.push([newName, value]);
    }
    // fromEntries defines its members, so that a name such as __proto__ is one like any other.
    return changed ? Object.fromEntries(cleaned) : attributes;
  }

  /**
   * The attributes with what is refused taken out of their maps and lists, and the rest as it is; for those that become
   * flat names and texts before they are judged, in which nothing tells a map's key from a piece of a name.
   */
  cleanNested(attributes: Attributes, place: Place): Attributes {
    let cleaned: [string, AttributeValue][] | undefined;
    const names = Object.keys(attributes);
    for (const [i, name] of names.entries()) {
      const value = attributes[name];
      const kept = value !== null && typeof value === 'object' ? this.cleanNamed(name, name, value, place, 0) : value;
      if (kept !== value) cleaned ??= names.slice(0, i).map((before) => [before, attributes[before]]);
      if (cleaned && kept !== undefined) cleaned.push([name, kept]);
    }
    return cleaned ? Object.fromEntries(cleaned) : attributes;
  }

  /** A string value without what is refused, or `undefined`; for values that stand outside attributes. */
  cleanText(name: string, value: string, place: Place): string | undefined {
    const cleaned = this.cleanNamed(name, name, value, place, 0);
    return typeof cleaned === 'string' ? cleaned : undefined;
  }

  private renamed(name: string, attributes: Attributes, place: Place): string {
    const newName = this.renames.get(name);
    if (newName === undefined || Object.hasOwn(attributes, newName)) return name;
    this.decisions.add(place.signal, place.source, 'attribute_rename', 'renamed', name);
    return newName;
  }

  private cleanNamed(
    name: string,
    path: string,
    value: AttributeValue,
    place: Place,
    depth: number,
  ): AttributeValue | undefined {
    const rule = this.refusedByName(name, path, value);
    if (rule !== undefined) return this.remove(place, rule, name);
    return this.cleanValue(name, path, value, place, depth);
  }

  private refusedByName(name: string, path: string, value: AttributeValue): string | undefined {
    if (this.renames.has(name) || Object.hasOwn(this.policy.attributes, name)) return undefined;
    const verdict = this.names.judge(name);
    switch (verdict.kind) {
      case 'content':
        return 'content';
      case 'unfit':
        return 'attribute_name';
      case 'never':
        if (this.personal.has(verdict.rule)) return verdict.rule;
        if (this.text.has(verdict.rule) && holdsText(value)) return verdict.rule;
        break;
      case 'taxonomy':
      case 'other':
        break;
    }
    // An attribute within a map is also known by its whole path, as one that was flattened would be.
    return path !== name && path.length <= 256 && this.names.judge(path).kind === 'content' ? 'content' : undefined;
  }

  private cleanValue(
    name: string,
    path: string,
    value: AttributeValue,
    place: Place,
    depth: number,
  ): AttributeValue | undefined {
    if (typeof value === 'string') return this.cleanString(name, value, place);
    if (value === null || typeof value !== 'object') return value;
    if (depth >= MAX_DEPTH) return this.remove(place, 'too_deep', name);
    return Array.isArray(value)
      ? this.cleanArray(name, path, value, place, depth)
      : this.cleanMap(name, path, value, place, depth);
  }

  private cleanString(name: string, value: string, place: Place): string | undefined {
    if (this.harmless.has(value)) return value;
    const cleaned = this.judgeString(name, value, place);
    const isShort = value.length <= MAX_HARMLESS_CHARACTERS;
    // A question mark is judged by the attribute's name, so such a value isn't harmless everywhere.
    if (cleaned === value && isShort && !value.includes('?') && !this.descriptions.has(name)) {
      if (this.harmless.size >= MAX_HARMLESS) this.harmless = new Set();
      this.harmless.add(value);
    }
    return cleaned;
  }

  private judgeString(name: string, value: string, place: Place): string | undefined {
    const { attributeBytes } = this.policy.limits;
    if (value.length * 3 > attributeBytes && byteLength(value) > attributeBytes)
      return this.remove(place, 'too_long', name);
    let kept = value;
    if (HAS_SCHEME.test(value) || (URL_NAMES.has(name) && value.includes('?'))) {
      kept = withoutQuery(value);
      if (kept !== value) this.decisions.add(place.signal, place.source, 'url_query', 'truncated', name);
    }
    const kind = sniffValue(kept, 'personal', name);
    if (kind !== undefined && !(kind === 'prose' && this.descriptions.has(name)))
      return this.remove(place, `value_${kind}`, name);
    if (this.fields.holdsContent(kept)) return this.remove(place, 'content_in_value', name);
    return kept;
  }

  private cleanArray(
    name: string,
    path: string,
    values: readonly AttributeValue[],
    place: Place,
    depth: number,
  ): AttributeValue | undefined {
    const { attributesPerObject, attributeBytes } = this.policy.limits;
    const strings = values.filter((value) => typeof value === 'string');
    // A text may come as an array of its words or tokens.
    if (strings.length >= 3 && isProse(strings.join(' '))) return this.remove(place, 'value_prose', name);
    if (strings.reduce((sum, value) => sum + value.length, 0) > attributeBytes)
      return this.remove(place, 'too_long', name);
    let changed = values.length > attributesPerObject;
    if (changed) this.decisions.add(place.signal, place.source, 'too_many_elements', 'truncated', name);
    const cleaned: AttributeValue[] = [];
    for (const value of values.slice(0, attributesPerObject)) {
      const kept = this.cleanValue(name, path, value, place, depth + 1);
      if (kept !== value) changed = true;
      if (kept !== undefined) cleaned.push(kept);
    }
    return changed ? cleaned : (values as AttributeValue[]);
  }

  private cleanMap(
    name: string,
    path: string,
    value: { [key: string]: AttributeValue },
    place: Place,
    depth: number,
  ): AttributeValue {
    const keys = Object.keys(value).slice(0, this.policy.limits.attributesPerObject);
    let changed = keys.length < Object.keys(value).length;
    if (changed) this.decisions.add(place.signal, place.source, 'too_many_attributes', 'truncated', name);
    const cleaned: [string, AttributeValue][] = [];
    for (const key of keys) {
      const kept = this.cleanNamed(key, `${path}.${key}`, value[key], place, depth + 1);
      if (kept !== value[key]) changed = true;
      if (kept !== undefined) cleaned.push([key, kept]);
    }
    return changed ? Object.fromEntries(cleaned) : value;
  }

  private remove(place: Place, rule: string, name: string, action: Action = 'removed'): undefined {
    this.decisions.add(place.signal, place.source, rule, action, name);
    return undefined;
  }
}

/** The address without query, fragment and credentials. */
function withoutQuery(url: string): string {
  const end = url.search(/[?#]/);
  return (end < 0 ? url : url.slice(0, end)).replace(/:\/\/[^/\s@]*@/, '://');
}

function holdsText(value: AttributeValue): boolean {
  if (typeof value === 'string') return true;
  if (value === null || typeof value !== 'object') return false;
  return Object.values(value).some(holdsText);
}
