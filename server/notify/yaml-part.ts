import { isMap, isScalar, isSeq, LineCounter, type Node, parseDocument } from 'yaml';
import { BarographError } from '../model/index.ts';

/** A value of a YAML file together with the place where it stands: `file:line: key`. Errors never quote the value. */
export interface YamlPart {
  readonly value: unknown;
  readonly where: string;
  /** The keys of a mapping with their parts; the parts of a list by index; empty for anything else. */
  readonly parts: ReadonlyMap<string, YamlPart>;
}

/**
 * Reads a YAML file of one document.
 * @throws BarographError `bad_notify_config` with file and line.
 */
export function readYamlPart(text: string, file: string): YamlPart {
  const counter = new LineCounter();
  const document = parseDocument(text, { lineCounter: counter, prettyErrors: false });
  const [error] = document.errors;
  if (error) throw badConfig(`${file}:${counter.linePos(error.pos[0]).line}`, 'something that is no YAML', 'YAML 1.2');

  const partOf = (node: Node | null, key: string, line: number): YamlPart => {
    const at = node?.range ? counter.linePos(node.range[0]).line : line;
    const where = `${file}:${key === '' || isMap(node) ? line : at}${key === '' ? '' : `: ${key}`}`;
    const parts = new Map<string, YamlPart>();
    if (isSeq(node)) {
      for (const [index, item] of node.items.entries()) parts.set(String(index), partOf(item as Node, key, at));
    } else if (isMap(node)) {
      for (const pair of node.items) {
        if (!isScalar(pair.key)) throw badConfig(where, 'a key that is no text', 'texts as keys');
        const name = String(pair.key.value);
        const keyLine = pair.key.range ? counter.linePos(pair.key.range[0]).line : at;
        parts.set(name, partOf(pair.value as Node | null, name, keyLine));
      }
    } else if (node !== null && !isScalar(node)) throw badConfig(where, 'an alias', 'values written out');
    return { value: isScalar(node) ? node.value : undefined, where, parts };
  };
  return partOf(document.contents as Node | null, '', 1);
}

/** Refuses keys that aren't in the list, by name and line. @throws BarographError `bad_notify_config`. */
export function refuseOtherKeys(part: YamlPart, accepted: readonly string[]): void {
  for (const [key, { where }] of part.parts) {
    if (!accepted.includes(key)) throw badConfig(where, `the key ${JSON.stringify(key)}`, accepted.join(', '));
  }
}

/** The text at a key, or `undefined` where the key is absent. @throws BarographError `bad_notify_config`. */
export function textAt(part: YamlPart, key: string): string | undefined {
  const found = part.parts.get(key);
  if (found === undefined) return undefined;
  return textOf(found);
}

/** A part that must be a text. @throws BarographError `bad_notify_config`. */
export function textOf(part: YamlPart): string {
  if (typeof part.value === 'string') return part.value;
  throw badConfig(part.where, 'something else', 'a text');
}

/** The error of a file that can't be taken. */
export function badConfig(where: string, got: string, accepted: string): BarographError {
  return new BarographError({ code: 'bad_notify_config', status: 400, where, got, accepted });
}
