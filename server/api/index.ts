// HTTP on port 7070: Prometheus's API, the receivers, and our own metrics.
// In: requests. Out: what a room answered, encoded as its protocol wants it.
// Never: contains logic; it decodes, asks a room, encodes.
export { createHttpServer, type HttpParts } from './server.ts';
