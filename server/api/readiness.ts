import type { FastifyInstance } from 'fastify';
import { addRoute } from './prometheus-answer.ts';

/** What a program says of itself, with the fields that Prometheus fills from its build. */
export function programInfo(version: string) {
  return { version, revision: '', branch: '', buildUser: '', buildDate: '', goVersion: '' };
}

/** Adds what orchestrators ask: whether the program is healthy and ready, in the ways of Prometheus and of Loki, and its version. */
export function addReadiness(app: FastifyInstance, version: string): void {
  const plain = (path: string, text: string): void =>
    addRoute(app, ['GET'], path, (_request, reply) => reply.type('text/plain; charset=utf-8').send(`${text}\n`));
  plain('/-/healthy', 'Barograph is healthy.');
  plain('/-/ready', 'Barograph is ready.');
  plain('/ready', 'ready');
  plain('/version', JSON.stringify(programInfo(version)));
}
