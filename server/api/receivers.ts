import type { FastifyInstance } from 'fastify';
import type { MetricIngest } from '../ingest/index.ts';
import { BarographError } from '../model/index.ts';
import type { Store } from '../store/index.ts';
import { inflate, parseContentEncoding } from '../wire/index.ts';

/** What the receivers need from the program. */
export interface Receivers {
  readonly store: Store;
  readonly metrics: MetricIngest;
  /** Counts a request by receiver and HTTP status. */
  readonly count: (receiver: string, status: number) => void;
}

/** Adds `POST /api/v1/write`: Prometheus remote write 1.0. The answer comes once the samples are durable. */
export function addRemoteWrite(app: FastifyInstance, { store, metrics, count }: Receivers): void {
  app.post('/api/v1/write', async (request, reply) => {
    const finish = (status: number, text = '') => {
      count('remote_write', status);
      if (status === 429 || status === 503) reply.header('retry-after', '5');
      return reply.code(status).type('text/plain').send(text);
    };
    try {
      const type = request.headers['content-type'] ?? 'application/x-protobuf';
      if (!/^application\/x-protobuf\b/.test(type) || /io\.prometheus\.write\.v2/.test(type)) {
        return finish(
          415,
          `Content-Type: got ${type.slice(0, 80)}, accepted is application/x-protobuf (remote write 1.0)\n`,
        );
      }
      const body = inflate(
        request.body as Buffer,
        parseContentEncoding(request.headers['content-encoding'] ?? 'snappy'),
      );
      const outcome = metrics.remoteWrite(Buffer.from(body.buffer, body.byteOffset, body.byteLength));
      await store.writer.commit();
      if (outcome.rejected === 0) return finish(204);
      return finish(
        400,
        `${outcome.rejected} of ${outcome.accepted + outcome.rejected} samples refused: ${outcome.reason}\n`,
      );
    } catch (error) {
      if (!(error instanceof BarographError)) throw error;
      return finish(error.status, `${error.message}\n`);
    }
  });
}
