import type { ContentFields } from './content-fields.ts';
import { statusCode } from './error-text.ts';
import { cutHidden } from './hidden-text.ts';
import { byteLength } from './judge-series.ts';
import type { NameJudge } from './names.ts';
import type { Policy } from './policy.ts';
import { isProse } from './prose.ts';
import { REMOVED_MARK, scrubText } from './scrub-text.ts';
import { redactSecrets, sniffValue } from './sniff.ts';
import { cutSpeech, speaks } from './speech.ts';

/** A cleaned line and the rules by which something was taken out of it, each with the field's name where there is one. */
export interface CleanedLine {
  readonly line: string;
  readonly removals: readonly { readonly rule: string; readonly field: string }[];
  readonly wasTruncated: boolean;
}

const SPEAKING = /\b(?:i|me|my|mine|you|your|yours|please|tell|write|explain)\b|\?/i;
const MAX_DEPTH = 16;
/** Longer lines are cut before they are looked at as a whole. */
const MAX_PARSED_CHARACTERS = 1024 * 1024;
const NOTHING: readonly { rule: string; field: string }[] = [];

type Json = string | number | boolean | null | Json[] | { [key: string]: Json };
type Removals = { rule: string; field: string }[];

/** Takes content out of log lines: JSON, logfmt and the request logs of engines and clients. */
export class LineCleaner {
  private readonly limits: Policy['limits'];
  private readonly names: NameJudge;
  private readonly fields: ContentFields;
  private readonly personal: ReadonlySet<string>;
  private readonly texts: ReadonlySet<string>;
  private readonly errorNeedles: readonly string[];

  constructor(policy: Policy, names: NameJudge, fields: ContentFields) {
    this.limits = policy.limits;
    this.names = names;
    this.fields = fields;
    this.personal = new Set(policy.personalRules);
    this.texts = new Set(policy.content.descriptions);
    this.errorNeedles = policy.content.errorNeedles;
  }

  clean(line: string): CleanedLine {
    const short = line.length > MAX_PARSED_CHARACTERS ? line.slice(0, MAX_PARSED_CHARACTERS) : line;
    const removals: Removals = [];
    const cleaned = this.cleanJsonLine(short, removals) ?? this.cleanTextLine(short, removals);
    const cut = this.truncate(cleaned);
    const wasTruncated = cut !== cleaned || short !== line;
    return { line: cut, removals: removals.length === 0 ? NOTHING : removals, wasTruncated };
  }

  private truncate(line: string): string {
    const { logLineBytes } = this.limits;
    if (line.length * 3 <= logLineBytes || byteLength(line) <= logLineBytes) return line;
    // A character that the cut splits is dropped, with its replacement character.
    const cut = Buffer.from(line, 'utf8').subarray(0, logLineBytes).toString('utf8');
    return cut.endsWith('\ufffd') ? cut.slice(0, -1) : cut;
  }

  private cleanTextLine(line: string, removals: Removals): string {
    const scrubbed = isTraceback(line) ? this.scrubTraceback(line) : scrubText(line, this.fields);
    if (scrubbed !== line) removals.push({ rule: 'content_in_line', field: '' });
    const shown = cutHidden(scrubbed, (reading) => this.isHidden(reading), REMOVED_MARK);
    if (shown !== scrubbed) removals.push({ rule: 'encoded_text_in_line', field: '' });
    const redacted = redactSecrets(shown, REMOVED_MARK);
    if (redacted !== shown) removals.push({ rule: 'secret_in_line', field: '' });
    if (!speaks(redacted)) return redacted;
    removals.push({ rule: 'speech_in_line', field: '' });
    return cutSpeech(redacted, REMOVED_MARK);
  }

  /** Whether what a line hides behind an encoding is content; nobody encodes what may be read. */
  private isHidden(reading: string): boolean {
    return isProse(reading) || speaks(reading) || this.fields.holdsContent(reading);
  }

  /** A traceback's source lines are the program's own; only its other lines may quote what was sent. */
  private scrubTraceback(text: string): string {
    const lines = text.split('\n');
    const scrubbed = lines.map((line, i) =>
      i > 0 && /^\s+File ".*", line \d+/.test(lines[i - 1]) ? line : scrubText(line, this.fields),
    );
    return scrubbed.join('\n');
  }

  /** `undefined` where the line isn't a JSON object. */
  private cleanJsonLine(line: string, removals: Removals): string | undefined {
    const start = firstCharacter(line);
    if (start !== '{' && start !== '[') return undefined;
    let value: Json;
    try {
      value = parseJson(line);
    } catch {
      return undefined;
    }
    const cleaned = this.cleanJson(value, '', '', removals, 0);
    return cleaned === value ? line : JSON.stringify(cleaned);
  }

