import {
  ChatStreamReader,
  type Inference,
  MessageStreamReader,
  ResponseStreamReader,
  type StreamReader,
  type TokenKind,
} from '@barograph/sdk';
import type { MeasuredBody, MeterLimits } from './answer-meter.ts';
import { type EventListener, EventScanner, type EventVerdict } from './event-scanner.ts';
import { type EventShape, shapeOf } from './event-shape.ts';
import type { OwnMetrics } from './own-metrics.ts';
import type { Way } from './route.ts';

const OPEN_BRACE = 0x7b;
/** Shapes that a stream's events have at one time: text and reasoning, of two choices. */
const MAX_SHAPES = 4;
/** Shapes that a stream may teach without ever being recognised by one, before it is parsed to its end. */
const MAX_USELESS_SHAPES = 8;

/** What is looked at of an event to see whether it is a piece of output and nothing else. */
interface LooseEvent {
  readonly type?: unknown;
  readonly usage?: unknown;
  readonly error?: unknown;
  readonly choices?: unknown;
}

/** A stream of events. Most of them differ from the last one only in their text, and aren't parsed. */
export class StreamedBody implements MeasuredBody, EventListener {
  readonly #way: Way;
  readonly #inference: Inference;
  readonly #reader: StreamReader<object>;
  readonly #scanner: EventScanner;
  readonly #own: OwnMetrics;
  readonly #shapes: EventShape[] = [];
  #uselessShapes = 0;
  #isLost = false;
  #hasSeenTooLarge = false;

  /** @param output Where the stream goes without the event of usage, which only the gateway asked for. */
  constructor(way: Way, inference: Inference, limits: MeterLimits, output?: (bytes: Buffer) => void) {
    this.#way = way;
    this.#inference = inference;
    this.#own = limits.own;
    this.#reader = readerOf(way, inference, output !== undefined);
    this.#scanner = new EventScanner(this, limits.budget, limits.maxEventBytes, output);
  }

  feed(chunk: Buffer): void {
    if (!this.#isLost) this.#scanner.feed(chunk);
  }

  done(): void {
    if (this.#isLost) {
      this.#endUnread();
      return;
    }
    this.#scanner.end();
    // Where an event wasn't looked at, the end may have been in it: what is missing proves nothing.
    if (this.#hasSeenTooLarge && !this.#inference.hasEnded) this.#endUnread();
    else this.#reader.done();
  }

  broken(errorType: string): void {
    this.#scanner.release();
    this.#reader.failed({ code: errorType });
  }

  left(): void {
    this.#scanner.release();
    this.#reader.left();
  }

  lost(): void {
    this.#isLost = true;
    this.#scanner?.release();
  }

  tooLarge(): void {
    this.#hasSeenTooLarge = true;
    this.#own.notMeasured('event_too_large');
  }

  event(bytes: Buffer, start: number, end: number): EventVerdict {
    const shapes = this.#shapes;
    for (let i = 0; i < shapes.length; i++) {
      const shape = shapes[i];
      if (!shape.matches(bytes, start, end)) continue;
      if (i > 0) {
        shapes[i] = shapes[i - 1];
        shapes[i - 1] = shape;
      }
      this.#uselessShapes = 0;
      this.#own.eventsByShape++;
      this.#inference.chunk(shape.kind);
      return 'pass';
    }
    // The end marker, and whatever else has no object, says nothing that the last event didn't.
    if (bytes[start] !== OPEN_BRACE) return 'pass';
    return this.#parse(bytes.subarray(start, end));
  }

  #parse(json: Buffer): EventVerdict {
    this.#own.eventsParsed++;
    let event: LooseEvent;
    try {
      event = JSON.parse(json.toString('utf8')) as LooseEvent;
    } catch {
      this.#own.notMeasured('not_json');
      return 'pass';
    }
    const chunksBefore = this.#inference.chunks;
    const verdict = this.#reader.item(event);
    const isPiece = this.#inference.chunks === chunksBefore + 1 && isNothingElse(this.#way, event);
    if (isPiece) this.#learn(json, this.#inference.lastKind);
    return verdict;
  }

  #learn(json: Buffer, kind: TokenKind): void {
    if (this.#uselessShapes >= MAX_USELESS_SHAPES) return;
    const shape = shapeOf(json, kind);
    if (!shape) return;
    this.#uselessShapes++;
    if (this.#shapes.length >= MAX_SHAPES) this.#shapes.pop();
    this.#shapes.unshift(shape);
  }

  /** Ends a request of whose answer a part wasn't read: whether it was whole isn't known, that it came is. */
  #endUnread(): void {
    this.#inference.end({ httpStatus: 200 });
  }
}

function readerOf(way: Way, inference: Inference, hidesUsage: boolean): StreamReader<object> {
  const wasAborted = (): boolean => false;
  switch (way) {
    case 'responses':
      return new ResponseStreamReader(inference, wasAborted) as StreamReader<object>;
    case 'messages':
      return new MessageStreamReader(inference, wasAborted) as StreamReader<object>;
    case 'chat':
    case 'completions':
    case 'embeddings':
      return new ChatStreamReader(inference, { hidesUsage, wasAborted }) as StreamReader<object>;
  }
}

/**
 * Whether an event that was a piece of output said nothing else that counts. Summaries of reasoning count as pieces, but
 * not as tokens, so they are always parsed.
 */
function isNothingElse(way: Way, { type, usage, error, choices }: LooseEvent): boolean {
  if (usage || error) return false;
  switch (way) {
    case 'responses':
      return typeof type === 'string' && type.endsWith('.delta') && !type.includes('summary');
    case 'messages':
      return type === 'content_block_delta';
    case 'chat':
    case 'completions':
    case 'embeddings':
      return Array.isArray(choices) && choices.every((choice: { finish_reason?: unknown }) => !choice?.finish_reason);
  }
}
