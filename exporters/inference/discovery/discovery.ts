import { ExporterError } from '../../error.ts';
import { makeTarget, type Target } from '../target.ts';

/** The ways to find targets. */
export type DiscoveryKind = 'static' | 'file' | 'dns' | 'http' | 'kubernetes';

/** Finds targets again and again. */
export interface Discovery {
  readonly kind: DiscoveryKind;
  /**
   * The targets now.
   * @throws ExporterError where they can't be found out; those of the last time stay in force.
   */
  find(): Promise<Target[]>;
  /** Calls back when it may be worth finding again before the interval; absent where nothing tells. */
  watch?(onChange: () => void): () => void;
}

/** Bytes of a list of targets, at most. */
export const MAX_LIST_BYTES = 16 * 1024 * 1024;

/**
 * Reads target groups as Prometheus's file and HTTP discovery have them: `[{"targets": ["host:port"], "labels": {…}}]`.
 * Labels that begin with `__` belong to Prometheus and are left alone.
 * @throws ExporterError `bad_targets`, `bad_target`.
 */
export function readTargetGroups(text: string, where: string): Target[] {
  const fail = (got: string): ExporterError =>
    new ExporterError({
      code: 'bad_targets',
      where,
      got,
      accepted: '[{"targets": ["host:port", …], "labels": {"deployment": "chat"}}, …]',
    });
  let groups: unknown;
  try {
    groups = JSON.parse(text);
  } catch {
    throw fail('something that is no JSON');
  }
  if (!Array.isArray(groups)) throw fail('no list');
  return groups.flatMap((group, i) => {
    const { targets, labels = {} } = (group ?? {}) as { targets?: unknown; labels?: unknown };
    if (!isTexts(targets)) throw fail(`group ${i} without a list of targets`);
    if (typeof labels !== 'object' || labels === null || !isTexts(Object.values(labels)))
      throw fail(`labels of group ${i} that aren't texts`);
    const own = Object.entries(labels as Record<string, string>).filter(([name]) => !name.startsWith('__'));
    return targets.map((address) => makeTarget(address, Object.fromEntries(own), `${where}, group ${i}`));
  });
}

function isTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((one) => typeof one === 'string');
}

/** Targets that are named where the exporter is started. */
export function staticDiscovery(targets: readonly Target[]): Discovery {
  return { kind: 'static', find: async () => [...targets] };
}
