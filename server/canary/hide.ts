import { CONTENT_NAMES, PLAIN_NAMES } from './hide.data.ts';
import { ENCODINGS, type Encoding, encodeText, markerOf } from './marker.ts';
import { PROMPTS } from './prompts.data.ts';
import { type Draw, pick } from './random.ts';

/** A value of an attribute before a protocol writes it. */
export type Value = string | number | boolean | Uint8Array | readonly Value[] | { readonly [key: string]: Value };
export type ValueRecord = Readonly<Record<string, Value>>;

/** Where a marker was hidden, so that a finding can be named without quoting it. */
export interface HiddenPlace {
  /** The receiver, such as `otlp_http_json`. */
  readonly path: string;
  /** The place in its message, such as `span event › attributes`. */
  readonly place: string;
  readonly encoding: Encoding;
}

/** Says whether content is hidden at a place. */
export type Decide = (place: string) => boolean;

/**
 * Puts content with markers in the place of harmless texts while messages are built, and remembers where. One of it is
 * one run: its root is in every marker.
 */
export class Hider {
  readonly root: string;
  /** Choices of what is harmless. */
  readonly draw: Draw;
  readonly places: HiddenPlace[] = [];
  /** A word that must stay, in every log entry and span: that it is found shows that the search sees. */
  control = 'canary';
  /** The receiver for which messages are being built. */
  path = '';
  private readonly decide: Decide;
  private readonly hide: Draw;

  /** @param hide choices of what is hidden and how, where these are others than those of what is harmless */
  constructor(root: string, draw: Draw, decide: Decide, hide: Draw = draw) {
    this.root = root;
    this.draw = draw;
    this.decide = decide;
    this.hide = hide;
  }

  /** The harmless text, or a prompt in plain text or encoded. */
  text(place: string, harmless: string): string {
    return this.decide(place) ? this.encoded(place) : harmless;
  }

  /** The harmless text, or a prompt as a name of letters and digits (`why_does_my_…`), for what allows no others. */
  name(place: string, harmless: string): string {
    return this.decide(place) ? slug(this.prompt(place, 'plain')) : harmless;
  }

  /** The harmless attributes, perhaps with such beside them that hold a prompt. */
  attributes(place: string, harmless: ValueRecord): ValueRecord {
    if (!this.decide(place)) return harmless;
    return { ...harmless, ...this.hidingAttributes(place) };
  }

  /** The harmless labels, perhaps with such beside them that hold a prompt; names are those that Prometheus allows. */
  labels(place: string, harmless: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
    if (!this.decide(place)) return harmless;
    const name = pick(this.hide, PLAIN_NAMES).replaceAll('.', '_');
    switch (this.hide(7)) {
      case 0:
        return { ...harmless, [pick(this.hide, CONTENT_NAMES).replace(/[^\w]/g, '_')]: this.encoded(place) };
      case 1:
        return { ...harmless, [pick(this.hide, TAXONOMY_LABELS)]: this.encoded(place) };
      case 2:
        return { ...harmless, [name]: JSON.stringify({ messages: [{ role: 'user', content: this.encoded(place) }] }) };
      case 3:
        return { ...harmless, [slug(this.prompt(place, 'plain'))]: '1' };
      case 4: {
        const [first, second] = this.halves(place);
        return { ...harmless, [`${name}_1`]: first, [`${name}_2`]: second };
      }
      default:
        return { ...harmless, [name]: this.encoded(place) };
    }
  }

  /** The harmless line, or one in which an engine, a client or a careless service wrote a prompt. */
  line(place: string, harmless: string): string {
    return this.decide(place) ? this.hidingLine(place) : harmless;
  }

  /** The harmless body, or one that holds a prompt as text, map or list. */
  body(place: string, harmless: Value): Value {
    if (!this.decide(place)) return harmless;
    switch (this.hide(4)) {
      case 0:
        return { event: 'request', prompt: this.encoded(place), tokens: 5 };
      case 1:
        return { level: 'info', messages: [{ role: 'user', content: this.encoded(place) }] };
      case 2:
        return this.plain(place).split(' ');
      default:
        return this.hidingLine(place);
    }
  }

  /** A prompt as it is, with its markers. */
  plain(place: string): string {
    return this.prompt(place, 'plain');
  }

  private encoded(place: string): string {
    // Plain text is what is met most.
    const encoding = this.hide(2) === 0 ? 'plain' : pick(this.hide, ENCODINGS);
    return encodeText(this.prompt(place, encoding), encoding);
  }

  private prompt(place: string, encoding: Encoding): string {
    this.places.push({ path: this.path, place, encoding });
    return pick(this.hide, PROMPTS).replaceAll('%', markerOf(this.root, this.places.length - 1));
  }

