/** Why a request, or a part of it, was passed on without being measured. */
export type UnmeasuredReason =
  | 'event_too_large'
  | 'body_too_large'
  | 'memory'
  | 'unknown_encoding'
  | 'decode_error'
  | 'decoder_behind'
  | 'not_json'
  | 'request_encoding';

/** The gateway's own counters. Their labels are closed sets. */
export class OwnMetrics {
  /** By way and the class of the status. */
  readonly answers = new Map<string, number>();
  readonly unmeasured = new Map<UnmeasuredReason, number>();
  /** By code. */
  readonly failures = new Map<string, number>();
  /** Requests that were sent again on another connection. */
  resent = 0;
  usageAsked = 0;
  usageHidden = 0;
  open = 0;
  tunnels = 0;
  refusedConnections = 0;
  /** Events that were recognised by their shape, and those that had to be parsed. */
  eventsByShape = 0;
  eventsParsed = 0;

  answered(way: string, status: number): void {
    count(this.answers, `${way} ${Math.floor(status / 100)}xx`);
  }

  notMeasured(reason: UnmeasuredReason): void {
    count(this.unmeasured, reason);
  }

  failed(code: string): void {
    count(this.failures, code);
  }
}

function count<Key>(counters: Map<Key, number>, key: Key): void {
  counters.set(key, (counters.get(key) ?? 0) + 1);
}
