/** Stands for a name that a variable gives; no label is called so. */
export const UNKNOWN_NAME = '__variable__';

const VARIABLE = /\$\{[^}]*\}|\$[A-Za-z_]\w*|\[\[\w+\]\]/g;

/**
 * An expression of a Grafana dashboard as PromQL: variables in ranges become a duration, those where a label or metric is
 * named become `__variable__`, others a number. Those in texts stay: no value of theirs is checked.
 */
export function withoutVariables(expr: string): string {
  let out = '';
  let copied = 0;
  let quote = '';
  let scanned = 0;
  for (const match of expr.matchAll(VARIABLE)) {
    for (; scanned < match.index; scanned++) {
      const character = expr[scanned];
      if (quote !== '' && quote !== '`' && character === '\\') scanned++;
      else if (character === quote) quote = '';
      else if (quote === '' && /["'`]/.test(character)) quote = character;
    }
    scanned = match.index + match[0].length;
    if (quote !== '') continue;
    out += expr.slice(copied, match.index) + standIn(expr.slice(0, match.index), expr.slice(scanned));
    copied = scanned;
  }
  return out + expr.slice(copied);
}

/** Whether an expression has a variable outside its texts. */
export function hasVariables(expr: string): boolean {
  return withoutVariables(expr) !== expr;
}

function standIn(before: string, behind: string): string {
  if (/(?:\[|:|\boffset\s+-?)\s*$/.test(before) || /^\s*[\]:]/.test(behind)) return '5m';
  if (/\b(?:by|without|on|ignoring|group_left|group_right)\s*\([^()]*$/.test(before)) return UNKNOWN_NAME;
  // A part of a name, or a name: something that has labels, a range or arguments follows.
  if (/\w$/.test(before) || /^\w/.test(behind)) return 'x';
  if (/^\s*[{[(]/.test(behind) || (/[({,]\s*$/.test(before) && /^\s*(?:=|!=)/.test(behind))) return UNKNOWN_NAME;
  return '1';
}