  /** Two halves of a prompt, each with a marker. */
  private halves(place: string): readonly [string, string] {
    const words = this.prompt(place, 'plain').split(' ');
    const marked = words.flatMap((word, i) => (word.includes(this.root) ? [i] : []));
    const middle = Math.floor((marked[0] + marked[1]) / 2) + 1;
    return [words.slice(0, middle).join(' '), words.slice(middle).join(' ')];
  }

  private hidingAttributes(place: string): ValueRecord {
    const name = pick(this.hide, PLAIN_NAMES);
    switch (this.hide(12)) {
      case 0:
        return { [pick(this.hide, CONTENT_NAMES)]: this.encoded(place) };
      case 1:
        return { 'gen_ai.input.messages': [{ role: 'user', parts: [{ type: 'text', content: this.encoded(place) }] }] };
      case 2:
        return { 'gen_ai.tool.call.arguments': { query: this.encoded(place), limit: 5 } };
      case 3:
        return { [name]: this.plain(place).split(' ') };
      case 4:
        return { [name]: { deep: { deeper: { note: this.encoded(place) } } } };
      case 5:
        return { [name]: JSON.stringify({ model: 'm', prompt: this.encoded(place) }) };
      case 6:
        return { [this.hide(2) === 0 ? this.plain(place) : slug(this.plain(place))]: 1 };
      case 7:
        return { 'url.full': `https://shop.example/search?q=${encodeURIComponent(this.plain(place))}` };
      case 8:
        return { [pick(this.hide, TAXONOMY_ATTRIBUTES)]: this.encoded(place) };
      case 9: {
        const [first, second] = this.halves(place);
        return { [`${name}.1`]: first, [`${name}.2`]: second };
      }
      case 10:
        return { [name]: Buffer.from(this.plain(place), 'utf8') };
      default:
        return { [name]: this.encoded(place) };
    }
  }

  private hidingLine(place: string): string {
    const quoted = (text: string): string => JSON.stringify(text);
    switch (this.hide(14)) {
      case 0:
        return JSON.stringify({ event: 'request', prompt: this.encoded(place), n: 1 });
      case 1:
        return JSON.stringify({ level: 'info', message: `sent ${JSON.stringify({ prompt: this.encoded(place) })}` });
      case 2:
        return JSON.stringify({ event: 'x', [pick(this.hide, PLAIN_NAMES)]: this.encoded(place) });
      case 3:
        return `level=info event=request prompt=${quoted(this.encoded(place))} tokens=5`;
      case 4:
        return `INFO 08-05 12:00:00 [logger.py:39] Received request cmpl-7: prompt: ${quoted(this.plain(place))}, params: SamplingParams(n=1), lora_request: None.`;
      case 5:
        return `Receive: obj=GenerateReqInput(rid='a', text=${pythonQuoted(this.plain(place))}, input_ids=None)`;
      case 6:
        return `DEBUG Request options: {'method': 'post', 'json_data': {'messages': [{'role': 'user', 'content': ${pythonQuoted(this.plain(place))}}]}}`;
      case 7:
        return `Prompt: ${this.plain(place)}`;
      case 8:
        return `10.0.0.1 - "GET /v1/search?q=${encodeURIComponent(this.plain(place))} HTTP/1.1" 200`;
      case 9:
        return `payload ${encodeText(this.prompt(place, 'base64'), 'base64')} of 3 parts`;
      case 10:
        return `body "${encodeText(this.prompt(place, 'json_escaped'), 'json_escaped')}" was sent`;
      case 11:
        return `Traceback (most recent call last):\n  File "app.py", line 3, in chat\nValueError: invalid prompt: ${this.plain(place)}`;
      case 12:
        return this.plain(place);
      default:
        return JSON.stringify({ message: this.plain(place), level: 'info' });
    }
  }
}

const TAXONOMY_LABELS = ['region', 'model_version', 'deployment', 'customer_tier', 'adapter', 'instance', 'le'];
const TAXONOMY_ATTRIBUTES = [
  'gen_ai.request.model',
  'cloud.region',
  'customer.tier',
  'adapter_id',
  'host.name',
  'error.type',
  'gen_ai.operation.name',
];

/** A text as a name of letters, digits and underscores. */
function slug(text: string): string {
  return text
    .normalize('NFD')
    .replace(/\p{M}/gu, '')
    .replace(/[^A-Za-z0-9]+/g, '_')
    .replace(/^_|_$/g, '')
    .toLowerCase();
}

function pythonQuoted(text: string): string {
  return text.includes("'") ? `"${text}"` : `'${text}'`;
}
