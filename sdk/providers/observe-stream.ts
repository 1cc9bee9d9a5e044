import type { Tally } from '../tally.ts';

/** Looks at a stream's items as its reader takes them. */
export interface StreamReader<Item> {
  /** @returns `hide` where the reader of the stream must not see the item, because only the SDK asked for it. */
  item(item: Item): 'pass' | 'hide';
  /** The stream came to its end by itself. */
  done(): void;
  failed(error: unknown): void;
  /** Its reader stopped reading. */
  left(): void;
}

/**
 * Looks at a stream of a provider's client without taking anything from it: the object stays the same one, with all its
 * methods, and what its iterators give is what they gave. Clients keep the maker of iterators in `iterator`, from
 * which their other ways of reading (`tee`, `toReadableStream`) come too; other streams are iterated directly.
 */
export function observeStream<Item>(stream: AsyncIterable<Item>, reader: StreamReader<Item>, tally: Tally): void {
  const client = stream as { iterator?: unknown };
  let isTaken = false;
  const observed = (make: () => AsyncIterator<Item>) => (): AsyncIterator<Item> => {
    const inner = make();
    // A stream can be read once; a second iterator is for the client to refuse.
    if (isTaken) return inner;
    isTaken = true;
    return new ObservedIterator(inner, reader, tally);
  };
  if (typeof client.iterator === 'function') {
    client.iterator = observed(client.iterator.bind(stream) as () => AsyncIterator<Item>);
    return;
  }
  const make = stream[Symbol.asyncIterator].bind(stream);
  Object.defineProperty(stream, Symbol.asyncIterator, { value: observed(make), configurable: true });
}

class ObservedIterator<Item> implements AsyncIterableIterator<Item> {
  readonly #inner: AsyncIterator<Item>;
  readonly #reader: StreamReader<Item>;
  readonly #tally: Tally;
  // Made once, so that an item costs no closure.
  readonly #seen = (result: IteratorResult<Item>): IteratorResult<Item> | Promise<IteratorResult<Item>> => {
    let verdict: 'pass' | 'hide' = 'pass';
    try {
      if (result.done) this.#reader.done();
      else verdict = this.#reader.item(result.value);
    } catch {
      this.#tally.drop('internal_error');
    }
    return verdict === 'hide' ? this.next() : result;
  };
  readonly #failed = (error: unknown): never => {
    this.#tally.guard(() => this.#reader.failed(error));
    throw error;
  };

  constructor(inner: AsyncIterator<Item>, reader: StreamReader<Item>, tally: Tally) {
    this.#inner = inner;
    this.#reader = reader;
    this.#tally = tally;
  }

  next(): Promise<IteratorResult<Item>> {
    return this.#inner.next().then(this.#seen, this.#failed);
  }

  return(value?: unknown): Promise<IteratorResult<Item>> {
    this.#tally.guard(() => this.#reader.left());
    return this.#inner.return?.(value) ?? Promise.resolve({ done: true, value: value as Item });
  }

  throw(error?: unknown): Promise<IteratorResult<Item>> {
    this.#tally.guard(() => this.#reader.left());
    return this.#inner.throw?.(error) ?? Promise.reject(error);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}
