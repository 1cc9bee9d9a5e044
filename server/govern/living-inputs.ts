import type { InputTable } from './input-table.ts';
import { grown, grownLinks } from './point-queue.ts';
import { AVG, LAST, MAX, SUM } from './rule.ts';

/**
 * The inputs of gauges that count at the moment, and what they come to: per output a list with the longest unseen first,
 * linked through the slots of the input table, and the sum, maximum or last value, kept up to date with each change.
 */
export class LivingInputs {
  /** Per output: the sum, maximum or last value of its living inputs. */
  current = new Float64Array(64);
  /** Per output: how many inputs live. */
  alive = new Int32Array(64);
  /** Per output: the longest unseen living input, −1 where none lives. */
  oldest = new Int32Array(64).fill(-1);
  private newest = new Int32Array(64).fill(-1);
  /** Per output: the time of the value that `last` shows, milliseconds since the epoch. */
  private shownMs = new Float64Array(64).fill(Number.NEGATIVE_INFINITY);
  /** Of a `max`: the highest input fell or left. Of a sum: changes since it was last added up afresh. */
  private doubt = new Int32Array(64);
  private readonly inputs: InputTable;

  constructor(inputs: InputTable) {
    this.inputs = inputs;
  }

  /** Makes room for outputs with an index below `count`. */
  reserveOutputs(count: number): void {
    if (count <= this.current.length) return;
    const size = Math.max(count, this.current.length * 2);
    this.current = grown(this.current, new Float64Array(size));
    this.alive = grown(this.alive, new Int32Array(size));
    this.doubt = grown(this.doubt, new Int32Array(size));
    this.shownMs = grown(this.shownMs, new Float64Array(size).fill(Number.NEGATIVE_INFINITY));
    this.oldest = grownLinks(this.oldest, size);
    this.newest = grownLinks(this.newest, size);
  }

  /** Makes an input the one that was seen last. `isNew` says that it didn't live before. */
  see(slot: number, output: number, isNew: boolean): void {
    if (isNew) this.alive[output]++;
    else this.unlink(slot, output);
    this.link(slot, output);
  }

  /** A sum or an average changes by so much. */
  addChange(output: number, change: number): void {
    this.current[output] += change;
    this.doubt[output]++;
  }

  /** A maximum hears a value; `old` is what the same input said before, where it lived. */
  raise(output: number, value: number, old: number, lived: boolean): void {
    if (this.alive[output] === 1 || value >= this.current[output]) {
      this.current[output] = value;
      this.doubt[output] = 0;
    } else if (lived && old === this.current[output]) this.doubt[output] = 1;
  }

  /** A `last` hears a value of a time; false where it knows a newer one. */
  show(output: number, value: number, timestampMs: number): boolean {
    if (timestampMs < this.shownMs[output]) return false;
    this.shownMs[output] = timestampMs;
    this.current[output] = value;
    return true;
  }

  /** Takes an input out of its output. */
  leave(slot: number, output: number, rule: number): void {
    this.unlink(slot, output);
    this.alive[output]--;
    const last = this.inputs.last[slot];
    const newest = this.newest[output];
    switch (rule) {
      case SUM:
      case AVG:
        this.addChange(output, -last);
        return;
      case MAX:
        if (last === this.current[output]) this.doubt[output] = 1;
        return;
      case LAST:
        this.shownMs[output] = newest >= 0 ? this.inputs.time[newest] : Number.NEGATIVE_INFINITY;
        if (newest >= 0) this.current[output] = this.inputs.last[newest];
        return;
    }
  }

  /** Looks for a maximum afresh whose highest input fell or left; false where there was no need to. */
  settleMax(output: number): boolean {
    if (this.doubt[output] === 0) return false;
    let max = Number.NEGATIVE_INFINITY;
    for (let slot = this.oldest[output]; slot >= 0; slot = this.inputs.next[slot])
      max = Math.max(max, this.inputs.last[slot]);
    this.doubt[output] = 0;
    this.current[output] = max;
    return true;
  }

  /** Adding and taking away leaves rounding errors in a sum, so now and then it is added up from its inputs. */
  addUpAfresh(output: number): void {
    if (this.doubt[output] < 8 * this.alive[output] + 64) return;
    this.doubt[output] = 0;
    let sum = 0;
    for (let slot = this.oldest[output]; slot >= 0; slot = this.inputs.next[slot]) sum += this.inputs.last[slot];
    this.current[output] = sum;
  }

  private link(slot: number, output: number): void {
    const newest = this.newest[output];
    this.inputs.previous[slot] = newest;
    this.inputs.next[slot] = -1;
    if (newest >= 0) this.inputs.next[newest] = slot;
    else this.oldest[output] = slot;
    this.newest[output] = slot;
  }

  private unlink(slot: number, output: number): void {
    const { previous, next } = this.inputs;
    if (previous[slot] >= 0) next[previous[slot]] = next[slot];
    else this.oldest[output] = next[slot];
    if (next[slot] >= 0) previous[next[slot]] = previous[slot];
    else this.newest[output] = previous[slot];
  }
}
