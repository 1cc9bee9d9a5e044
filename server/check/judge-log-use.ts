import type { Governor } from '../govern/index.ts';
import { createMatcher, matchesEmpty } from '../model/index.ts';
import type { Finding } from './finding.ts';
import type { LogUse } from './log-uses.ts';

const HOW = { selector: 'selects streams by', filter: 'filters by', unwrap: 'unwraps', group: 'groups or joins by' };

/** What is wrong with asking log lines for a label under the policy, or `undefined`. */
export function judgeLogUse(governor: Governor, use: LogUse): Omit<Finding, 'line'> | undefined {
  const { label, place, hasFields } = use;
  const how = `${HOW[place]} ${label}`;
  const fate = governor.fateOfStreamLabel(label);
  const attribute = governor.fateOfAttribute(label);
  switch (fate.kind) {
    case 'moved':
      if (place === 'selector') {
        const message = `${how}, which is structured metadata rather than a label of the stream (${fate.rule}), ${effectOf(use)}; write it behind the selector, as in {…} | ${label}="…"`;
        return { rule: 'label_moved', level: 'error', message };
      }
      if (place !== 'group') return undefined;
      return { rule: 'grouped_by_id', level: 'warning', message: `${how}, ${MANY}` };
    case 'removed': {
      // A field of a line may have the name too; what is content goes there as well, other things may stay.
      if (place !== 'selector' && attribute.kind !== 'removed') return undefined;
      const isContent = fate.rule === 'content' || (attribute.kind === 'removed' && attribute.isOnlyText);
      if (place === 'unwrap' && isContent && fate.rule !== 'content') return undefined;
      if (hasFields && !isContent) return undefined;
      const rule = isContent ? 'content_refused' : 'label_removed';
      const why = isContent ? 'which is refused as content' : `which will not exist (${fate.rule})`;
      return { rule, level: 'error', message: `${how}, ${why}, ${effectOf(use)}` };
    }
    case 'renamed': {
      const to = fate.to.join(' and ');
      if (place === 'selector')
        return { rule: 'label_renamed', level: 'error', message: `${how}, which is stored as ${to}, ${effectOf(use)}` };
      if (hasFields) return undefined;
      // A record's own metadata keeps its name where its stream says something else.
      const message = `${how}, which streams have as ${to}; only lines whose own metadata says so are found`;
      return { rule: 'label_renamed', level: 'warning', message };
    }
    case 'kept':
      return undefined;
  }
}

/** Why a group of each identifier is wrong. */
export const MANY = 'which identifies a request, so there is a series a request; group by a label, and filter by this';

function effectOf({ place, match }: LogUse): string {
  if (place === 'group') return 'so everything is one group';
  if (place === 'unwrap') return 'so there are no numbers';
  if (match === undefined) return 'so it finds nothing';
  if (match.value.includes('$')) return 'so it finds nothing, or doesn’t filter at all';
  const isMet = matchesEmpty(createMatcher(match.name, match.op, match.value));
  return isMet ? 'so every stream meets the condition' : 'so it finds nothing';
}
