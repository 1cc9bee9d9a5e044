import type { Span } from '../../model/index.ts';
import type { Relation } from './ast.ts';

/** A whole trace, with what queries ask of it computed once. */
export class TraceView {
  readonly traceId: string;
  readonly spans: readonly Span[];
  /** The span without a parent, or the one whose parent isn't there that started first. */
  readonly root: Span;
  /** Nanoseconds since the epoch: the first start and the last end. */
  readonly startNs: bigint;
  readonly endNs: bigint;
  private readonly byId = new Map<string, Span>();
  private childCounts: Map<string, number> | undefined;

  /** @param spans The trace's spans, at least one, in any order. */
  constructor(spans: readonly Span[]) {
    this.traceId = spans[0].traceId;
    this.spans = spans;
    for (const span of spans) this.byId.set(span.spanId, span);
    let [startNs, endNs] = [spans[0].startNs, 0n];
    let root: Span | undefined;
    for (const span of spans) {
      if (span.startNs < startNs) startNs = span.startNs;
      if (span.startNs + span.durationNs > endNs) endNs = span.startNs + span.durationNs;
      if (this.parentOf(span) === undefined && (root === undefined || isBetterRoot(span, root))) root = span;
    }
    this.startNs = startNs;
    this.endNs = endNs;
    // In a ring of parents, which only broken senders make, no span is a root.
    this.root = root ?? spans[0];
  }

  /** The parent, where it is in the trace. */
  parentOf(span: Span): Span | undefined {
    return span.parentSpanId === '' ? undefined : this.byId.get(span.parentSpanId);
  }

  /** How many spans name this one as their parent. */
  childCount(span: Span): number {
    if (this.childCounts === undefined) {
      this.childCounts = new Map();
      for (const { parentSpanId } of this.spans)
        this.childCounts.set(parentSpanId, (this.childCounts.get(parentSpanId) ?? 0) + 1);
    }
    return this.childCounts.get(span.spanId) ?? 0;
  }

  /** Those of `right` that stand in the relation to a span of `left` (`>`: are its child). Linear in the trace's size. */
  related(relation: Relation, left: readonly Span[], right: readonly Span[]): Span[] {
    switch (relation) {
      case '>': {
        const parents = idsOf(left);
        return right.filter((span) => span.parentSpanId !== '' && parents.has(span.parentSpanId));
      }
      case '<': {
        const parents = new Set(left.map((span) => span.parentSpanId));
        return right.filter((span) => parents.has(span.spanId));
      }
      case '>>': {
        const ancestors = idsOf(left);
        const known = new Map<string, boolean>();
        return right.filter((span) => this.hasAncestor(span, ancestors, known));
      }
      case '<<': {
        const ancestors = this.ancestorsOf(left);
        return right.filter((span) => ancestors.has(span.spanId));
      }
      case '~': {
        const families = new Map<string, number>();
        for (const { parentSpanId } of left) families.set(parentSpanId, (families.get(parentSpanId) ?? 0) + 1);
        const own = idsOf(left);
        return right.filter(
          (span) => span.parentSpanId !== '' && (families.get(span.parentSpanId) ?? 0) > (own.has(span.spanId) ? 1 : 0),
        );
      }
    }
  }

  private hasAncestor(span: Span, ancestors: ReadonlySet<string>, known: Map<string, boolean>): boolean {
    const path: string[] = [];
    let found = false;
    for (let at: Span | undefined = span; at !== undefined; at = this.parentOf(at)) {
      const before = known.get(at.spanId);
      if (before !== undefined) {
        found = before;
        break;
      }
      // Known as false until the walk ends, which also ends it in a ring.
      known.set(at.spanId, false);
      path.push(at.spanId);
      if (ancestors.has(at.parentSpanId) && at.parentSpanId !== '') {
        found = true;
        break;
      }
    }
    for (const id of path) known.set(id, found);
    return found;
  }

  private ancestorsOf(spans: readonly Span[]): Set<string> {
    const ancestors = new Set<string>();
    for (const span of spans) {
      for (let at = this.parentOf(span); at !== undefined && !ancestors.has(at.spanId); at = this.parentOf(at))
        ancestors.add(at.spanId);
    }
    return ancestors;
  }
}

function idsOf(spans: readonly Span[]): Set<string> {
  return new Set(spans.map((span) => span.spanId));
}

function isBetterRoot(span: Span, than: Span): boolean {
  if ((span.parentSpanId === '') !== (than.parentSpanId === '')) return span.parentSpanId === '';
  return span.startNs < than.startNs;
}
