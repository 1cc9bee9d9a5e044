import type { Labels } from '../model/index.ts';
import type { AlertingRuleSpec } from './rule-file.ts';

/** Milliseconds for which a resolved alert is still sent. Source: prometheus rules/alerting.go. */
const RESOLVED_RETENTION_MS = 15 * 60_000;

/** An alert of a rule. Times are milliseconds since the epoch; 0 for never. */
export interface ActiveAlert {
  readonly labels: Labels;
  annotations: Readonly<Record<string, string>>;
  value: number;
  state: 'pending' | 'firing' | 'inactive';
  activeAtMs: number;
  firedAtMs: number;
  resolvedAtMs: number;
  lastSentAtMs: number;
  validUntilMs: number;
  keepFiringSinceMs: number;
}

/** An alert as one evaluation finds it. */
export interface FoundAlert {
  readonly labels: Labels;
  readonly annotations: Readonly<Record<string, string>>;
  readonly value: number;
}

/**
 * Moves a rule's alerts on by one evaluation, as Prometheus does: pending, firing after `for`, inactive once its series
 * is gone and `keep_firing_for` has passed, forgotten after 15 minutes.
 * @param active by the key of their labels; changed
 * @returns the alerts that are pending or firing
 */
export function advanceAlerts(
  active: Map<string, ActiveAlert>,
  found: ReadonlyMap<string, FoundAlert>,
  rule: Pick<AlertingRuleSpec, 'forMs' | 'keepFiringForMs'>,
  ms: number,
): ActiveAlert[] {
  for (const [key, alert] of found) {
    const known = active.get(key);
    if (known && known.state !== 'inactive') {
      known.value = alert.value;
      known.annotations = alert.annotations;
      continue;
    }
    const never = { firedAtMs: 0, resolvedAtMs: 0, lastSentAtMs: 0, validUntilMs: 0, keepFiringSinceMs: 0 };
    active.set(key, { ...alert, state: 'pending', activeAtMs: ms, ...never });
  }
  const out: ActiveAlert[] = [];
  for (const [key, alert] of active) {
    if (found.has(key)) {
      alert.keepFiringSinceMs = 0;
    } else {
      let isKept = false;
      if (alert.state === 'firing' && rule.keepFiringForMs > 0) {
        alert.keepFiringSinceMs ||= ms;
        isKept = ms - alert.keepFiringSinceMs < rule.keepFiringForMs;
      }
      const isOld = alert.resolvedAtMs > 0 && ms - alert.resolvedAtMs > RESOLVED_RETENTION_MS;
      if (alert.state === 'pending' || isOld) active.delete(key);
      if (alert.state !== 'inactive' && !isKept) {
        alert.state = 'inactive';
        alert.resolvedAtMs = ms;
      }
      if (!isKept) continue;
    }
    if (alert.state === 'pending' && ms - alert.activeAtMs >= rule.forMs) {
      alert.state = 'firing';
      alert.firedAtMs = ms;
    }
    out.push(alert);
  }
  return out;
}
