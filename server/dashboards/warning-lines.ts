import { LOG_CLASS_RULES, type LogClassRule } from '../model/generated/conventions.ts';

type Severities = readonly LogClassRule['severity'][];

const ERROR_LEVELS = ['ERROR', 'CRITICAL', 'FATAL'];
const ERROR_SEVERITIES: Severities = ['critical', 'error'];

/**
 * Lines that warn by their level, or by a number in them as the numeric rules of the log classes have it: a key-value
 * cache that is 90 % full (vLLM's line of statistics, which is INFO), 95 % of SGLang's pool, no memory left for a cache.
 */
const WARNING_TEXTS = [
  'WARN',
  'KV cache usage: (9[0-9]|100)[.]',
  'token usage: (0[.]9[5-9]|1[.])',
  'Available KV cache memory: (-|0([.]0+)? GiB)',
];
const WARNING_SEVERITIES: Severities = ['warning'];

/** RE2 expression of lines in which an engine, CUDA, NCCL or the driver failed: by level, or by what they say. */
export const ERROR_LINE = /* @__PURE__ */ anyOf(ERROR_LEVELS, ERROR_SEVERITIES);

/** RE2 expression of lines in which one of them warned; those of `ERROR_LINE` may be among them. */
export const WARNING_LINE = /* @__PURE__ */ anyOf(WARNING_TEXTS, WARNING_SEVERITIES);

/**
 * Any of some expressions, or of the texts without which no rule of these severities can match. The texts are coarser than
 * the rules' own expressions and cheaper, which counts here: the lane reads every line of its range.
 */
function anyOf(expressions: readonly string[], severities: Severities): string {
  const rules = LOG_CLASS_RULES.filter((rule) => severities.includes(rule.severity) && rule.numeric === undefined);
  const needles = rules.flatMap((rule) => rule.needles).map((needle) => needle.replace(/[\\.+*?()|[\]{}^$]/g, '\\$&'));
  return [...new Set([...expressions, ...needles])].join('|');
}
