import type { ScrapeProtocol } from './exposition.ts';
import { parseAccept } from './media-type.ts';
import { ESCAPING_SCHEMES, type EscapingScheme } from './name-escaping.ts';

/** What each format is called in `Accept` and `Content-Type`. */
const MEDIA_TYPES: Readonly<Record<ScrapeProtocol, string>> = {
  PrometheusProto: 'application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited',
  'OpenMetricsText1.0.0': 'application/openmetrics-text;version=1.0.0',
  'OpenMetricsText0.0.1': 'application/openmetrics-text;version=0.0.1',
  'PrometheusText1.0.0': 'text/plain;version=1.0.0',
  'PrometheusText0.0.4': 'text/plain;version=0.0.4',
};

/** Every format, as the values of `scrape_protocols`. */
export const SCRAPE_PROTOCOLS = Object.keys(MEDIA_TYPES) as readonly ScrapeProtocol[];

/** What is asked for by default, most wanted first, as Prometheus does. */
export const DEFAULT_SCRAPE_PROTOCOLS: readonly ScrapeProtocol[] = [
  'OpenMetricsText1.0.0',
  'OpenMetricsText0.0.1',
  'PrometheusText1.0.0',
  'PrometheusText0.0.4',
];

/** The same where native histograms are wanted, which only protobuf has. */
export const NATIVE_SCRAPE_PROTOCOLS: readonly ScrapeProtocol[] = ['PrometheusProto', ...DEFAULT_SCRAPE_PROTOCOLS];

/**
 * The `Accept` header of a scrape, with weights that fall from the first protocol on, and anything at all last. The
 * escaping is asked for in the formats that have it. Source: prometheus/prometheus scrape.
 * @param protocols most wanted first, at most one of each
 */
export function scrapeAcceptHeader(
  protocols: readonly ScrapeProtocol[] = NATIVE_SCRAPE_PROTOCOLS,
  escaping: EscapingScheme = 'allow-utf-8',
): string {
  let weight = SCRAPE_PROTOCOLS.length + 1;
  const parts: string[] = [];
  for (const protocol of protocols) {
    const hasEscaping = protocol === 'PrometheusText1.0.0' || protocol === 'OpenMetricsText1.0.0';
    parts.push(`${MEDIA_TYPES[protocol]}${hasEscaping ? `;escaping=${escaping}` : ''};q=0.${weight--}`);
  }
  parts.push(`*/*;q=0.${weight}`);
  return parts.join(',');
}

/** How an exposition is answered. */
export interface NegotiatedExposition {
  readonly protocol: ScrapeProtocol;
  /** How names that the asker's format can't hold are written. */
  readonly escaping: EscapingScheme;
  /** The `Content-Type` of the answer. */
  readonly contentType: string;
}

/**
 * Chooses the format of an exposition by the `Accept` header: the first choice by weight that can be had, the text
 * format 0.0.4 where there is none. Names are escaped to underscores unless the choice says otherwise.
 * Source: prometheus/common expfmt.
 */
export function negotiateExposition(accept: string | undefined): NegotiatedExposition {
  for (const choice of parseAccept(accept ?? '')) {
    const protocol = protocolOf(choice.type, choice.parameters);
    if (protocol === undefined) continue;
    const asked = choice.parameters.get('escaping') as EscapingScheme;
    return answerIn(protocol, ESCAPING_SCHEMES.includes(asked) ? asked : 'underscores');
  }
  return answerIn('PrometheusText0.0.4', 'underscores');
}

function protocolOf(type: string, parameters: ReadonlyMap<string, string>): ScrapeProtocol | undefined {
  const version = parameters.get('version') ?? '';
  switch (type) {
    case 'application/vnd.google.protobuf': {
      const isFamily = parameters.get('proto') === 'io.prometheus.client.MetricFamily';
      return isFamily && parameters.get('encoding') === 'delimited' ? 'PrometheusProto' : undefined;
    }
    case 'application/openmetrics-text':
      if (version === '1.0.0') return 'OpenMetricsText1.0.0';
      return version === '0.0.1' || version === '' ? 'OpenMetricsText0.0.1' : undefined;
    case 'text/plain':
      if (version === '1.0.0') return 'PrometheusText1.0.0';
      return version === '0.0.4' || version === '' ? 'PrometheusText0.0.4' : undefined;
    case 'text/*':
    case '*/*':
      return 'PrometheusText0.0.4';
    default:
      return undefined;
  }
}

function answerIn(protocol: ScrapeProtocol, escaping: EscapingScheme): NegotiatedExposition {
  const media = MEDIA_TYPES[protocol].replaceAll(';', '; ');
  const charset = protocol === 'PrometheusProto' ? '' : '; charset=utf-8';
  return { protocol, escaping, contentType: `${media}${charset}; escaping=${escaping}` };
}
