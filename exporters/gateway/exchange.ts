import type http from 'node:http';
import type { Inference } from '@barograph/sdk';
import { AnswerMeter, type MeterLimits } from './answer-meter.ts';
import { frameChunk, MAX_FRAMED_BYTES } from './chunk-frame.ts';
import { errorBody, failureOf, messageOf, type UpstreamFailure } from './error.ts';
import { endToEnd, withHeader } from './headers.ts';
import { type Observation, ObservedRequest } from './observed-request.ts';
import { type RequestParts, RequestReader, withUsageAsked } from './request-reader.ts';
import { type Way, wayOf } from './route.ts';
import { timeoutError, type Upstream } from './upstream.ts';

/** Bytes of a request's body that wait for what they say before they go on. A model needs all of a prompt to begin. */
const HOLD_BYTES = 64 * 1024;
/** Times that a request is sent again, each time because a connection of the pool had gone. */
const MAX_RESENDS = 2;
/** Written to send a head by itself: `flushHeaders` would send it as UTF-8, and heads are Latin-1. */
const NOTHING = Buffer.alloc(0);
const BODILESS_METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'DELETE', 'OPTIONS', 'TRACE']);

/** What exchanges share. */
export interface ExchangeHost {
  readonly upstream: Upstream;
  readonly observation: Observation;
  readonly limits: MeterLimits;
  /** Whether streams whose clients don't ask for usage are asked for it. */
  readonly asksForUsage: boolean;
}

/**
 * One request and its answer, passed on as they come. Bytes go on before they are measured, each side waits for the
 * other where it reads slowly, and each learns when the other leaves.
 */
export class Exchange {
  readonly #host: ExchangeHost;
  readonly #request: http.IncomingMessage;
  readonly #response: http.ServerResponse;
  readonly #way: Way | undefined;
  readonly #expectsContinue: boolean;
  readonly #observed: ObservedRequest | undefined;
  readonly #reader: RequestReader | undefined;
  #inference: Inference | undefined;
  #headers: string[] = [];
  /** The body while it waits, and while it may have to be sent again; undefined where it is no longer whole. */
  #held: Buffer[] | undefined = [];
  #heldBytes = 0;
  #isBodyIn = false;
  #resends = 0;
  #sent: http.ClientRequest | undefined;
  #answer: http.IncomingMessage | undefined;
  #meter: AnswerMeter | undefined;
  #hidesUsage = false;
  #hasPassed = false;
  #isReaderSlow = false;
  #hasTimedOut = false;
  #isOver = false;

  constructor(
    host: ExchangeHost,
    request: http.IncomingMessage,
    response: http.ServerResponse,
    expectsContinue: boolean,
  ) {
    this.#host = host;
    this.#request = request;
    this.#response = response;
    this.#expectsContinue = expectsContinue;
    this.#way = wayOf(request.method, request.url ?? '');
    if (this.#way) {
      this.#observed = new ObservedRequest(host.observation, request.headers);
      if (request.headers['content-encoding'] === undefined) this.#reader = new RequestReader(this.#way);
      else host.limits.own.notMeasured('request_encoding');
    }
  }

