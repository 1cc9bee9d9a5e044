// Prints plain data as TypeScript literals in the project's format, so that generated files read like written ones. The
// output is deterministic: keys stay in the order in which the conventions state them.

const LINE_WIDTH = 120;

export type Plain = string | number | boolean | null | readonly Plain[] | { readonly [key: string]: Plain | undefined };

/** Prints a value that begins at `column` and whose lines are indented by `indent` spaces; undefined members are left out. */
export function printValue(value: Plain, indent = 0, column = indent): string {
  const flat = printFlat(value);
  // A record of records is broken even if it would fit, because one entry a line reads better in a review.
  if (!holdsRecords(value) && column + flat.length + 1 <= LINE_WIDTH) return flat;
  const inner = ' '.repeat(indent + 2);
  if (Array.isArray(value)) {
    if (value.every((item) => typeof item === 'number')) return printFilled(value, indent);
    const items = value.map((item: Plain) => `${inner}${printValue(item, indent + 2)},\n`);
    return `[\n${items.join('')}${' '.repeat(indent)}]`;
  }
  if (isRecord(value)) {
    const members = entriesOf(value).map(([key, member]) => {
      const start = `${inner}${printKey(key)}: `;
      return `${start}${printValue(member, indent + 2, start.length)},\n`;
    });
    return `{\n${members.join('')}${' '.repeat(indent)}}`;
  }
  return flat;
}

/** Prints a string in single quotes, or in double ones where that needs fewer escapes. */
export function printString(value: string): string {
  const json = JSON.stringify(value);
  const single = value.split("'").length;
  const double = value.split('"').length;
  if (single > double) return json;
  return `'${json.slice(1, -1).replaceAll('\\"', '"').replaceAll("'", "\\'")}'`;
}

function printFlat(value: Plain): string {
  if (typeof value === 'string') return printString(value);
  if (Array.isArray(value)) return `[${value.map(printFlat).join(', ')}]`;
  if (isRecord(value)) {
    const members = entriesOf(value).map(([key, member]) => `${printKey(key)}: ${printFlat(member)}`);
    return members.length === 0 ? '{}' : `{ ${members.join(', ')} }`;
  }
  return String(value);
}

function printFilled(values: readonly Plain[], indent: number): string {
  const inner = ' '.repeat(indent + 2);
  const lines: string[] = [];
  let line = inner;
  for (const value of values) {
    const item = `${printFlat(value)},`;
    if (line !== inner && line.length + 1 + item.length > LINE_WIDTH) {
      lines.push(line);
      line = inner;
    }
    line += line === inner ? item : ` ${item}`;
  }
  lines.push(line);
  return `[\n${lines.join('\n')}\n${' '.repeat(indent)}]`;
}

function printKey(key: string): string {
  return /^[A-Za-z_$][\w$]*$/.test(key) ? key : printString(key);
}

function isRecord(value: Plain): value is { readonly [key: string]: Plain | undefined } {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function entriesOf(record: { readonly [key: string]: Plain | undefined }): [string, Plain][] {
  return Object.entries(record).filter((entry): entry is [string, Plain] => entry[1] !== undefined);
}

function holdsRecords(value: Plain): boolean {
  if (Array.isArray(value)) return value.some(isRecord);
  return isRecord(value) && entriesOf(value).some(([, member]) => isRecord(member) && entriesOf(member).length > 1);
}
