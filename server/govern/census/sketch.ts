/** Hashes that are kept one by one before the registers take over. */
const MAX_EXACT = 128;
/** Bits of a hash. */
const HASH_BITS = 32;
/** 1 / (2 ln 2): the constant of Ertl's estimator. */
const ALPHA = 1 / (2 * Math.LN2);

/** A sketch as it is stored: few hashes as they are, or registers in base64. */
export type StoredSketch = { readonly exact: readonly number[] } | { readonly p: number; readonly registers: string };

/**
 * Counts distinct hashes in bounded memory: exactly up to 128, then as a HyperLogLog of 2^p one-byte registers, whose
 * standard error is 1.04 / √2^p (2.3 % for p = 11). The estimate is Ertl's, which needs no tables for small counts.
 * Source: O. Ertl, New cardinality estimation algorithms for HyperLogLog sketches, 2017.
 */
export class Sketch {
  private readonly p: number;
  /** An open-addressing table of hashes, 0 for an empty place; `undefined` once there are registers. */
  private exact: Uint32Array | undefined = new Uint32Array(8);
  private count = 0;
  private registers: Uint8Array | undefined;
  /** The last estimate, or −1 where something was added since. */
  private known = 0;

  /** @param p 4 to 16: the registers' number is 2^p. */
  constructor(p: number) {
    this.p = p;
  }

  /** Adds a well-mixed 32-bit hash; the same one counts once. */
  add(hash: number): void {
    if (this.registers) this.raise(this.registers, hash);
    else this.addExact(hash);
  }

  /** How many distinct hashes were added: exact up to 128, then an estimate. */
  get size(): number {
    if (!this.registers) return this.count;
    if (this.known < 0) this.known = Math.round(estimate(this.registers, this.p));
    return this.known;
  }

  /** Bytes of memory that its data takes. */
  get bytes(): number {
    return this.registers?.length ?? (this.exact?.length ?? 0) * 4;
  }

  /** For storing. */
  store(): StoredSketch {
    if (this.registers) return { p: this.p, registers: Buffer.from(this.registers).toString('base64') };
    return { exact: Array.from(this.exact ?? []).filter((hash) => hash !== 0) };
  }

  /** Takes up what was stored, beside what is there. False where it is of another size or no sketch at all. */
  restore(stored: StoredSketch): boolean {
    if ('exact' in stored) {
      for (const hash of stored.exact) this.add(hash);
      return true;
    }
    const bytes = Buffer.from(stored.registers, 'base64');
    if (stored.p !== this.p || bytes.length !== 1 << this.p) return false;
    const registers = this.toRegisters();
    for (let i = 0; i < bytes.length; i++) if (bytes[i] > registers[i]) registers[i] = bytes[i];
    this.known = -1;
    return true;
  }

  private addExact(hash: number): void {
    // 0 marks an empty place, so the hash 0 shares its count with 1.
    const wanted = hash >>> 0 || 1;
    const table = this.exact as Uint32Array;
    const mask = table.length - 1;
    let at = wanted & mask;
    for (; table[at] !== 0; at = (at + 1) & mask) if (table[at] === wanted) return;
    if (this.count === MAX_EXACT) {
      this.raise(this.toRegisters(), hash);
      return;
    }
    table[at] = wanted;
    this.count++;
    if (this.count * 2 <= table.length) return;
    this.exact = new Uint32Array(table.length * 2);
    for (const entry of table) if (entry !== 0) place(this.exact, entry);
  }

  private toRegisters(): Uint8Array {
    if (this.registers) return this.registers;
    this.registers = new Uint8Array(1 << this.p);
    for (const hash of this.exact ?? []) if (hash !== 0) this.raise(this.registers, hash);
    this.exact = undefined;
    this.known = -1;
    return this.registers;
  }

  private raise(registers: Uint8Array, hash: number): void {
    const at = hash >>> (HASH_BITS - this.p);
    // The guard bit behind the hash's own makes the rank of an empty rest HASH_BITS − p + 1.
    const rank = Math.clz32((hash << this.p) | (1 << (this.p - 1))) + 1;
    if (registers[at] >= rank) return;
    registers[at] = rank;
    this.known = -1;
  }
}

function place(table: Uint32Array, hash: number): void {
  const mask = table.length - 1;
  let at = hash & mask;
  while (table[at] !== 0) at = (at + 1) & mask;
  table[at] = hash;
}

function estimate(registers: Uint8Array, p: number): number {
  const m = 1 << p;
  const q = HASH_BITS - p;
  const histogram = new Float64Array(q + 2);
  for (const rank of registers) histogram[rank]++;
  let z = m * tau(1 - histogram[q + 1] / m);
  for (let k = q; k >= 1; k--) z = 0.5 * (z + histogram[k]);
  z += m * sigma(histogram[0] / m);
  return (ALPHA * m * m) / z;
}

function sigma(of: number): number {
  if (of === 1) return Number.POSITIVE_INFINITY;
  let [x, y, z, before] = [of, 1, of, -1];
  while (z !== before) {
    x *= x;
    before = z;
    z += x * y;
    y += y;
  }
  return z;
}

function tau(of: number): number {
  if (of === 0 || of === 1) return 0;
  let [x, y, z, before] = [of, 1, 1 - of, -1];
  while (z !== before) {
    x = Math.sqrt(x);
    before = z;
    y *= 0.5;
    z -= (1 - x) ** 2 * y;
  }
  return z / 3;
}

/** A well-mixed 32-bit hash of texts in their order; the place where one ends counts. */
export function hashTexts(texts: readonly string[]): number {
  let hash = 0x811c9dc5;
  for (const text of texts) {
    for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
    hash = Math.imul(hash ^ 0x1ffff, 0x01000193);
  }
  return mixed(hash);
}

/** The same of one text. */
export function hashOfText(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return mixed(hash);
}

/** MurmurHash3's finalizer: every bit of the input changes every bit of the result. */
export function mixed(of: number): number {
  let hash = of;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
