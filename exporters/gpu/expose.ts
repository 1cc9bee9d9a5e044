import type { Family, Sample } from './snapshot.ts';

/** The two texts that Prometheus asks for. */
export type TextFormat = 'text' | 'openmetrics';

/** The content types of the formats. */
export const CONTENT_TYPES: Readonly<Record<TextFormat, string>> = {
  text: 'text/plain; version=0.0.4; charset=utf-8',
  openmetrics: 'application/openmetrics-text; version=1.0.0; charset=utf-8',
};

/** Chooses the format by an `Accept` header; a scraper that would take both gets the one that it likes better. */
export function chooseFormat(accept: string | undefined): TextFormat {
  let [best, bestQuality]: [TextFormat, number] = ['text', 0];
  for (const part of (accept ?? '').split(',')) {
    const [type, ...parameters] = part.split(';').map((piece) => piece.trim().toLowerCase());
    const q = parameters.find((parameter) => parameter.startsWith('q='));
    const quality = q === undefined ? 1 : Number(q.slice(2));
    const version = parameters.find((parameter) => parameter.startsWith('version='))?.slice(8);
    const isOpen = type === 'application/openmetrics-text' && (version === undefined || version === '1.0.0');
    if (!isOpen && type !== 'text/plain' && type !== '*/*') continue;
    if (quality > bestQuality) [best, bestQuality] = [isOpen ? 'openmetrics' : 'text', quality];
  }
  return best;
}

/** Writes families as text. OpenMetrics also says since when counters count, so that a first value is an increase. */
export function formatFamilies(families: readonly Family[], format: TextFormat): string {
  const lines: string[] = [];
  for (const { name, type, help, samples } of families) {
    const isOpen = format === 'openmetrics';
    // OpenMetrics names a counter without the `_total` that its series have.
    const family = isOpen && type === 'counter' ? name.replace(/_total$/, '') : name;
    lines.push(`# HELP ${family} ${escapeHelp(help, isOpen)}`, `# TYPE ${family} ${type}`);
    for (const sample of samples) {
      const labels = formatLabels(sample);
      lines.push(`${name}${labels} ${formatValue(sample.value)}`);
      if (isOpen && type === 'counter' && sample.sinceMs !== undefined)
        lines.push(`${family}_created${labels} ${formatValue(sample.sinceMs / 1000)}`);
    }
  }
  if (format === 'openmetrics') lines.push('# EOF');
  return `${lines.join('\n')}\n`;
}

function formatLabels({ labels }: Sample): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escapeValue(value)}"`);
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`;
}

function escapeValue(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
}

function escapeHelp(help: string, isOpen: boolean): string {
  const escaped = help.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');
  return isOpen ? escaped.replaceAll('"', '\\"') : escaped;
}

function formatValue(value: number): string {
  if (Number.isNaN(value)) return 'NaN';
  if (!Number.isFinite(value)) return value > 0 ? '+Inf' : '-Inf';
  return String(value);
}
