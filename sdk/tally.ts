/** Why something was refused: content that slipped by the types, or a label's value that isn't one. */
export type RefusalRule =
  | 'unknown_field'
  | 'not_a_code'
  | 'not_a_number'
  | 'too_long'
  | 'prose'
  | 'email'
  | 'identifier'
  | 'label_budget'
  | 'label_sets_full';

/** Why something was dropped that was no content. */
export type DropReason =
  | 'event_rate'
  | 'queue_full'
  | 'export_failed'
  | 'open_runs_full'
  | 'raw_response'
  | 'internal_error';

/**
 * Counts what the SDK refused and dropped. It never holds what was refused: a count can't leak, and a quote would. Both
 * sets of names are closed, so its memory is bounded.
 */
export class Tally {
  readonly refused = new Map<RefusalRule, number>();
  readonly dropped = new Map<DropReason, number>();

  refuse(rule: RefusalRule): void {
    this.refused.set(rule, (this.refused.get(rule) ?? 0) + 1);
  }

  drop(reason: DropReason, count = 1): void {
    this.dropped.set(reason, (this.dropped.get(reason) ?? 0) + count);
  }

  /**
   * Runs telemetry's own work, whose failure must never reach the program that is observed. The error itself is counted
   * and goes nowhere, because its message may quote what was given.
   */
  guard(work: () => void): void {
    try {
      work();
    } catch {
      this.drop('internal_error');
    }
  }
}
