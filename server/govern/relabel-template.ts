import type { RE2JS } from 're2js';

/** A piece of a template: literal text, or the group whose text stands there; `[]` is one that doesn't exist. */
type TemplatePart = { readonly text: string } | { readonly groups: readonly number[] };

/** A replacement with `$1`, `$name` and `${name}` in it, read once. */
export interface Template {
  readonly parts: readonly TemplatePart[];
  /** Whether it has any `$`; a template without is used as it is. */
  readonly isPlain: boolean;
}

const NAME = /^[\p{L}\p{Nd}_]+/u;

/**
 * Reads a template as Go's `Regexp.Expand` does: a name is the longest run of letters, digits and `_`, so `$1x` is the
 * group `1x`; `$$` is a dollar; a `$` before anything else stands for itself. Source: golang/go regexp.
 */
export function readTemplate(template: string, regex: RE2JS): Template {
  const parts: TemplatePart[] = [];
  let text = '';
  let rest = template;
  for (;;) {
    const dollar = rest.indexOf('$');
    if (dollar < 0) break;
    text += rest.slice(0, dollar);
    rest = rest.slice(dollar + 1);
    if (rest.startsWith('$')) {
      text += '$';
      rest = rest.slice(1);
      continue;
    }
    const isBraced = rest.startsWith('{');
    const name = NAME.exec(isBraced ? rest.slice(1) : rest)?.[0];
    if (name === undefined || (isBraced && rest[name.length + 1] !== '}')) {
      text += '$';
      continue;
    }
    if (text !== '') parts.push({ text });
    text = '';
    parts.push({ groups: groupsNamed(name, regex) });
    rest = rest.slice(name.length + (isBraced ? 2 : 0));
  }
  text += rest;
  if (text !== '') parts.push({ text });
  return { parts, isPlain: !template.includes('$') };
}

/** A name of digits without a leading zero is the number of a group; any other is a group's name. */
function groupsNamed(name: string, regex: RE2JS): number[] {
  if (/^(?:0|[1-9]\d{0,8})$/.test(name)) return Number(name) <= regex.groupCount() ? [Number(name)] : [];
  const known = regex.namedGroups();
  return Object.hasOwn(known, name) ? [known[name]] : [];
}

/** The template with the groups of a match filled in; groups that took no part are empty. */
export function expandTemplate({ parts }: Template, match: readonly (string | null | undefined)[]): string {
  let out = '';
  for (const part of parts) {
    if ('text' in part) out += part.text;
    else for (const group of part.groups) out += match[group] ?? '';
  }
  return out;
}
