import type { NameJudge } from './names.ts';
import type { Policy } from './policy.ts';

const MAX_CACHED_FIELDS = 10_000;

/** Fields that are text by the taxonomy but say what happened in a log line. */
const LOG_TEXT = new Set(['message', 'msg', 'log', 'error', 'err', 'exception', 'summary', 'comment', 'detail']);

/** Stems of the names of content fields; a text without any of them isn't looked through. */
const HINT =
  /prompt|message|content|complet|input|output|response|request_?b|text|quer|question|answer|argument|instruct|generat|reason|think|choice|delta|body|payload|json_?data|token_?ids|embed|conversation|history|document|passage|snippet|transcript|utteranc|reply|tool|function|stop|thread|variable|result/i;

const FIELD = /([A-Za-z_][\w.$-]{0,80})(\\?["'`])?\s{0,4}[:=]/g;

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

  /** Whether a text can't hold a content field, by a look at it that costs little. */
  isClear(text: string): boolean {
    return !HINT.test(text);
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

  /** Whether a text is a structure (JSON, a repr, fields) with a content field that isn't empty. */
  holdsContent(text: string): boolean {
    if (text.length < 6 || this.isClear(text)) return false;
    FIELD.lastIndex = 0;
    for (let found = FIELD.exec(text); found !== null; found = FIELD.exec(text)) {
      if (found[2] !== undefined || text[FIELD.lastIndex - 1] === '=') {
        if (this.isContent(found[1]) && FIELD.lastIndex < text.length) return true;
      }
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
