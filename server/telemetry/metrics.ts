/** A label set of one of our own metrics, by name. */
export type OwnLabels = Readonly<Record<string, string>>;

interface Family {
  readonly help: string;
  readonly type: 'counter' | 'gauge';
  readonly values: Map<string, number>;
  readonly collect: (() => Iterable<readonly [OwnLabels, number]>) | undefined;
}

/** The program's own metrics, and their exposition. Names begin with `barograph_`. */
export class OwnMetrics {
  private readonly families = new Map<string, Family>();

  /** Declares a counter and returns the function that adds to it. */
  counter(name: string, help: string): (labels?: OwnLabels, by?: number) => void {
    const family: Family = { help, type: 'counter', values: new Map(), collect: undefined };
    this.families.set(name, family);
    return (labels = {}, by = 1) => {
      const key = printOwnLabels(labels);
      family.values.set(key, (family.values.get(key) ?? 0) + by);
    };
  }

  /** Declares a metric whose values are asked for when someone reads them. */
  observed(
    name: string,
    type: 'counter' | 'gauge',
    help: string,
    collect: () => Iterable<readonly [OwnLabels, number]>,
  ): void {
    this.families.set(name, { help, type, values: new Map(), collect });
  }

  /** All metrics in Prometheus's text format 0.0.4. */
  expose(): string {
    let out = '';
    for (const [name, family] of this.families) {
      out += `# HELP ${name} ${family.help}\n# TYPE ${name} ${family.type}\n`;
      for (const [labels, value] of family.values) out += `${name}${labels} ${value}\n`;
      for (const [labels, value] of family.collect?.() ?? []) out += `${name}${printOwnLabels(labels)} ${value}\n`;
    }
    return out;
  }
}

function printOwnLabels(labels: OwnLabels): string {
  const parts = Object.entries(labels).map(([name, value]) => `${name}=${JSON.stringify(value)}`);
  return parts.length === 0 ? '' : `{${parts.join(',')}}`;
}
