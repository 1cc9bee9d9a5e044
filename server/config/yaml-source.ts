import { type Document, isMap, isPair, isScalar, isSeq, LineCounter, type Node, parseDocument, visit } from 'yaml';
import { BarographError } from '../model/index.ts';

/** A configuration file that was read: its value, and where each part of it stands. */
export interface YamlSource {
  /** As the user named it. */
  readonly file: string;
  /** The file's value; an empty file is an empty object. */
  readonly value: unknown;
  /**
   * The line (from 1) of the value at a path of keys and indices. Where the path ends in a key that isn't there, of the
   * deepest part that is.
   */
  readonly lineOf: (path: readonly PropertyKey[]) => number;
}

/** Under these keys a plain number means the text that was written, such as a version `1.10`. */
const TEXT_KEYS = new Set(['labels', 'params', 'targets', 'values', 'replacement', 'regex', 'separator', 'username']);
const SECRET_KEYS = ['password', 'credentials', 'secrets', 'bearer_token', 'token'];
for (const key of SECRET_KEYS) TEXT_KEYS.add(key);

/**
 * Reads YAML and remembers its lines.
 * @throws BarographError `bad_config` with file and line, without quoting the file.
 */
export function readYaml(text: string, file: string): YamlSource {
  const counter = new LineCounter();
  const document = parseDocument(text, { lineCounter: counter, prettyErrors: false });
  const [error] = document.errors;
  if (error) throw notYaml(file, counter.linePos(error.pos[0]).line, error.code);
  keepNumberTexts(document);
  let value: unknown;
  try {
    value = document.toJS() ?? {};
  } catch {
    throw notYaml(file, 1, 'aliases that can not be resolved');
  }
  return { file, value, lineOf: (path) => lineOf(document, counter, path) };
}

function notYaml(file: string, line: number, what: string): BarographError {
  return new BarographError({
    code: 'bad_config',
    status: 500,
    where: `${file}:${line}`,
    got: `something that is no YAML (${what})`,
    accepted: 'YAML 1.2',
  });
}

function keepNumberTexts(document: Document): void {
  visit(document, {
    Scalar(_key, node, ancestors) {
      if (typeof node.value !== 'number' || node.source === undefined || String(node.value) === node.source) return;
      const isText = ancestors.some((ancestor) => {
        return isPair(ancestor) && isScalar(ancestor.key) && TEXT_KEYS.has(String(ancestor.key.value));
      });
      if (isText) node.value = node.source;
    },
  });
}

function lineOf(document: Document, counter: LineCounter, path: readonly PropertyKey[]): number {
  let node = document.contents as Node | null;
  let offset = node?.range?.[0] ?? 0;
  for (const part of path) {
    if (isMap(node)) {
      const pair = node.items.find(({ key }) => isScalar(key) && String(key.value) === String(part));
      if (!pair) break;
      // The key's place: a value may begin lines below it.
      offset = (pair.key as Node).range?.[0] ?? offset;
      node = pair.value as Node | null;
    } else if (isSeq(node)) {
      node = (node.items[Number(part)] as Node | undefined) ?? null;
      offset = node?.range?.[0] ?? offset;
    } else break;
  }
  return counter.linePos(offset).line;
}
