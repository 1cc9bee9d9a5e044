import type { Governor } from '../govern/index.ts';
import type { Finding } from './finding.ts';
import { MANY } from './judge-log-use.ts';
import type { TraceUse } from './trace-uses.ts';
import { UNKNOWN_NAME } from './variables.ts';

const IDENTIFIERS = new Set(['trace:id', 'span:id', 'span:parentID', 'link:traceID', 'link:spanID']);

/** What is wrong with asking spans for an attribute under the policy, or `undefined`. */
export function judgeTraceUse(governor: Governor, use: TraceUse): Omit<Finding, 'line'> | undefined {
  const { written, attribute, isGroup, isNumber } = use;
  const how = `${isGroup ? 'groups by' : 'asks for'} ${written}`;
  const tooMany = { rule: 'grouped_by_id', level: 'warning', message: `${how}, ${MANY}` } as const;
  if (attribute === undefined) return isGroup && IDENTIFIERS.has(written) ? tooMany : undefined;
  if (attribute === UNKNOWN_NAME) return undefined;
  const fate = governor.fateOfAttribute(attribute);
  switch (fate.kind) {
    case 'removed': {
      if (fate.isOnlyText && isNumber) return undefined;
      const isContent = fate.rule === 'content' || fate.isOnlyText;
      const effect = isGroup ? 'so everything is one group' : 'so no span has it';
      const why = isContent ? `which is refused as content (${fate.rule})` : `which will not exist (${fate.rule})`;
      const rule = isContent ? 'content_refused' : 'attribute_removed';
      return { rule, level: 'error', message: `${how}, ${why}, ${effect}` };
    }
    case 'renamed': {
      const message = `${how}, which is stored as ${fate.to} where a span doesn’t have both; ask for that`;
      return { rule: 'attribute_renamed', level: 'warning', message };
    }
    case 'kept':
      return isGroup && fate.isRequest ? tooMany : undefined;
  }
}
