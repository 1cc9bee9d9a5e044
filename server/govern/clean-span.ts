import type { Attributes, Span, SpanEvent, SpanLink } from '../model/index.ts';
import type { AttributeCleaner, Place } from './clean-attributes.ts';
import type { DecisionLog, Source } from './decisions.ts';
import { statusCode } from './error-text.ts';
import type { Policy } from './policy.ts';
import { isProse } from './prose.ts';
import { sniffValue } from './sniff.ts';

const NO_ATTRIBUTES: Attributes = Object.freeze({});
const MAX_NAME_CHARACTERS = 256;

/** Cleans spans; what they say about time, structure and identity stays. */
export class SpanCleaner {
  private readonly policy: Policy;
  private readonly attributes: AttributeCleaner;
  private readonly decisions: DecisionLog;
  private readonly contentEvents: ReadonlySet<string>;
  /** Spans of one batch share their resource, so it is cleaned once. */
  private readonly resources = new WeakMap<Attributes, Attributes>();

  constructor(policy: Policy, attributes: AttributeCleaner, decisions: DecisionLog) {
    this.policy = policy;
    this.attributes = attributes;
    this.decisions = decisions;
    this.contentEvents = new Set(policy.content.events);
  }

  clean(span: Span, source: Source): Span {
    const place: Place = { signal: 'traces', source };
    const cleaned: Span = {
      ...span,
      traceState: this.cleanTraceState(span.traceState, place),
      name: this.cleanName(span.name, place, () => operationOf(span.attributes)),
      statusMessage: this.cleanStatus(span, place),
      serviceName: this.cleanName(span.serviceName, place, () => 'unknown_service'),
      resource: this.cleanResource(span.resource, place),
      scopeName: this.cleanName(span.scopeName, place, () => ''),
      scopeVersion: this.cleanName(span.scopeVersion, place, () => ''),
      attributes: this.attributes.clean(span.attributes, place),
      events: this.cleanEvents(span.events, place),
      links: this.cleanLinks(span.links, place),
    };
    const isSame = (Object.keys(cleaned) as (keyof Span)[]).every((key) => cleaned[key] === span[key]);
    return isSame ? span : cleaned;
  }

  private cleanResource(resource: Attributes, place: Place): Attributes {
    const known = this.resources.get(resource);
    if (known) return known;
    const cleaned = this.attributes.clean(resource, place);
    this.resources.set(resource, cleaned);
    return cleaned;
  }

  private cleanEvents(events: SpanEvent[], place: Place): SpanEvent[] {
    const { eventsPerSpan } = this.policy.limits;
    const kept = events.slice(0, eventsPerSpan).map((event) => this.cleanEvent(event, place));
    if (events.length > eventsPerSpan) this.decisions.add('traces', place.source, 'too_many_events', 'truncated', '');
    return events.length === kept.length && kept.every((event, i) => event === events[i]) ? events : kept;
  }

  private cleanEvent(event: SpanEvent, place: Place): SpanEvent {
    if (this.contentEvents.has(event.name)) {
      if (Object.keys(event.attributes).length === 0) return event;
      this.decisions.add('traces', place.source, 'content_event', 'removed', '');
      return { ...event, attributes: NO_ATTRIBUTES };
    }
    const name = this.cleanName(event.name, place, () => 'event');
    const attributes = this.attributes.clean(event.attributes, place);
    return name === event.name && attributes === event.attributes ? event : { ...event, name, attributes };
  }

  private cleanLinks(links: SpanLink[], place: Place): SpanLink[] {
    const { linksPerSpan } = this.policy.limits;
    const kept = links.slice(0, linksPerSpan).map((link) => {
      const attributes = this.attributes.clean(link.attributes, place);
      return attributes === link.attributes ? link : { ...link, attributes };
    });
    if (links.length > linksPerSpan) this.decisions.add('traces', place.source, 'too_many_links', 'truncated', '');
    return links.length === kept.length && kept.every((link, i) => link === links[i]) ? links : kept;
  }

  /** A name that is a sentence, personal or long is replaced; names with identifiers in them are kept, as spans may. */
  private cleanName(name: string, place: Place, replacement: () => string): string {
    if (name.length < 5) return name;
    const isUrl = name.includes('?') || name.includes('://');
    const short = isUrl ? name.replace(/[?#]\S*/g, '') : name;
    if (short.length > MAX_NAME_CHARACTERS || sniffValue(short, 'personal', '', 'name') !== undefined) {
      this.decisions.add('traces', place.source, 'name', 'removed', '');
      return replacement();
    }
    if (short !== name) this.decisions.add('traces', place.source, 'url_query', 'truncated', '');
    return short;
  }

  private cleanStatus(span: Span, place: Place): string {
    if (span.statusMessage === '') return '';
    const code = statusCode(span.statusMessage) || textAttribute(span.attributes, 'error.type');
    if (code !== span.statusMessage) this.decisions.add('traces', place.source, 'status_message', 'truncated', '');
    return code;
  }

  /**
   * Of the trace state only OpenTelemetry's own member stays, which holds sampling thresholds; other members hold what
   * vendors put there, and nothing reads them.
   */
  private cleanTraceState(traceState: string, place: Place): string {
    if (traceState === '') return '';
    const members = traceState.split(',').map((member) => member.trim());
    const own = members.filter((member) => /^ot=(?:(?:th|rv|p|r):[0-9a-f]{1,14}(?:;|$)){1,4}$/.test(member)).join(',');
    if (own !== traceState) this.decisions.add('traces', place.source, 'trace_state', 'truncated', '');
    return own;
  }
}

function operationOf(attributes: Attributes): string {
  const operation = textAttribute(attributes, 'gen_ai.operation.name');
  return operation === '' ? 'unnamed' : operation;
}

function textAttribute(attributes: Attributes, name: string): string {
  const value = attributes[name];
  return typeof value === 'string' &&
    value.length <= 64 &&
    !isProse(value) &&
    sniffValue(value, 'identity') === undefined
    ? value
    : '';
}
