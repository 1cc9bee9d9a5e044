import type { IncomingMessage } from 'node:http';
import type { FastifyInstance } from 'fastify';
import { BarographError } from '../model/index.ts';
import { freeBody } from '../wire/index.ts';

/**
 * Lets bodies of every content type arrive as one buffer. The pieces of a body are freed as soon as they are put together.
 * @param maxBytes bytes of a body at most; a longer one is refused with 413 and kept nowhere.
 */
export function addBodyParser(app: FastifyInstance, maxBytes: number): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', (request, payload: IncomingMessage, done) => {
    const claimed = Number(request.headers['content-length'] ?? 0);
    if (claimed > maxBytes) {
      passOver(payload, () => done(tooLong(`${claimed} bytes`, maxBytes)));
      return;
    }
    const chunks: Buffer[] = [];
    let bytes = 0;
    const end = (error: Error | null): void => {
      payload.removeAllListeners('data').removeAllListeners('end').removeAllListeners('error');
      if (error) done(error);
      else done(null, joined(chunks, bytes));
    };
    payload.on('data', (chunk: Buffer) => {
      chunks.push(chunk);
      bytes += chunk.length;
      if (bytes <= maxBytes) return;
      payload.removeAllListeners('data').removeAllListeners('end').removeAllListeners('error');
      chunks.length = 0;
      passOver(payload, () => done(tooLong(`more than ${maxBytes} bytes`, maxBytes)));
    });
    payload.once('end', () => end(null));
    payload.once('error', end);
  });
}

/** How long a sender may go on with a body that is refused already, milliseconds. */
const PASS_OVER_MS = 5000;

/**
 * Reads what is left of a body and forgets it, then refuses: the connection is closed with the answer, and a sender that
 * still writes by then finds it broken and never reads why.
 */
function passOver(payload: IncomingMessage, refuse: () => void): void {
  const timer = setTimeout(end, PASS_OVER_MS);
  function end(): void {
    clearTimeout(timer);
    payload.off('end', end).off('close', end);
    refuse();
  }
  payload.on('error', () => {
    // Its end follows, and nobody wants the body.
  });
  payload.once('end', end).once('close', end).resume();
}

function joined(chunks: readonly Buffer[], bytes: number): Buffer {
  if (chunks.length === 1) return chunks[0];
  const body = Buffer.concat(chunks, bytes);
  for (const chunk of chunks) freeBody(chunk);
  return body;
}

function tooLong(got: string, maxBytes: number): Error {
  const error = new BarographError({
    code: 'too_large',
    status: 413,
    where: 'request body',
    got,
    accepted: `at most ${maxBytes} bytes`,
    fix: 'send smaller batches, or raise server.max_body_bytes',
  });
  return Object.assign(error, { statusCode: 413 });
}
