import type { Trace, TraceSpan } from '../api/otlp-json.ts';
import { SPAN_STAGES } from '../generated/conventions.ts';
import { type StageName, stageOf } from './stages.ts';

/** One line of a waterfall. */
export interface WaterfallRow {
  readonly span: TraceSpan;
  /** 0 for roots. */
  readonly depth: number;
  readonly stage: StageName;
  /** Time in which the span runs and none of its children does, in nanoseconds. */
  readonly selfNs: number;
  readonly childCount: number;
  /** Made from an attribute of the engine's span, for engines that tell lengths without making spans. */
  readonly derived: boolean;
}

/** The time of one stage over the whole trace. */
export interface StageShare {
  readonly stage: StageName;
  readonly selfNs: number;
  /** Of the self time of all spans, from 0 to 1. */
  readonly share: number;
}

/** What a waterfall shows. */
export interface Waterfall {
  /** Parents before children, siblings by start. */
  readonly rows: readonly WaterfallRow[];
  /** Largest first; the first is the bottleneck. */
  readonly stages: readonly StageShare[];
}

/**
 * Lays a trace out: a depth-first walk from the roots, with orphans (whose parent wasn't sent) beside them. A span that
 * is no stage of its own belongs to the stage above it. Spans that point at each other in a circle are cut open at the
 * earliest. O(n log n).
 */
export function buildWaterfall(trace: Trace): Waterfall {
  const spans = [...trace.spans, ...derivedSpans(trace.spans)];
  const derived = new Set(spans.slice(trace.spans.length));
  const children = childrenBySpan(spans);
  const ids = new Set(spans.map((span) => span.spanId));
  const rows: WaterfallRow[] = [];
  const placed = new Set<TraceSpan>();

  const walk = (root: TraceSpan) => {
    const stack: { span: TraceSpan; depth: number; above: StageName }[] = [{ span: root, depth: 0, above: 'other' }];
    for (let top = stack.pop(); top; top = stack.pop()) {
      const { span, depth, above } = top;
      if (placed.has(span)) continue;
      placed.add(span);
      const below = (children.get(span.spanId) ?? []).filter((child) => !placed.has(child));
      const stage = stageOf(span) ?? above;
      const selfNs = selfTimeNs(span, below);
      rows.push({ span, depth, stage, selfNs, childCount: below.length, derived: derived.has(span) });
      for (const child of below.toReversed()) stack.push({ span: child, depth: depth + 1, above: stage });
    }
  };

  const byStart = [...spans].sort(compareStart);
  for (const span of byStart) if (span.parentSpanId === '' || !ids.has(span.parentSpanId)) walk(span);
  for (const span of byStart) if (!placed.has(span)) walk(span);
  return { rows, stages: stageShares(rows) };
}

/** Children of each span, by start. */
function childrenBySpan(spans: readonly TraceSpan[]): Map<string, TraceSpan[]> {
  const children = new Map<string, TraceSpan[]>();
  for (const span of spans) {
    if (span.parentSpanId === '') continue;
    const siblings = children.get(span.parentSpanId);
    if (siblings) siblings.push(span);
    else children.set(span.parentSpanId, [span]);
  }
  for (const siblings of children.values()) siblings.sort(compareStart);
  return children;
}

/** By start; of equal starts the longer first, because it is likely to hold the other. */
function compareStart(a: TraceSpan, b: TraceSpan): number {
  return a.startNs - b.startNs || b.durationNs - a.durationNs;
}

/** The span's duration without the union of its children's, which may overlap and may run on after it. */
export function selfTimeNs(span: TraceSpan, children: readonly TraceSpan[]): number {
  const end = span.startNs + span.durationNs;
  let covered = 0;
  let until = span.startNs;
  for (const child of children) {
    const from = Math.max(child.startNs, until);
    const to = Math.min(child.startNs + child.durationNs, end);
    if (to > from) {
      covered += to - from;
      until = to;
    }
  }
  return span.durationNs - covered;
}

const DURATION_STAGES = SPAN_STAGES.flatMap((stage) =>
  stage.durationAttribute ? [{ name: stage.name, attribute: stage.durationAttribute }] : [],
);

/**
 * Spans for stages that an engine states as attributes only (vLLM), laid one after another from the start of the span
 * that states them; none where the engine made such spans itself.
 */
function derivedSpans(spans: readonly TraceSpan[]): TraceSpan[] {
  const made = new Map(spans.map((span) => [`${span.parentSpanId} ${stageOf(span)}`, span]));
  return spans.flatMap((span) => {
    let startNs = span.startNs;
    return DURATION_STAGES.flatMap(({ name, attribute }): TraceSpan[] => {
      const seconds = span.attributes[attribute];
      const sibling = made.get(`${span.spanId} ${name}`);
      if (sibling) startNs = Math.max(startNs, sibling.startNs + sibling.durationNs);
      if (typeof seconds !== 'number' || !(seconds >= 0) || sibling) return [];
      const durationNs = Math.round(seconds * 1e9);
      const one: TraceSpan = {
        spanId: `${span.spanId}/${name}`,
        parentSpanId: span.spanId,
        name,
        service: span.service,
        startNs,
        durationNs,
        failed: false,
        attributes: { [attribute]: seconds },
        resource: span.resource,
        events: [],
      };
      startNs += durationNs;
      return [one];
    });
  });
}

function stageShares(rows: readonly WaterfallRow[]): StageShare[] {
  const totals = new Map<StageName, number>();
  let all = 0;
  for (const { stage, selfNs } of rows) {
    totals.set(stage, (totals.get(stage) ?? 0) + selfNs);
    all += selfNs;
  }
  return [...totals]
    .map(([stage, selfNs]) => ({ stage, selfNs, share: all > 0 ? selfNs / all : 0 }))
    .sort((a, b) => b.selfNs - a.selfNs);
}
