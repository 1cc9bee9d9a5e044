import type { Span } from '../../model/index.ts';
import type { Relation } from './ast.ts';

/**
 * Where a span stands in its trace's tree, as Tempo numbers it: walking from each root through its children, a counter
 * from 1 is noted on the way down (`left`) and on the way up (`right`), so a descendant's numbers lie between its
 * ancestor's. `parent` is the parent's `left`, and -1 for a root. Spans that no root leads to have 0 throughout.
 */
export interface NestedSet {
  left: number;
  right: number;
  readonly parent: number;
}

const OUTSIDE: NestedSet = { left: 0, right: 0, parent: 0 };

/** A whole trace, with what queries ask of it computed once. */
export class TraceView {
  readonly traceId: string;
  readonly spans: readonly Span[];
  /**
   * The span that has no parent; of several the one that started first. `undefined` where it hasn't been received: a
   * span whose parent is missing isn't taken for it.
   */
  readonly root: Span | undefined;
  /** Nanoseconds since the epoch: the first start and the last end. */
  readonly startNs: bigint;
  readonly endNs: bigint;
  private readonly byId = new Map<string, Span>();
  private childCounts: Map<string, number> | undefined;
  private nested: Map<string, NestedSet> | undefined;

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
      if (span.parentSpanId === '' && (root === undefined || span.startNs < root.startNs)) root = span;
    }
    this.startNs = startNs;
    this.endNs = endNs;
    this.root = root;
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

  /** The span's place in the tree. */
  nestedSet(span: Span): NestedSet {
    this.nested ??= nestedSetsOf(this.spans);
    return this.nested.get(span.spanId) ?? OUTSIDE;
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

/** Numbers the spans that roots lead to; without recursion, because a trace can be as deep as it has spans. */
function nestedSetsOf(spans: readonly Span[]): Map<string, NestedSet> {
  const children = new Map<string, Span[]>();
  for (const span of spans) {
    const siblings = children.get(span.parentSpanId);
    if (siblings) siblings.push(span);
    else children.set(span.parentSpanId, [span]);
  }
  const sets = new Map<string, NestedSet>();
  let next = 1;
  for (const root of children.get('') ?? []) {
    const path: { set: NestedSet; children: readonly Span[]; at: number }[] = [];
    const descend = (span: Span, parent: number) => {
      const set = { left: next++, right: 0, parent };
      sets.set(span.spanId, set);
      path.push({ set, children: children.get(span.spanId) ?? [], at: 0 });
    };
    descend(root, -1);
    while (path.length > 0) {
      const top = path[path.length - 1];
      if (top.at < top.children.length) {
        descend(top.children[top.at++], top.set.left);
      } else {
        top.set.right = next++;
        path.pop();
      }
    }
  }
  return sets;
}
