/**
 * The changes of outputs that wait for the next drain: per output a list of points, ascending by time, in pooled typed
 * arrays. A change at an earlier time than the newest point finds its own place, so that a batch which brings one series
 * after the other (an hour of the first, then an hour of the second) is added up at the right times.
 */
export class PointQueue {
  /** Milliseconds since the epoch, per point. */
  time = new Float64Array(1024);
  /** A change of the output's value, or for the rules `max` and `last` the value itself. */
  amount = new Float64Array(1024);
  /** By how many the inputs that are alive changed. */
  alive = new Int32Array(1024);
  /** The next later point of the same output, or −1. */
  next = new Int32Array(1024);
  /** Per output: its earliest point, its latest, and the one that was last touched; −1 where there is none. */
  head = new Int32Array(64).fill(-1);
  tail = new Int32Array(64).fill(-1);
  private cursor = new Int32Array(64).fill(-1);
  /** Points in the pool. */
  used = 0;
  /** The point before the one that was inserted last, or −1. */
  insertedAfter = -1;
  private readonly maxPoints: number;

  /** @param maxPoints points of all outputs together; past it a change joins the nearest later point of its output. */
  constructor(maxPoints: number) {
    this.maxPoints = maxPoints;
  }

  /** Makes room for outputs with an index below `count`. */
  reserveOutputs(count: number): void {
    if (count <= this.head.length) return;
    const size = Math.max(count, this.head.length * 2);
    this.head = grownLinks(this.head, size);
    this.tail = grownLinks(this.tail, size);
    this.cursor = grownLinks(this.cursor, size);
  }

  /** The point of an output that a change at `timestampMs` belongs to; a new one starts with no change. */
  at(output: number, timestampMs: number): number {
    const touched = this.cursor[output];
    if (touched >= 0 && this.time[touched] === timestampMs) return touched;
    const tail = this.tail[output];
    if (tail < 0) return this.insert(output, timestampMs, -1, -1);
    if (timestampMs > this.time[tail]) return this.insert(output, timestampMs, tail, -1);
    let before = -1;
    let point = this.head[output];
    if (touched >= 0 && this.time[touched] < timestampMs) {
      before = touched;
      point = this.next[touched];
    }
    while (this.time[point] < timestampMs) {
      before = point;
      point = this.next[point];
    }
    if (this.time[point] !== timestampMs) return this.insert(output, timestampMs, before, point);
    this.cursor[output] = point;
    return point;
  }

  /** Forgets every point of one output; their numbers stay readable until `reset`. */
  clear(output: number): void {
    this.head[output] = -1;
    this.tail[output] = -1;
    this.cursor[output] = -1;
  }

  /** Makes the whole pool free again; every output must have been cleared. */
  reset(): void {
    this.used = 0;
  }

  private insert(output: number, timestampMs: number, before: number, after: number): number {
    if (this.used === this.maxPoints) {
      // A full pool loses detail in time, never an amount.
      const nearest = after >= 0 ? after : before;
      if (nearest >= 0) return nearest;
    }
    const point = this.used++;
    if (point === this.time.length) this.grow();
    this.time[point] = timestampMs;
    this.amount[point] = 0;
    this.alive[point] = 0;
    this.next[point] = after;
    if (before >= 0) this.next[before] = point;
    else this.head[output] = point;
    if (after < 0) this.tail[output] = point;
    this.cursor[output] = point;
    this.insertedAfter = before;
    return point;
  }

  private grow(): void {
    const size = this.time.length * 2;
    this.time = grown(this.time, new Float64Array(size));
    this.amount = grown(this.amount, new Float64Array(size));
    this.alive = grown(this.alive, new Int32Array(size));
    this.next = grown(this.next, new Int32Array(size));
  }
}

/** Copies an array into the beginning of a larger one and returns that. */
export function grown<Column extends Float64Array | Int32Array | Uint32Array | Uint8Array>(
  old: Column,
  larger: Column,
): Column {
  larger.set(old);
  return larger;
}

/** The same links in a larger array, whose new entries point nowhere. */
export function grownLinks(old: Int32Array, size: number): Int32Array<ArrayBuffer> {
  const larger = new Int32Array(size).fill(-1);
  larger.set(old);
  return larger;
}