  start(): void {
    const [request, response] = [this.#request, this.#response];
    this.#host.limits.own.open++;
    response.sendDate = false;
    response.on('close', () => this.#closed());
    response.on('drain', () => this.#drained());
    // What goes wrong with the client's connection ends in its close.
    response.on('error', () => undefined);
    request.on('error', () => undefined);
    const { 'content-length': length, 'transfer-encoding': coding } = request.headers;
    const hasBody = coding !== undefined || (length !== undefined && length !== '0');
    // A client that waits to be told to go on sends no body before, and unmeasured bodies have nothing to wait for.
    if (!hasBody) this.#isBodyIn = true;
    if (!hasBody || !this.#reader || this.#expectsContinue) this.#open();
    if (hasBody) {
      request.on('data', this.#onData);
      request.on('end', () => this.#onBodyEnd());
    }
  }

  // Made once a request, so that it can be taken off again.
  readonly #onData = (chunk: Buffer): void => {
    this.#reader?.feed(chunk);
    if (this.#sent) {
      this.#releaseBody();
      if (!this.#sent.write(chunk)) {
        this.#request.pause();
        this.#sent.once('drain', () => this.#request.resume());
      }
      return;
    }
    const max = this.#host.asksForUsage ? this.#host.limits.maxBodyBytes : HOLD_BYTES;
    const fits = this.#heldBytes + chunk.length <= max && this.#host.limits.budget.take(chunk.length);
    if (fits) this.#heldBytes += chunk.length;
    this.#held?.push(chunk);
    if (fits) return;
    this.#open();
    this.#releaseBody();
  };

  #onBodyEnd(): void {
    this.#isBodyIn = true;
    if (!this.#sent) {
      this.#open();
      return;
    }
    const trailers = pairsOf(this.#request.rawTrailers);
    if (trailers.length > 0) attempt(() => this.#sent?.addTrailers(trailers));
    this.#sent.end();
  }

  /** The request goes to the upstream, with what there is of its body. */
  #open(): void {
    const request = this.#request;
    let headers = endToEnd(request.rawHeaders, request.headers.connection);
    headers = withHeader(headers, 'host', this.#host.upstream.hostHeader);
    if (request.headers['transfer-encoding'] !== undefined) headers.push('Transfer-Encoding', 'chunked');
    else if (request.headers['content-length'] === undefined && !BODILESS_METHODS.has(request.method ?? ''))
      headers.push('Content-Length', '0');
    if (this.#host.asksForUsage && this.#isBodyIn && this.#reader?.mayAskForUsage) headers = this.#askForUsage(headers);
    if (this.#way) {
      const parts: RequestParts = this.#reader?.parts() ?? {};
      this.#inference = this.#observed?.begin(this.#way, request.url ?? '', request.headers, parts);
      const traceparent = this.#observed?.traceparent;
      if (traceparent !== undefined) headers = withHeader(headers, 'traceparent', traceparent);
    }
    this.#headers = headers;
    this.#send();
  }

  #askForUsage(headers: string[]): string[] {
    const body = withUsageAsked(this.#held!);
    this.#held = [body];
    this.#hidesUsage = true;
    this.#host.limits.own.usageAsked++;
    // The event that is taken out again must be seen, so the answer is asked for as it is.
    const asked = withHeader(headers, 'accept-encoding', 'identity');
    return this.#request.headers['content-length'] === undefined
      ? asked
      : withHeader(asked, 'content-length', String(body.length));
  }

  #send(): void {
    const { upstream } = this.#host;
    const sent = upstream.request(this.#request.method ?? 'GET', this.#request.url ?? '/', this.#headers);
    this.#sent = sent;
    sent.setTimeout(upstream.settings.firstByteTimeoutMs, () => this.#timedOut());
    sent.on('response', (answer) => this.#answered(answer));
    sent.on('error', (error) => this.#failed(error));
    if (this.#request.httpVersion !== '1.0') {
      sent.on('continue', () => {
        if (this.#expectsContinue) this.#response.writeContinue();
      });
      sent.on('information', ({ statusCode, rawHeaders }) => {
        if (statusCode !== 100) attempt(() => this.#response.writeInformation?.(statusCode, rawHeaders));
      });
    }
    for (const chunk of this.#held ?? []) sent.write(chunk);
    if (this.#isBodyIn) {
      const trailers = pairsOf(this.#request.rawTrailers);
      if (trailers.length > 0) attempt(() => sent.addTrailers(trailers));
      sent.end();
    } else sent.write(NOTHING);
  }

  #answered(answer: http.IncomingMessage): void {
    const { limits, upstream } = this.#host;
    const response = this.#response;
    this.#answer = answer;
    this.#releaseBody();
    this.#sent!.setTimeout(upstream.settings.idleTimeoutMs);
    const status = answer.statusCode ?? 502;
    let headers = endToEnd(answer.rawHeaders, answer.headers.connection);
    if (answer.headers['transfer-encoding'] === undefined || this.#request.method === 'HEAD')
      headers = withHeader(headers, 'trailer', undefined);
    const hides = this.#hidesUsage && isPlainStream(answer);
    this.#hidesUsage = hides;
    if (hides)
      headers = [...withHeader(headers, 'content-length', undefined), 'x-barograph-usage', 'asked, and hidden'];
    try {
      response.writeHead(status, answer.statusMessage, headers);
    } catch {
      this.#sent!.destroy();
      this.#answer = undefined;
      this.#fail({ code: 'upstream_malformed', status: 502, errorType: 'upstream_malformed' });
      return;
    }
    limits.own.answered(this.#way ?? 'other', status);
    if (this.#inference && this.#way)
      this.#meter = new AnswerMeter(
        this.#way,
        this.#inference,
        { status, headers: answer.headers },
        limits,
        hides ? (bytes) => this.#pass(bytes) : undefined,
      );
    let hasBegun = false;
    answer.on('data', (chunk: Buffer) => {
      hasBegun = true;
      if (!hides) this.#pass(chunk);
      this.#meter?.data(chunk);
    });
    answer.on('end', () => this.#ended(answer));
    answer.on('error', (error) => this.#broken(error));
    answer.on('close', () => {
      if (!answer.complete) this.#broken(undefined);
    });
    // Most answers have a first piece in the packet of their head, and go on in one; a head alone goes on by itself.
    setImmediate(() => {
      if (!hasBegun && !this.#isOver && !response.writableEnded) response.write(NOTHING);
    });
  }

  #pass(chunk: Buffer): void {
    const response = this.#response;
    const { socket } = response;
    // The first piece goes with the head. A response has a socket only while it is its turn, so nothing is overtaken.
    const isFramed = this.#hasPassed && response.chunkedEncoding && socket && chunk.length <= MAX_FRAMED_BYTES;
    this.#hasPassed = true;
    if (isFramed) {
      if (chunk.length === 0 || socket.write(frameChunk(chunk))) return;
      socket.once('drain', () => this.#drained());
    } else if (response.write(chunk)) return;
    this.#isReaderSlow = true;
    this.#answer?.pause();
  }

  #drained(): void {
    this.#isReaderSlow = false;
    this.#answer?.resume();
  }

  #ended(answer: http.IncomingMessage): void {
    if (this.#isOver) return;
    this.#meter?.done();
    if (this.#hidesUsage) this.#host.limits.own.usageHidden++;
    const trailers = pairsOf(answer.rawTrailers);
    if (trailers.length > 0) attempt(() => this.#response.addTrailers(trailers));
    this.#response.end();
    if (!this.#isBodyIn) {
      // The upstream has answered without waiting for all of the body, so nobody wants the rest.
      this.#request.off('data', this.#onData);
      this.#request.resume();
      this.#sent?.destroy();
    }
  }

  /** The upstream broke its answer off, and the client is to see that. */
  #broken(error: unknown): void {
    if (this.#isOver || this.#response.writableEnded) return;
    const errorType = this.#hasTimedOut ? 'timeout' : failureOf(error ?? { code: 'ECONNRESET' }).errorType;
    this.#host.limits.own.failed(this.#hasTimedOut ? 'upstream_timeout' : 'upstream_broke_off');
    this.#meter?.broken(errorType);
    this.#over(this.#answer?.statusCode, errorType);
    this.#response.destroy();
  }

  #timedOut(): void {
    // What keeps the upstream from sending is a client that doesn't read.
    if (this.#isReaderSlow) {
      this.#response.destroy();
      return;
    }
    this.#hasTimedOut = true;
    this.#sent?.destroy(timeoutError());
  }

  #failed(error: unknown): void {
    if (this.#isOver) return;
    if (this.#answer) this.#broken(error);
    else if (this.#maySendAgain(error)) {
      this.#resends++;
      this.#host.limits.own.resent++;
      this.#inference?.retry('connection_reset');
      this.#send();
    } else this.#fail(failureOf(error));
  }

  /** A connection that had waited in the pool was closed by the upstream just then, before a byte of an answer. */
  #maySendAgain(error: unknown): boolean {
    const { code } = error as { code?: unknown };
    const isGone = this.#sent?.reusedSocket === true && (code === 'ECONNRESET' || code === 'EPIPE');
    const isWhole = this.#held !== undefined && this.#isBodyIn;
    return isGone && isWhole && this.#host.upstream.settings.resends && this.#resends < MAX_RESENDS;
  }

  /** Answers in the upstream's place, which gave no answer. */
  #fail({ code, status, errorType }: UpstreamFailure): void {
    const response = this.#response;
    this.#host.limits.own.failed(code);
    this.#host.limits.own.answered(this.#way ?? 'other', status);
    this.#over(status, errorType);
    if (response.headersSent || response.destroyed) {
      response.destroy();
      return;
    }
    const body = errorBody(this.#way === 'messages' ? 'anthropic' : 'openai', code, messageOf(code));
    const headers = ['Content-Type', 'application/json', 'Content-Length', String(body.length)];
    headers.push('X-Barograph-Gateway-Error', code);
    if (!this.#isBodyIn) headers.push('Connection', 'close');
    response.writeHead(status, headers);
    response.end(this.#request.method === 'HEAD' ? undefined : body);
  }

  /** The client's connection is done with this exchange: the answer was sent, or the client left. */
  #closed(): void {
    if (!this.#response.writableFinished) {
      this.#meter?.left();
      this.#over(499, 'client_disconnected');
      this.#sent?.destroy();
    }
    // A copy that is still being decoded ends the inference by itself.
    this.#over(this.#response.statusCode, undefined);
    this.#host.limits.own.open--;
  }

  #over(status: number | undefined, errorType: string | undefined): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#releaseBody();
    if (this.#meter?.isDecoding) this.#meter.onEnd = () => this.#observed?.end(status, errorType);
    else this.#observed?.end(status, errorType);
  }

  #releaseBody(): void {
    this.#host.limits.budget.give(this.#heldBytes);
    this.#heldBytes = 0;
    this.#held = undefined;
  }
}

/** Whether an answer is a stream of events in plain bytes, of which one can be taken out. */
function isPlainStream({ headers, statusCode }: http.IncomingMessage): boolean {
  const encoding = headers['content-encoding'] ?? 'identity';
  return statusCode === 200 && encoding === 'identity' && (headers['content-type'] ?? '').includes('event-stream');
}

function pairsOf(raw: readonly string[]): [string, string][] {
  const pairs: [string, string][] = [];
  for (let i = 0; i < raw.length; i += 2) pairs.push([raw[i], raw[i + 1]]);
  return pairs;
}

/** Passes something on that may not be said in this place of the protocol, such as trailers to an old client. */
function attempt(work: () => void): void {
  try {
    work();
  } catch {
    // It is left out, as the protocol wants it.
  }
}
