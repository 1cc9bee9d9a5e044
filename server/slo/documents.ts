import { isMap, isScalar, isSeq, LineCounter, type Node, parseAllDocuments } from 'yaml';
import type { z } from 'zod';
import { BarographError } from '../model/index.ts';

/** One YAML document of a file, with the places of its parts. */
export interface SloDocument {
  readonly file: string;
  readonly value: unknown;
  /** The line, from 1, of the value at a path, or of the deepest part of it that is there. */
  readonly lineOf: (path: readonly PropertyKey[]) => number;
}

const MAX_BYTES = 4 * 1024 * 1024;

/**
 * Reads the documents of a file, empty ones left out.
 * @throws BarographError `bad_slo` with file and line.
 */
export function readDocuments(text: string, file: string): SloDocument[] {
  if (text.length > MAX_BYTES)
    throw badSlo(`${file}:1`, `${text.length} characters`, `at most ${MAX_BYTES} in a file`, 'split the file');
  const counter = new LineCounter();
  const parsed = parseAllDocuments(text, { lineCounter: counter, prettyErrors: false });
  const documents = 'empty' in parsed ? [] : parsed;
  const found: SloDocument[] = [];
  for (const document of documents) {
    const [error] = document.errors;
    if (error)
      throw badSlo(`${file}:${counter.linePos(error.pos[0]).line}`, `no YAML (${error.code})`, 'YAML 1.2', undefined);
    let value: unknown;
    try {
      value = document.toJS();
    } catch {
      throw badSlo(`${file}:1`, 'aliases that can not be resolved', 'YAML 1.2', undefined);
    }
    if (value === null || value === undefined) continue;
    found.push({ file, value, lineOf: (path) => lineOf(document.contents as Node | null, counter, path) });
  }
  if (found.length === 0) throw badSlo(`${file}:1`, 'nothing', 'at least one document', 'see docs/guide/slo.md');
  return found;
}

function lineOf(contents: Node | null, counter: LineCounter, path: readonly PropertyKey[]): number {
  let node = contents;
  let offset = node?.range?.[0] ?? 0;
  for (const part of path) {
    if (isMap(node)) {
      const pair = node.items.find(({ key }) => isScalar(key) && String(key.value) === String(part));
      if (!pair) break;
      offset = (pair.key as Node).range?.[0] ?? offset;
      node = pair.value as Node | null;
    } else if (isSeq(node)) {
      node = (node.items[Number(part)] as Node | undefined) ?? null;
      offset = node?.range?.[0] ?? offset;
    } else break;
  }
  return counter.linePos(offset).line;
}

/**
 * What a schema makes of a document.
 * @throws BarographError `bad_slo` with file, line and key of the first thing that is wrong.
 */
export function checkDocument<T extends z.ZodType>(schema: T, document: SloDocument): z.infer<T> {
  const result = schema.safeParse(document.value);
  if (result.success) return result.data;
  let issue = result.error.issues[0];
  let path = issue.path;
  // A union reports the problems of each member; the deepest are those of the member that was meant.
  while (issue.code === 'invalid_union' && issue.errors.length > 0) {
    const members = issue.errors.flat();
    if (members.length === 0) break;
    const deepest = members.reduce((best, next) => (next.path.length > best.path.length ? next : best));
    path = [...path, ...deepest.path];
    issue = deepest;
  }
  const full = [...path, ...(issue.code === 'unrecognized_keys' ? [issue.keys[0]] : [])];
  throw badSlo(placeOf(document, full), issue.message, undefined, 'docs/guide/slo.md lists what can stand there');
}

/** `slo.yaml:12 › objectives.0.target`. */
export function placeOf(document: SloDocument, path: readonly PropertyKey[]): string {
  return `${document.file}:${document.lineOf(path)} › ${path.map(String).join('.')}`;
}

/** An error about an objective; `got` is never a text of telemetry, since files hold queries and numbers only. */
export function badSlo(
  where: string,
  got: string,
  accepted: string | undefined,
  fix: string | undefined,
): BarographError {
  return new BarographError({ code: 'bad_slo', status: 400, where, got, accepted, fix });
}
