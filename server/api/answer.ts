import type { FastifyReply, FastifyRequest } from 'fastify';
import { BarographError } from '../model/index.ts';
import type { QueryPool, QueryRequest } from '../query/index.ts';

/** A signal that is aborted when the client goes away before its answer is out. */
export function goneSignal(reply: FastifyReply): AbortSignal {
  const controller = new AbortController();
  reply.raw.once('close', () => {
    if (!reply.raw.writableFinished) controller.abort();
  });
  return controller.signal;
}

/** Calls back once the answer is out or the client is gone, which may be already. */
export function onceClosed(reply: FastifyReply, callback: () => void): void {
  if (reply.raw.closed || reply.raw.destroyed) callback();
  else reply.raw.once('close', callback);
}

/** Asks the query threads and sends their answer as JSON; an error is sent as text, as Loki and Tempo do. */
export async function sendAnswer(
  queries: QueryPool,
  request: FastifyRequest,
  reply: FastifyReply,
  read: () => QueryRequest,
): Promise<FastifyReply> {
  try {
    const body = (await queries.run(read(), goneSignal(reply))) as string | Uint8Array;
    return reply.type('application/json').send(typeof body === 'string' ? body : bufferOf(body));
  } catch (error) {
    return sendError(request, reply, error);
  }
}

/** Sends an error as text with its status; one that nobody expected goes to the log and isn't shown. */
export function sendError(request: FastifyRequest, reply: FastifyReply, error: unknown): FastifyReply {
  const known = error instanceof BarographError ? error : undefined;
  if (!known) request.log.error(error);
  const status = known?.status ?? 500;
  if (status === 429 || status === 503) reply.header('retry-after', '5');
  return reply
    .code(status)
    .type('text/plain; charset=utf-8')
    .send(`${known?.message ?? 'an unexpected error; the log has it'}\n`);
}

/** The same bytes as a `Buffer`. */
export function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
