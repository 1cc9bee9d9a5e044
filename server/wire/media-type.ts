/** A media type with its parameters; names are in lower case, values as they came. */
export interface MediaType {
  readonly type: string;
  readonly parameters: ReadonlyMap<string, string>;
}

const TOKEN = "[!#$%&'*+.^_`|~0-9A-Za-z-]+";
const TYPE = new RegExp(`^\\s*(${TOKEN}/${TOKEN})\\s*`);
const PARAMETER = new RegExp(`^;\\s*(?:(${TOKEN})\\s*=\\s*(?:"((?:[^"\\\\]|\\\\.)*)"|(${TOKEN}))\\s*)?`);

/** Reads a media type as RFC 9110 8.3.1 writes it; `undefined` where it isn't one. */
export function parseMediaType(text: string): MediaType | undefined {
  const match = TYPE.exec(text);
  if (match === null) return undefined;
  const parameters = new Map<string, string>();
  let rest = text.slice(match[0].length);
  while (rest !== '') {
    const parameter = PARAMETER.exec(rest);
    if (parameter === null) return undefined;
    const [whole, name, quoted, plain] = parameter;
    if (name !== undefined) parameters.set(name.toLowerCase(), plain ?? quoted.replace(/\\(.)/g, '$1'));
    rest = rest.slice(whole.length);
  }
  return { type: match[1].toLowerCase(), parameters };
}

/** One choice of an `Accept` header. */
export interface AcceptedType extends MediaType {
  /** Weight from 0 to 1. */
  readonly quality: number;
}

/**
 * Reads an `Accept` header: its choices by weight, equal ones in the order of the header. What isn't a media type is left
 * out, and so are choices of weight 0. Source: RFC 9110 12.5.1.
 */
export function parseAccept(header: string): AcceptedType[] {
  const out: AcceptedType[] = [];
  for (const part of splitOutsideQuotes(header)) {
    const media = parseMediaType(part);
    if (media === undefined) continue;
    const weight = media.parameters.get('q');
    const quality = weight === undefined ? 1 : Number(weight);
    if (quality > 0 && quality <= 1) out.push({ ...media, quality });
  }
  return out.sort((a, b) => b.quality - a.quality);
}

function* splitOutsideQuotes(text: string): Iterable<string> {
  let start = 0;
  let quoted = false;
  for (let i = 0; i < text.length; i++) {
    if (quoted && text[i] === '\\') i++;
    else if (text[i] === '"') quoted = !quoted;
    else if (text[i] === ',' && !quoted) {
      yield text.slice(start, i);
      start = i + 1;
    }
  }
  yield text.slice(start);
}
