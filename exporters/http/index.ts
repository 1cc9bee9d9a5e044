// HTTP, both ways: what the exporters ask of others and what they are asked.
// In: addresses and their limits; routes. Out: whole answers; an endpoint that listens.
// Never: follows a redirect to another host, reads without a bound, or shows a password, a query or a body.
export { type Got, getText, HttpGetter, shownUrl } from './get.ts';
export { type Answer, type Endpoint, type Routes, serveRoutes } from './serve.ts';
