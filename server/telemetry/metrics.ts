/** A label set of one of our own metrics, by name. */
export type OwnLabels = Readonly<Record<string, string>>;

/** A value of one of our own metrics. */
export interface OwnPoint {
  readonly labels: OwnLabels;
  readonly value: number;
}

/** One of our own metrics with its values of this moment. */
export interface OwnFamily {
  readonly name: string;
  readonly help: string;
  readonly type: 'counter' | 'gauge';
  readonly points: readonly OwnPoint[];
}

type Observe = () => Iterable<readonly [OwnLabels, number]>;

interface Declared {
  readonly help: string;
  readonly type: 'counter' | 'gauge';
  /** What was counted, by the labels as JSON. */
  readonly counted: Map<string, { readonly labels: OwnLabels; value: number }>;
  readonly observe: Observe | undefined;
}

/** The program's own metrics. Names begin with `barograph_`. */
export class OwnMetrics {
  private readonly families = new Map<string, Declared>();

  /** Declares a counter and returns the function that adds to it. */
  counter(name: string, help: string): (labels?: OwnLabels, by?: number) => void {
    const family: Declared = { help, type: 'counter', counted: new Map(), observe: undefined };
    this.families.set(name, family);
    return (labels = {}, by = 1) => {
      const key = JSON.stringify(labels);
      const known = family.counted.get(key);
      if (known) known.value += by;
      else family.counted.set(key, { labels, value: by });
    };
  }

  /** Declares a metric whose values are asked for when someone reads them. */
  observed(name: string, type: 'counter' | 'gauge', help: string, observe: Observe): void {
    this.families.set(name, { help, type, counted: new Map(), observe });
  }

  /** Every metric with its values, in the order of their declaration. */
  *collect(): Iterable<OwnFamily> {
    for (const [name, { help, type, counted, observe }] of this.families) {
      const points: OwnPoint[] = Array.from(counted.values(), ({ labels, value }) => ({ labels, value }));
      for (const [labels, value] of observe?.() ?? []) points.push({ labels, value });
      yield { name, help, type, points };
    }
  }
}
