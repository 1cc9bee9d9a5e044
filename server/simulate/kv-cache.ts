/** Tokens of a block, as vLLM has them by default on CUDA. */
export const BLOCK_TOKENS = 16;

/** Blocks that hold a prefix which several requests begin with. */
interface CachedPrefix {
  readonly key: string;
  readonly blocks: number;
  /** Running sequences that use it; at 0 it stays until its blocks are needed. */
  users: number;
  lastUsedMs: number;
}

/** What a sequence holds of the cache. */
export interface BlockHolding {
  /** Blocks that nobody else uses. */
  privateBlocks: number;
  /** The shared prefix in use, by its key; `''` for none. */
  prefixKey: string;
  /** Blocks of that prefix. */
  sharedBlocks: number;
}

/**
 * An engine's paged key-value cache: a pool of blocks, given to sequences as they grow, and prefixes of past prompts
 * that are kept until their blocks are needed (least recently used first).
 *
 * Always: free + private + prefixes' blocks = total, and none of them is negative.
 */
export class KvCache {
  readonly totalBlocks: number;
  readonly #prefixes = new Map<string, CachedPrefix>();
  #privateBlocks = 0;
  #prefixBlocks = 0;
  #idlePrefixBlocks = 0;

  constructor(totalBlocks: number) {
    this.totalBlocks = totalBlocks;
  }

  get freeBlocks(): number {
    return this.totalBlocks - this.#privateBlocks - this.#prefixBlocks;
  }

  /** Share of blocks that running sequences use, 0 to 1; kept prefixes that nobody uses count as free, as in vLLM. */
  get usage(): number {
    if (this.totalBlocks === 0) return 0;
    return (this.#privateBlocks + this.#prefixBlocks - this.#idlePrefixBlocks) / this.totalBlocks;
  }

  /** Tokens of the prefix that are in the cache, a multiple of the block size. */
  cachedTokens(prefixKey: string): number {
    return (this.#prefixes.get(prefixKey)?.blocks ?? 0) * BLOCK_TOKENS;
  }

  /** Lets a sequence use a cached prefix. The prefix must be there. */
  usePrefix(holding: BlockHolding, prefixKey: string, nowMs: number): void {
    const prefix = this.#prefixes.get(prefixKey)!;
    if (prefix.users === 0) this.#idlePrefixBlocks -= prefix.blocks;
    prefix.users++;
    prefix.lastUsedMs = nowMs;
    holding.prefixKey = prefixKey;
    holding.sharedBlocks = prefix.blocks;
  }

  /**
   * Makes sure that a sequence holds blocks for this many tokens; unused prefixes are thrown out for it.
   * @returns Whether it does now; if not, nothing has changed for it.
   */
  grow(holding: BlockHolding, tokens: number): boolean {
    const wanted = Math.ceil(tokens / BLOCK_TOKENS) - holding.sharedBlocks - holding.privateBlocks;
    if (wanted <= 0) return true;
    if (this.freeBlocks + this.#idlePrefixBlocks < wanted) return false;
    while (this.freeBlocks < wanted) this.#evictOldest();
    holding.privateBlocks += wanted;
    this.#privateBlocks += wanted;
    return true;
  }

  /** Turns the first blocks of a sequence whose prompt is computed into a prefix that others can use. */
  keepPrefix(holding: BlockHolding, prefixKey: string, prefixTokens: number, nowMs: number): void {
    const blocks = Math.floor(prefixTokens / BLOCK_TOKENS);
    if (prefixKey === '' || holding.prefixKey !== '' || blocks === 0 || blocks > holding.privateBlocks) return;
    // Two sequences may compute the same prefix at once; the second keeps its own copy, as in vLLM.
    if (this.#prefixes.has(prefixKey)) return;
    this.#prefixes.set(prefixKey, { key: prefixKey, blocks, users: 1, lastUsedMs: nowMs });
    this.#prefixBlocks += blocks;
    this.#privateBlocks -= blocks;
    holding.privateBlocks -= blocks;
    holding.prefixKey = prefixKey;
    holding.sharedBlocks = blocks;
  }

  /** Takes back everything that a sequence holds. */
  release(holding: BlockHolding): void {
    this.#privateBlocks -= holding.privateBlocks;
    holding.privateBlocks = 0;
    const prefix = this.#prefixes.get(holding.prefixKey);
    if (prefix) {
      prefix.users--;
      if (prefix.users === 0) this.#idlePrefixBlocks += prefix.blocks;
    }
    holding.prefixKey = '';
    holding.sharedBlocks = 0;
  }

  #evictOldest(): void {
    let oldest: CachedPrefix | undefined;
    for (const prefix of this.#prefixes.values()) {
      if (prefix.users === 0 && (oldest === undefined || prefix.lastUsedMs < oldest.lastUsedMs)) oldest = prefix;
    }
    if (oldest === undefined)
      throw new Error('BUG: no unused prefix to evict, although some blocks were counted as idle');
    this.#prefixes.delete(oldest.key);
    this.#prefixBlocks -= oldest.blocks;
    this.#idlePrefixBlocks -= oldest.blocks;
  }
}
