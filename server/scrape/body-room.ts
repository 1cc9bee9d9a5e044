/** A body that is being read. */
export interface BodyClaim {
  /** Counts bytes that arrived. May end this very claim or another one. */
  add(bytes: number): void;
  /** Gives the room back; the body was used, or its reading ended. */
  release(): void;
}

interface Open {
  bytes: number;
  readonly evict: () => void;
}

/**
 * The memory that bodies of scrapes may take while they are read, over all targets. Where it runs out the largest body
 * loses its place: so a target that sends too much, or a lot too slowly, harms itself and not the others.
 */
export class BodyRoom {
  readonly #maxBytes: number;
  readonly #open = new Set<Open>();
  #bytes = 0;

  /** @param maxBytes what all bodies together may take, bytes */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** Bytes that are taken now. */
  get bytes(): number {
    return this.#bytes;
  }

  /** @param evict called at most once, when the body must be given up; the claim is released then. */
  claim(evict: () => void): BodyClaim {
    const own: Open = { bytes: 0, evict };
    this.#open.add(own);
    return {
      add: (bytes) => {
        if (!this.#open.has(own)) return;
        own.bytes += bytes;
        this.#bytes += bytes;
        while (this.#bytes > this.#maxBytes) this.#evictLargest();
      },
      release: () => this.#close(own),
    };
  }

  #evictLargest(): void {
    let largest: Open | undefined;
    for (const open of this.#open) if (largest === undefined || open.bytes > largest.bytes) largest = open;
    if (largest === undefined) throw new Error('BUG: bytes of bodies that nobody claims');
    this.#close(largest);
    largest.evict();
  }

  #close(open: Open): void {
    if (this.#open.delete(open)) this.#bytes -= open.bytes;
  }
}
