import type { FastifyInstance } from 'fastify';

/** What a body without a Content-Length counts until it is there, bytes. */
const UNKNOWN_LENGTH_BYTES = 1024 * 1024;

/**
 * Bounds the memory of request bodies over all listeners: a request that would take it past the bound is refused before
 * its body is read, with a status that tells a sender to come again.
 */
export class BodyBudget {
  private readonly maxBytes: number;
  private heldBytes = 0;

  /** @param maxBytes bytes of all bodies in flight together, as they arrive. */
  constructor(maxBytes: number) {
    this.maxBytes = maxBytes;
  }

  /** Bytes that requests in flight may hold now. */
  get held(): number {
    return this.heldBytes;
  }

  /** Counts the bodies of a server's requests from their headers to their answer. */
  watch(app: FastifyInstance): void {
    app.addHook('onRequest', (request, reply, done) => {
      if (request.method !== 'POST') return done();
      const length = Number(request.headers['content-length'] ?? UNKNOWN_LENGTH_BYTES);
      // A single body is bounded by the server; alone it is always let in.
      if (this.heldBytes > 0 && this.heldBytes + length > this.maxBytes) {
        return void reply
          .code(503)
          .header('retry-after', '5')
          .header('connection', 'close')
          .type('text/plain; charset=utf-8')
          .send(`request bodies: ${this.heldBytes} bytes in flight, accepted are ${this.maxBytes}; send again later\n`);
      }
      this.heldBytes += length;
      let isHeld = true;
      // The connection's end covers requests that never get an answer.
      reply.raw.once('close', () => {
        if (isHeld) this.heldBytes -= length;
        isHeld = false;
      });
      done();
    });
  }
}
