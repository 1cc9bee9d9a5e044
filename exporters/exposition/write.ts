/** The two text formats of Prometheus. */
export type ExpositionFormat = 'text' | 'openmetrics';

/** The content types of the formats. */
export const CONTENT_TYPES: Readonly<Record<ExpositionFormat, string>> = {
  text: 'text/plain; version=0.0.4; charset=utf-8',
  openmetrics: 'application/openmetrics-text; version=1.0.0; charset=utf-8',
};

/** One series with its value. */
export interface Sample {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
  /** Counters: since when it counts, in Unix ms. */
  readonly sinceMs?: number;
}

/** A metric with its series. */
export interface Family {
  readonly name: string;
  readonly type: 'counter' | 'gauge';
  /** UCUM, as OpenTelemetry instruments state it. */
  readonly unit: string;
  readonly help: string;
  readonly samples: readonly Sample[];
}

/** A label's name and value. */
export type Label = readonly [name: string, value: string];

/** A series as the text formats write it up to its value, with a blank behind it. */
export function seriesText(name: string, labels: readonly Label[]): string {
  if (labels.length === 0) return `${name} `;
  return `${name}{${labels.map(([label, value]) => `${label}="${escapeValue(value)}"`).join(',')}} `;
}

/** A label's value as it stands between quotes. */
function escapeValue(value: string): string {
  return /[\\\n"]/.test(value) ? value.replaceAll('\\', '\\\\').replaceAll('\n', '\\n').replaceAll('"', '\\"') : value;
}

/** A number as OpenMetrics writes bounds: always with a point or an exponent, so that bounds of all engines are alike. */
export function formatNumber(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return '+Inf';
  if (value === Number.NEGATIVE_INFINITY) return '-Inf';
  const text = String(value);
  return /[.eN]/.test(text) ? text : `${text}.0`;
}

/** A sample's value. */
export function formatValue(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return '+Inf';
  if (value === Number.NEGATIVE_INFINITY) return '-Inf';
  return String(value);
}

/** The lines before a family's samples. OpenMetrics names a counter without the `_total` that its samples have. */
export function familyHead(name: string, type: string, help: string, format: ExpositionFormat): string[] {
  const family = familyName(name, type, format);
  const escaped = format === 'openmetrics' ? escapeValue(help) : help.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');
  return [`# HELP ${family} ${escaped}`, `# TYPE ${family} ${type}`];
}

/** Writes families as text. OpenMetrics also says since when counters count, so that a first value is an increase. */
export function formatFamilies(families: readonly Family[], format: ExpositionFormat): string {
  const lines: string[] = [];
  for (const { name, type, help, samples } of families) {
    lines.push(...familyHead(name, type, help, format));
    for (const { labels, value, sinceMs } of samples) {
      const pairs = Object.entries(labels);
      lines.push(seriesText(name, pairs) + formatValue(value));
      if (format === 'openmetrics' && type === 'counter' && sinceMs !== undefined)
        lines.push(seriesText(`${familyName(name, type, format)}_created`, pairs) + formatValue(sinceMs / 1000));
    }
  }
  if (format === 'openmetrics') lines.push('# EOF');
  return `${lines.join('\n')}\n`;
}

function familyName(name: string, type: string, format: ExpositionFormat): string {
  return format === 'openmetrics' && type === 'counter' ? name.replace(/_total$/, '') : name;
}

/** Chooses the format by an `Accept` header; a scraper that would take both gets the one that it likes better. */
export function chooseFormat(accept: string | undefined): ExpositionFormat {
  let [best, bestQuality]: [ExpositionFormat, number] = ['text', 0];
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
