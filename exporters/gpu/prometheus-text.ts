/** A line of Prometheus's text format, without what the exporter doesn't need: exemplars and timestamps. */
export interface TextSample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
  /** Whether the value is written as a whole number; dcgm-exporter writes `1` and `1.000000` by the field's type. */
  readonly isWhole: boolean;
}

/** What was read of a text. */
export interface TextSamples {
  readonly samples: readonly TextSample[];
  /** Lines that are neither a sample nor a comment. */
  readonly badLines: number;
  /** Whether there were more lines than are read. */
  readonly truncated: boolean;
}

const MOST_LINES = 200_000;
const NAME = /[a-zA-Z_:][a-zA-Z0-9_:.]*/y;
const LABEL = /\s*,?\s*([a-zA-Z_][a-zA-Z0-9_.]*)\s*=\s*"((?:[^"\\]|\\.)*)"/y;
const LABELS_END = /\s*,?\s*\}/y;
const VALUE = /\s*(\S+)/y;

/**
 * Reads samples of Prometheus's text format or of OpenMetrics. A line that can't be read is counted and left out, because
 * one bad line of an exporter is no reason to lose sight of all GPUs. Of a name with a prefix that isn't wanted only the
 * line's beginning is looked at.
 *
 * @param wants Whether samples of a name are wanted.
 */
export function parsePrometheusText(text: string, wants: (name: string) => boolean): TextSamples {
  const samples: TextSample[] = [];
  let [badLines, lines, start] = [0, 0, 0];
  while (start < text.length) {
    let end = text.indexOf('\n', start);
    if (end < 0) end = text.length;
    if (++lines > MOST_LINES) return { samples, badLines, truncated: true };
    const line = text.slice(start, end).trim();
    start = end + 1;
    if (line === '' || line.startsWith('#')) continue;
    NAME.lastIndex = 0;
    const name = NAME.exec(line)?.[0];
    if (name === undefined) badLines++;
    else if (wants(name)) {
      const sample = parseSample(line, name);
      if (sample) samples.push(sample);
      else badLines++;
    }
  }
  return { samples, badLines, truncated: false };
}

function parseSample(line: string, name: string): TextSample | undefined {
  const labels: Record<string, string> = {};
  let at = name.length;
  while (line[at] === ' ') at++;
  if (line[at] === '{') {
    at++;
    for (;;) {
      LABELS_END.lastIndex = at;
      if (LABELS_END.test(line)) {
        at = LABELS_END.lastIndex;
        break;
      }
      LABEL.lastIndex = at;
      const label = LABEL.exec(line);
      if (!label) return undefined;
      labels[label[1]] = label[2].includes('\\') ? unescapeValue(label[2]) : label[2];
      at = LABEL.lastIndex;
    }
  } else at = name.length;
  VALUE.lastIndex = at;
  const text = VALUE.exec(line)?.[1];
  const value = toFloat(text);
  return value === undefined ? undefined : { name, labels, value, isWhole: /^[+-]?\d+$/.test(text ?? '') };
}

function toFloat(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (/^[+-]?inf(?:inity)?$/i.test(text)) return text.startsWith('-') ? -Infinity : Infinity;
  if (/^[+-]?nan$/i.test(text)) return Number.NaN;
  return /^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i.test(text) ? Number(text) : undefined;
}

function unescapeValue(text: string): string {
  return text.replaceAll(/\\(.)/g, (_, character: string) => (character === 'n' ? '\n' : character));
}
