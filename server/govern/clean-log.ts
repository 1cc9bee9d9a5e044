import type { Labels, LogEntry } from '../model/index.ts';
import type { AttributeCleaner, Place } from './clean-attributes.ts';
import type { LineCleaner } from './clean-line.ts';
import type { DecisionLog, Source } from './decisions.ts';
import type { StreamJudge, StreamVerdict } from './judge-stream.ts';
import type { NameJudge } from './names.ts';
import type { Policy } from './policy.ts';
import { isTelemetryId } from './telemetry-ids.ts';

const EVENT_NAMES = new Set(['event_name', 'event.name']);
/** What OTLP's log records say of themselves beside their body and attributes. */
const EVENT_FIELDS: ReadonlySet<string> = new Set([
  ...EVENT_NAMES,
  ...['severity_number', 'severity_text', 'detected_level', 'observed_timestamp', 'flags', 'service_name'],
]);
/** Cleans log entries: stream labels by the taxonomy, metadata as attributes, the line of content. */
export class LogCleaner {
  private readonly contentEvents: ReadonlySet<string>;
  private readonly requestRules: ReadonlySet<string>;
  private readonly policy: Policy;
  private readonly names: NameJudge;
  private readonly decisions: DecisionLog;
  private readonly streams: StreamJudge;
  private readonly attributes: AttributeCleaner;
  private readonly lines: LineCleaner;

  constructor(
    policy: Policy,
    names: NameJudge,
    decisions: DecisionLog,
    streams: StreamJudge,
    attributes: AttributeCleaner,
    lines: LineCleaner,
  ) {
    this.policy = policy;
    this.names = names;
    this.decisions = decisions;
    this.streams = streams;
    this.attributes = attributes;
    this.lines = lines;
    this.contentEvents = new Set(policy.content.events);
    this.requestRules = new Set(policy.requestRules);
  }

  clean(entry: LogEntry, source: Source): LogEntry | undefined {
    const place: Place = { signal: 'logs', source };
    const verdict = this.streams.judge(entry.stream, entry.metadata, source);
    if (verdict.isRefused) return undefined;
    const isContent = this.isContentEvent(entry);
    const metadata = this.cleanMetadata(entry.metadata, verdict, isContent, place);
    const line = isContent ? this.dropBody(entry.line, place) : this.cleanLine(entry.line, source);
    if (line === entry.line && metadata === entry.metadata && verdict.stream === entry.stream) return entry;
    return { stream: verdict.stream, timestampNs: entry.timestampNs, line, metadata };
  }

  private isContentEvent(entry: LogEntry): boolean {
    for (let i = 0; i < entry.metadata.length; i += 2)
      if (EVENT_NAMES.has(entry.metadata[i]) && this.contentEvents.has(entry.metadata[i + 1])) return true;
    return false;
  }

  private dropBody(line: string, place: Place): string {
    if (line !== '') this.decisions.add('logs', place.source, 'content_event', 'removed', '');
    return '';
  }

  private cleanLine(line: string, source: Source): string {
    const cleaned = this.lines.clean(line);
    for (const { rule, field } of cleaned.removals) this.decisions.add('logs', source, rule, 'removed', field);
    if (cleaned.wasTruncated) this.decisions.add('logs', source, 'line_too_long', 'truncated', '');
    return cleaned.line;
  }

  private cleanMetadata(metadata: Labels, verdict: StreamVerdict, isContent: boolean, place: Place): Labels {
    const { moved, taken } = verdict;
    const max = this.policy.limits.attributesPerObject;
    const kept = new Map<string, string>();
    let changed = moved.length > 0;
    for (let i = 0; i < metadata.length; i += 2) {
      const name = metadata[i];
      if (taken.has(name)) {
        changed = true;
        continue;
      }
      const value = this.cleanMember(name, metadata[i + 1], isContent, place);
      if (value !== metadata[i + 1]) changed = true;
      if (value === undefined) continue;
      if (kept.size < max) kept.set(name, value);
      else {
        changed = true;
        this.decisions.add('logs', place.source, 'too_many_attributes', 'truncated', '');
      }
    }
    if (!changed) return metadata;
    for (const { name, value } of moved) if (!kept.has(name)) kept.set(name, value);
    return [...kept].sort(([a], [b]) => (a < b ? -1 : 1)).flat();
  }

  private cleanMember(name: string, value: string, isContent: boolean, place: Place): string | undefined {
    if (isContent && !this.describesEvent(name)) {
      this.decisions.add('logs', place.source, 'content_event', 'removed', name);
      return undefined;
    }
    return isTelemetryId(name, value) ? value : this.attributes.cleanText(name, value, place);
  }

  /** Of an event that is content as a whole only what places it stays: names of the taxonomy, traces, its own fields. */
  private describesEvent(name: string): boolean {
    if (EVENT_FIELDS.has(name) || Object.hasOwn(this.policy.attributes, name)) return true;
    const verdict = this.names.judge(name);
    return verdict.kind === 'taxonomy' || (verdict.kind === 'never' && this.requestRules.has(verdict.rule));
  }
}