  /** The value without content, the same one where nothing was removed, `undefined` where nothing is left. */
  private cleanJson(value: Json, key: string, path: string, removals: Removals, depth: number): Json | undefined {
    if (typeof value === 'string') return this.cleanJsonText(value, key, removals);
    if (value === null || typeof value !== 'object' || isRawJson(value)) return value;
    if (depth > MAX_DEPTH) {
      removals.push({ rule: 'too_deep', field: key });
      return undefined;
    }
    if (Array.isArray(value)) return this.cleanJsonArray(value, key, path, removals, depth);
    let changed = false;
    const kept: [string, Json][] = [];
    for (const [name, member] of Object.entries(value)) {
      const memberPath = path === '' ? name : `${path}.${name}`;
      const cleaned = this.cleanMember(name, memberPath, member, removals, depth + 1);
      if (cleaned !== member) changed = true;
      if (cleaned !== undefined) kept.push([name, cleaned]);
    }
    return changed ? Object.fromEntries(kept) : value;
  }

  private cleanJsonArray(
    values: Json[],
    key: string,
    path: string,
    removals: Removals,
    depth: number,
  ): Json | undefined {
    const strings = values.filter((value) => typeof value === 'string');
    if (strings.length >= 3 && !this.texts.has(key) && isProse(strings.join(' '))) {
      removals.push({ rule: 'value_prose', field: key });
      return undefined;
    }
    const cleaned = values.map((value) => this.cleanJson(value, key, path, removals, depth + 1));
    return cleaned.every((value, i) => value === values[i]) ? values : cleaned.filter((value) => value !== undefined);
  }

  private cleanMember(name: string, path: string, value: Json, removals: Removals, depth: number): Json | undefined {
    if (typeof value === 'string' && this.isErrorText(name, path)) return this.cleanErrorText(value, name, removals);
    const rule = this.refuses(name, path, value);
    if (rule === undefined) return this.cleanJson(value, name, path, removals, depth);
    removals.push({ rule, field: name });
    return undefined;
  }

  private isErrorText(name: string, path: string): boolean {
    if (path === 'error.message' || path === 'exception.message') return true;
    if (this.texts.has(name)) return false;
    const verdict = this.names.judge(name);
    return verdict.kind === 'never' && verdict.rule === 'error_text';
  }

  /**
   * Error texts echo what was sent, so of most only a code stays. Those that the log classes know are kept, because
   * they are what an incident is found by, unless they speak to or of a person.
   */
  private cleanErrorText(value: string, name: string, removals: Removals): string | undefined {
    const isKnown = this.errorNeedles.some((needle) => value.includes(needle)) && !SPEAKING.test(value);
    if (isKnown) return this.cleanJsonText(value, name, removals, true);
    const code = statusCode(value);
    if (code === value) return value;
    removals.push({ rule: 'error_text', field: name });
    return code === '' ? undefined : code;
  }

  /** The rule that refuses a member, by its name; numbers and flags aren't content. */
  private refuses(name: string, path: string, value: Json): string | undefined {
    const verdict = this.names.judge(name);
    if (verdict.kind === 'never' && this.personal.has(verdict.rule)) return verdict.rule;
    if (verdict.kind === 'unfit') return 'attribute_name';
    if (value === null || typeof value === 'number' || typeof value === 'boolean' || value === '') return undefined;
    if (isRawJson(value)) return undefined;
    if (this.fields.isContent(name)) return 'content';
    return path !== name && path.length <= 256 && this.names.judge(path).kind === 'content' ? 'content' : undefined;
  }

  private cleanJsonText(
    value: string,
    key: string,
    removals: Removals,
    isText = key === '' || this.texts.has(key),
  ): string | undefined {
    const scrubbed = this.cleanJsonLine(value, removals) ?? this.cleanTextLine(value, removals);
    const kind = scrubbed.length < 5 ? undefined : sniffValue(scrubbed, 'personal', key);
    // A log's message is a sentence by nature, and so are the texts of errors.
    if (kind === undefined || kind === 'card' || (kind === 'prose' && isText)) return scrubbed;
    removals.push({ rule: `value_${kind}`, field: key });
    return undefined;
  }
}

// JSON.rawJSON keeps a number as it was written; TypeScript's library doesn't know it yet.
interface RawJson {
  rawJSON(text: string): Json;
  isRawJSON(value: unknown): boolean;
}
const RAW_JSON = JSON as unknown as RawJson;

/** Parses JSON so that integers beyond 2^53, such as nanoseconds, are written again digit for digit. */
function parseJson(text: string): Json {
  if (!/\d{16}/.test(text)) return JSON.parse(text) as Json;
  const keepDigits = (_key: string, value: Json, context: { source: string }) =>
    typeof value === 'number' && String(value) !== context.source ? RAW_JSON.rawJSON(context.source) : value;
  return (JSON.parse as (text: string, reviver: typeof keepDigits) => Json)(text, keepDigits);
}

function isRawJson(value: Json): boolean {
  return RAW_JSON.isRawJSON(value);
}

function isTraceback(line: string): boolean {
  return line.includes('Traceback (most recent call last)') || /\n\s+File ".*", line \d+/.test(line);
}

function firstCharacter(line: string): string {
  const code = line.charCodeAt(0);
  return code === 0x7b || code === 0x5b ? line[0] : line.trimStart().slice(0, 1);
}
