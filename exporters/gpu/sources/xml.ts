import { ExporterError } from '../../error.ts';

/** An element of an XML text: its children by name in order, and its own text, trimmed. */
export interface XmlElement {
  readonly name: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly children: readonly XmlElement[];
  readonly text: string;
}

interface Open {
  readonly name: string;
  readonly attributes: Record<string, string>;
  readonly children: XmlElement[];
  text: string;
}

const MOST_ELEMENTS = 500_000;
const MOST_DEPTH = 32;
const TOKEN =
  /<!--[\s\S]*?-->|<[?!][^>]*>|<(\/?)([\w:.-]+)((?:\s+[\w:.-]+\s*=\s*(?:"[^"]*"|'[^']*'))*)\s*(\/?)>|([^<]+)/y;

/**
 * Reads the XML that tools such as `nvidia-smi -q -x` write: elements, attributes and text with the five entities.
 * There are no external entities, so nothing outside the text is ever read.
 *
 * @throws ExporterError `malformed` with the character's place, or `too_large`.
 */
export function parseXml(where: string, text: string): XmlElement {
  const root: Open = { name: '', attributes: {}, children: [], text: '' };
  const open: Open[] = [root];
  const fail = (code: 'malformed' | 'too_large', got: string): never => {
    throw new ExporterError({ code, where: `${where} › character ${TOKEN.lastIndex}`, got });
  };
  TOKEN.lastIndex = 0;
  for (let elements = 0, at = 0; at < text.length; at = TOKEN.lastIndex) {
    TOKEN.lastIndex = at;
    const token = TOKEN.exec(text);
    if (!token) {
      TOKEN.lastIndex = at;
      return fail('malformed', 'what is no XML');
    }
    const [, closing, name, attributes, selfClosing, characters] = token;
    const top = open[open.length - 1];
    if (characters !== undefined) top.text += characters;
    else if (name === undefined) continue;
    else if (closing === '/') {
      if (open.length === 1 || top.name !== name) return fail('malformed', `an end of ${name} that nothing began`);
      open.pop();
      open[open.length - 1].children.push({ ...top, text: unescapeXml(top.text.trim()) });
    } else {
      if (++elements > MOST_ELEMENTS || open.length > MOST_DEPTH) return fail('too_large', 'too many elements');
      const element: Open = { name, attributes: readAttributes(attributes), children: [], text: '' };
      if (selfClosing === '/') top.children.push(element);
      else open.push(element);
    }
  }
  if (open.length !== 1 || root.children.length !== 1) return fail('malformed', 'an XML text that breaks off');
  return root.children[0];
}

function readAttributes(text: string): Record<string, string> {
  const attributes: Record<string, string> = {};
  for (const [, name, double, single] of text.matchAll(/([\w:.-]+)\s*=\s*(?:"([^"]*)"|'([^']*)')/g))
    attributes[name] = unescapeXml(double ?? single);
  return attributes;
}

const ENTITIES: Readonly<Record<string, string>> = { lt: '<', gt: '>', amp: '&', quot: '"', apos: "'" };

function unescapeXml(text: string): string {
  return text.includes('&') ? text.replaceAll(/&(lt|gt|amp|quot|apos);/g, (_, name: string) => ENTITIES[name]) : text;
}

/** The first child along a path of names. */
export function childAt(element: XmlElement | undefined, ...names: readonly string[]): XmlElement | undefined {
  let at = element;
  for (const name of names) at = at?.children.find((child) => child.name === name);
  return at;
}

/** The text at a path of names. */
export function textAt(element: XmlElement | undefined, ...names: readonly string[]): string | undefined {
  return childAt(element, ...names)?.text;
}
