import { nextField } from './field-site.ts';
import { readings } from './hidden-text.ts';
import type { NameJudge } from './names.ts';
import type { Policy } from './policy.ts';
import { isProse } from './prose.ts';

const MAX_CACHED_FIELDS = 10_000;

/** Fields that are text by the taxonomy but say what happened in a log line. */
const LOG_TEXT = new Set(['message', 'msg', 'log', 'error', 'err', 'exception', 'summary', 'comment', 'detail']);

/** Knows which fields of log lines and of structured texts carry content. */
export class ContentFields {
  private verdicts = new Map<string, boolean>();
  private readonly names: NameJudge;
  private readonly fields: ReadonlySet<string>;
  private readonly textRules: ReadonlySet<string>;

  constructor(policy: Policy, names: NameJudge) {
    this.names = names;
    this.fields = new Set(policy.content.logFields);
    this.textRules = new Set(policy.textRules.filter((rule) => rule !== 'error_text'));
  }

  /** Whether a field carries content by its name, in any spelling; `a.b.content` goes by its last part too. */
  isContent(field: string): boolean {
    const known = this.verdicts.get(field);
    if (known !== undefined) return known;
    const verdict = this.judge(field);
    if (this.verdicts.size >= MAX_CACHED_FIELDS) this.verdicts = new Map();
    if (field.length <= 128) this.verdicts.set(field, verdict);
    return verdict;
  }

  /**
   * Whether a text is a structure (JSON, a repr, fields) with a content field that isn't empty, or a list of words or
   * tokens that read like a sentence; also where it is escaped or encoded.
   */
  holdsContent(text: string): boolean {
    if (this.isStructure(text)) return true;
    for (const reading of readings(text)) if (this.isStructure(reading)) return true;
    return false;
  }

  private isStructure(text: string): boolean {
    if (text.startsWith('[') && isListOfProse(text)) return true;
    for (let site = nextField(text, 0); site; site = nextField(text, site.start)) {
      if ((site.isQuoted || site.isAssigned) && site.start < text.length && this.isContent(site.name)) return true;
    }
    return false;
  }

  private judge(field: string): boolean {
    const lower = field.toLowerCase();
    if (LOG_TEXT.has(lower)) return false;
    if (this.fields.has(lower.replace(/[^a-z0-9]/g, ''))) return true;
    const verdict = this.names.judge(field);
    if (verdict.kind === 'content') return true;
    if (verdict.kind === 'never' && this.textRules.has(verdict.rule)) return true;
    const parts = lower.split('.').filter((part) => !/^\d+$/.test(part));
    const last = parts.at(-1);
    return (
      parts.length > 1 && last !== undefined && !LOG_TEXT.has(last) && this.fields.has(last.replace(/[^a-z0-9]/g, ''))
    );
  }
}

/** Lists of OTLP's attributes become JSON where a label or structured metadata takes them. */
function isListOfProse(text: string): boolean {
  try {
    const list: unknown = JSON.parse(text);
    if (!Array.isArray(list)) return false;
    const words = list.flat(4).filter((value) => typeof value === 'string');
    return words.length >= 3 && isProse(words.join(' '));
  } catch {
    return false;
  }
}
