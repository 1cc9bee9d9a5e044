import type { SharedVerdict } from '../govern/index.ts';
import { type Labels, labelValue, METRIC_NAME } from '../model/index.ts';

/** A route of series that keep the same labels; see `RemainderRoutes`, which does the same for labels that are bytes. */
export interface SharedLabelsRoute {
  readonly shared: SharedVerdict;
  readonly output: number;
  /** −1 for none. */
  readonly fleetOutput: number;
  /** For series that send increases: whether the outputs are counters. */
  readonly takesDelta: boolean;
}

/** Remainders and characters of them that are remembered, at most; past it the memory starts anew. */
const MAX_ROUTES = 100_000;
const MAX_CHARACTERS = 16 * 1024 * 1024;
const MAX_FATES = 100_000;
const SEPARATOR = '\u00ff\u00fe';

/** Finds where series go by the labels that they keep, for labels that are texts. */
export class LabelRemainders {
  /** Of the series that `find` read: what goes, as alternating rule, name and value. */
  gone: string[] = [];
  private key = '';
  private readonly ruleByName: (metric: string, label: string) => string | undefined;
  private readonly maxLabels: number;
  private fates = new Map<string, Map<string, string>>();
  private fateCount = 0;
  private routes = new Map<string, SharedLabelsRoute>();
  private characters = 0;

  /**
   * @param ruleByName the rule that removes a label of a metric whatever its value is; asked once a pair
   * @param maxLabels series with more labels are judged one by one
   */
  constructor(ruleByName: (metric: string, label: string) => string | undefined, maxLabels: number) {
    this.ruleByName = ruleByName;
    this.maxLabels = maxLabels;
  }

  /** The route of a series, or `undefined`: then it is to be judged. */
  find(labels: Labels): SharedLabelsRoute | undefined {
    this.key = '';
    this.gone.length = 0;
    if (labels.length > 2 * this.maxLabels) return undefined;
    const fates = this.fatesOf(labelValue(labels, METRIC_NAME));
    let key = '';
    for (let i = 0; i < labels.length; i += 2) {
      const rule = fates.get(labels[i]) ?? this.addFate(fates, labelValue(labels, METRIC_NAME), labels[i]);
      if (rule === '') key += labels[i] + SEPARATOR + labels[i + 1] + SEPARATOR;
      else this.gone.push(rule, labels[i], labels[i + 1]);
    }
    if (this.gone.length === 0) return undefined;
    this.key = key;
    return this.routes.get(key);
  }

  /** Remembers the route of the series that `find` just missed. */
  add(route: SharedLabelsRoute): void {
    if (this.key === '') return;
    if (this.routes.size === MAX_ROUTES || this.characters + this.key.length > MAX_CHARACTERS) {
      this.routes = new Map();
      this.characters = 0;
    }
    this.routes.set(this.key, route);
    this.characters += this.key.length;
  }

  private fatesOf(metric: string): Map<string, string> {
    let known = this.fates.get(metric);
    if (!known) this.fates.set(metric, (known = new Map()));
    return known;
  }

  private addFate(fates: Map<string, string>, metric: string, label: string): string {
    const rule = this.ruleByName(metric, label) ?? '';
    fates.set(label, rule);
    if (++this.fateCount > MAX_FATES) {
      this.fates = new Map();
      this.fateCount = 0;
    }
    return rule;
  }
}
