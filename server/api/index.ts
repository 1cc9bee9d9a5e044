// HTTP on port 7070 (Prometheus, Loki, Tempo, the receivers, our own metrics) and OTLP on 4318 and, by gRPC, 4317.
// In: requests. Out: what a room answered, encoded as its protocol wants it.
// Never: contains logic; it decodes, asks a room, encodes.
export type { GovernanceApi, PolicyStatus } from './barograph-cardinality.ts';
export { BodyBudget } from './body-budget.ts';
export { type GrpcReceiver, startOtlpGrpc } from './otlp-grpc.ts';
export {
  createHttpServer,
  createOtlpHttpServer,
  createSharedServer,
  type HttpParts,
  MAX_HEADER_BYTES,
} from './server.ts';
export {
  listenForTenants,
  type TenantDirectory,
  type TenantListener,
  type TenantServers,
  tenantName,
} from './tenants.ts';
