import { parse } from 'yaml';
import { BarographError } from '../model/index.ts';
import { type TargetGroup, targetGroup } from './config-parts.ts';
import type { DiscoveredAddress } from './target.ts';

/** The ways to find targets; values of the label `mechanism` of our own metrics. */
export type DiscoveryKind = 'static' | 'file' | 'http';

/** Finds the addresses of a job, again and again. */
export interface Discovery {
  readonly kind: DiscoveryKind;
  /** Begins; `onAddresses` gets all addresses of this discovery, each time that they may have changed. */
  start(onAddresses: (addresses: readonly DiscoveredAddress[]) => void): void;
  /** Ends; nothing is said any more. */
  close(): void;
}

/** What every discovery tells of its work. */
export interface DiscoveryLog {
  /** A source that couldn't be read: what it said last stays, and a file that isn't there says nothing. No secrets in `why`. */
  readonly failed: (kind: DiscoveryKind, why: string) => void;
}

/** Addresses of one discovery, at most; beyond it the source is refused, so that it can't take all memory. */
export const MAX_ADDRESSES = 200_000;

/**
 * Reads a list of target groups, `[{targets: […], labels: {…}}]`, which file and HTTP discovery share.
 * @param where the file or URL, for the error
 * @throws BarographError `bad_targets`.
 */
export function parseTargetGroups(text: string, format: 'json' | 'yaml', where: string): TargetGroup[] {
  const fail = (got: string): BarographError =>
    new BarographError({
      code: 'bad_targets',
      status: 400,
      where,
      got,
      accepted: 'a list of groups with targets (texts) and labels (names to texts)',
    });
  let value: unknown;
  try {
    // All of YAML's plain scalars are texts here, as Prometheus reads them: a version 1.10 stays what it is.
    value = format === 'json' ? JSON.parse(text) : (parse(text, { schema: 'failsafe', prettyErrors: false }) ?? []);
  } catch {
    throw fail(`something that is no ${format.toUpperCase()}`);
  }
  if (!Array.isArray(value)) throw fail('no list');
  const groups = value.map((group, i) => {
    const result = targetGroup.safeParse(group);
    if (!result.success) {
      const issue = result.error.issues[0];
      throw fail(`in group ${i}${issue.path.map((part) => `.${String(part)}`).join('')}: ${issue.message}`);
    }
    return result.data;
  });
  const addresses = groups.reduce((sum, group) => sum + group.targets.length, 0);
  if (addresses > MAX_ADDRESSES) throw fail(`${addresses} targets, more than ${MAX_ADDRESSES}`);
  return groups;
}
