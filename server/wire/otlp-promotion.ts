import { ALLOWED_LABELS, LABEL_ALIASES, STRUCTURAL_LABELS } from '../model/generated/conventions.ts';

/** Where a metric ran, beside what the taxonomy asks for: governance keeps or folds these by its own rules. */
const PLACES = ['host.name', 'k8s.namespace.name', 'k8s.node.name', 'k8s.pod.name'];

/** Already in `job` and `instance`. */
const IDENTIFYING = new Set(['job', 'instance', 'service.instance.id', 'service_instance_id']);

/**
 * The resource attributes that become labels of every metric by default: the taxonomy's own names, all names that it has
 * aliases for, and where the process ran. Governance brings them onto the taxonomy afterwards.
 */
export const DEFAULT_PROMOTED_ATTRIBUTES: readonly string[] = [
  ...new Set([
    ...Object.keys(ALLOWED_LABELS),
    ...Object.keys(STRUCTURAL_LABELS),
    ...LABEL_ALIASES.flatMap((alias) => alias.originals),
    ...PLACES,
  ]),
].filter((name) => !IDENTIFYING.has(name));
