import {
  Metadata,
  Server,
  ServerCredentials,
  type ServerUnaryCall,
  type ServiceDefinition,
  type ServiceError,
  type sendUnaryData,
} from '@grpc/grpc-js';
import { type OtlpSignal, takeOtlp } from '../ingest/index.ts';
import { BarographError } from '../model/index.ts';
import { DEFAULT_MAX_BYTES } from '../wire/index.ts';
import type { OtlpReceiver } from './otlp.ts';
import { exportAnswer, isRetryable, rpcCodeOf, statusAnswer } from './otlp-answer.ts';
import { TENANT_HEADER } from './tenants.ts';

/** Where the gRPC receiver listens and whom it lets in. */
export interface GrpcOptions {
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  /** A bearer token that every call must carry, or `undefined`. */
  readonly token: string | undefined;
}

/** A listening gRPC receiver. */
export interface GrpcReceiver {
  readonly port: number;
  /** Lets the calls in flight end and stops. */
  close(): Promise<void>;
}

const SERVICES: Readonly<Record<OtlpSignal, string>> = {
  metrics: 'opentelemetry.proto.collector.metrics.v1.MetricsService',
  logs: 'opentelemetry.proto.collector.logs.v1.LogsService',
  traces: 'opentelemetry.proto.collector.trace.v1.TraceService',
};
/** How long the calls in flight may take to end, milliseconds. */
const CLOSE_MS = 2000;

/** Calls of one connection that may be in flight. */
const MAX_CONCURRENT_CALLS = 32;

type Call = ServerUnaryCall<Buffer, Buffer>;

/** Who receives a call, by the tenant header that it came with, if it did. @throws BarographError. */
export type ReceiverOf = (tenant: string | undefined) => OtlpReceiver | Promise<OtlpReceiver>;

/**
 * Starts OTLP over gRPC: the `Export` methods of the three services. Messages stay bytes; the same decoders read them as
 * over HTTP. gzip is undone by the library.
 * @throws BarographError `listen` where the port can't be taken.
 */
export async function startOtlpGrpc(receiverOf: ReceiverOf, options: GrpcOptions): Promise<GrpcReceiver> {
  const server = new Server({
    'grpc.max_receive_message_length': DEFAULT_MAX_BYTES,
    'grpc.max_concurrent_streams': MAX_CONCURRENT_CALLS,
  });
  for (const signal of Object.keys(SERVICES) as OtlpSignal[]) {
    server.addService(exportService(SERVICES[signal]), {
      Export: (call: Call, callback: sendUnaryData<Buffer>) => {
        let receiver: OtlpReceiver | undefined;
        const found = async (): Promise<OtlpReceiver> => {
          checkToken(call.metadata, options.token);
          receiver = await receiverOf(call.metadata.get(TENANT_HEADER)[0]?.toString());
          return receiver;
        };
        found()
          .then((one) => answer(one, signal, call))
          .then(
            (body) => {
              receiver?.count(`otlp_grpc_${signal}`, 200);
              callback(null, body);
            },
            (error: unknown) => {
              const { httpStatus, ...failure } = describe(error);
              receiver?.count(`otlp_grpc_${signal}`, httpStatus);
              callback(failure as Partial<ServiceError>);
            },
          );
      },
    });
  }
  const host = options.host.includes(':') ? `[${options.host}]` : options.host;
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync(`${host}:${options.port}`, ServerCredentials.createInsecure(), (error, bound) => {
      if (error) reject(listenError(error, `${host}:${options.port}`));
      else resolve(bound);
    });
  });
  return {
    port,
    close: () =>
      new Promise((resolve) => {
        const timer = setTimeout(() => server.forceShutdown(), CLOSE_MS);
        server.tryShutdown(() => {
          clearTimeout(timer);
          resolve();
        });
      }),
  };
}

function listenError(cause: Error, address: string): BarographError {
  return new BarographError({
    code: 'listen',
    status: 500,
    where: 'configuration › server.otlp_grpc_port',
    got: `${address}, which can't be listened on (${cause.message.slice(0, 120)})`,
    fix: 'stop the program that has the port, or choose another port',
    cause,
  });
}

/** A service whose one method takes and answers bytes. */
function exportService(name: string): ServiceDefinition {
  const asIs = (value: Buffer): Buffer => value;
  return {
    Export: {
      path: `/${name}/Export`,
      requestStream: false,
      responseStream: false,
      requestSerialize: asIs,
      requestDeserialize: asIs,
      responseSerialize: asIs,
      responseDeserialize: asIs,
    },
  };
}

async function answer(receiver: OtlpReceiver, signal: OtlpSignal, call: Call): Promise<Buffer> {
  const outcome = takeOtlp(receiver.ways, signal, call.request, 'protobuf');
  await receiver.store.writer.commit();
  return exportAnswer(signal, outcome, 'protobuf');
}

function checkToken(metadata: Metadata, token: string | undefined): void {
  if (token === undefined || metadata.get('authorization')[0] === `Bearer ${token}`) return;
  throw new BarographError({
    code: 'unauthenticated',
    status: 401,
    where: 'authorization',
    accepted: 'Bearer with the configured server.token',
  });
}

function describe(error: unknown): { code: number; details: string; metadata: Metadata; httpStatus: number } {
  const known = error instanceof BarographError ? error : undefined;
  const httpStatus = known?.status ?? 500;
  const details = known?.message ?? 'an unexpected error; nothing of the request was acknowledged';
  const metadata = new Metadata();
  if (isRetryable(httpStatus)) {
    // Senders repeat RESOURCE_EXHAUSTED only where the status says after what time.
    metadata.set('grpc-status-details-bin', statusAnswer(httpStatus, details, 'protobuf'));
  }
  return { code: rpcCodeOf(httpStatus), details, metadata, httpStatus };
}
