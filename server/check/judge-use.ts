import type { Governor } from '../govern/index.ts';
import { createMatcher, matchesEmpty } from '../model/index.ts';
import type { Finding } from './finding.ts';
import type { LabelUse } from './label-uses.ts';

/** Metrics with a colon in their name that senders expose; others come from recording rules, whose labels are theirs. */
const EXPOSED = /^(?:[^:]*|(?:vllm|sglang|llamacpp|fleet):[^:]*)$/;
const OTHER = 'other';

/** What is wrong with asking a metric for a label under the policy, or `undefined`. */
export function judgeUse(governor: Governor, { metric, label, matcher }: LabelUse): Omit<Finding, 'line'> | undefined {
  if (!EXPOSED.test(metric)) return undefined;
  const fate = governor.fateOf(metric, label);
  const compiled = matcher && createMatcher(matcher.name, matcher.op, matcher.value);
  const how = matcher === undefined ? 'groups or joins by' : 'filters by';
  // A condition that an absent label meets finds too much, another one finds nothing.
  const effect =
    compiled === undefined
      ? 'so everything is one group'
      : matcher?.value.includes('$')
        ? 'so it finds nothing, or doesn’t filter at all'
        : matchesEmpty(compiled)
          ? 'so every series meets the condition'
          : 'so it finds nothing';
  switch (fate.kind) {
    case 'removed': {
      const message = `${how} ${label} of ${metric}, which will not exist (${fate.rule}), ${effect}`;
      return { rule: 'label_removed', level: 'error', message };
    }
    case 'renamed': {
      const message = `${how} ${label} of ${metric}, which is stored as ${fate.to.join(' and ')}, ${effect}`;
      return { rule: 'label_renamed', level: 'error', message };
    }
    case 'kept': {
      if (!fate.values || !compiled?.values || matcher?.value.includes('$')) return undefined;
      const known = new Set([...fate.values, OTHER, '']);
      const unknown = compiled.values.filter((value) => !known.has(value));
      if (unknown.length === 0 || matcher?.op === '!=') return undefined;
      const values = unknown.map((value) => JSON.stringify(value)).join(', ');
      const message = `filters ${label} of ${metric} by ${values}, which it never is; its values are ${fate.values.join(', ')} and other`;
      return { rule: 'value_unknown', level: 'error', message };
    }
  }
}
