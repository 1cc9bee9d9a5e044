import { Client, credentials, Metadata } from '@grpc/grpc-js';
import { BarographError } from '../model/index.ts';

/** Where the program that is tested listens. */
export interface CanaryTargets {
  /** `http://host:port` of the API. */
  readonly url: string;
  /** `http://host:port` of OTLP over HTTP. */
  readonly otlpHttpUrl: string;
  /** `host:port` of OTLP over gRPC. */
  readonly otlpGrpcAddress: string;
  readonly token: string | undefined;
  /** Whose data is tested; `undefined` where the process has no tenants. */
  readonly tenant: string | undefined;
}

/** What a receiver said. */
export interface Answer {
  /** Acknowledged, whole or in part; refused as wrong; or neither: it was too busy or broken. */
  readonly kind: 'accepted' | 'refused' | 'unanswered';
  readonly status: number;
  /** One character a byte. */
  readonly text: string;
}

const TIMEOUT_MS = 30_000;

/** Sends a request over HTTP; every answer is an answer. @throws BarographError `canary_failed` where there is none. */
export async function sendHttp(
  targets: CanaryTargets,
  address: string,
  request: {
    readonly method: 'GET' | 'POST';
    readonly body?: Uint8Array | string;
    readonly headers?: Readonly<Record<string, string>>;
  },
  signal: AbortSignal,
): Promise<Answer> {
  const headers = { ...request.headers, ...authorization(targets) };
  try {
    const response = await fetch(address, {
      method: request.method,
      headers,
      body: typeof request.body === 'string' || request.body === undefined ? request.body : Buffer.from(request.body),
      signal: AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]),
    });
    const text = Buffer.from(await response.arrayBuffer()).toString('latin1');
    return { kind: kindOf(response.status), status: response.status, text };
  } catch (cause) {
    throw unreachable(new URL(address).host, cause);
  }
}

function authorization({ token, tenant }: CanaryTargets): Record<string, string> {
  return {
    ...(token !== undefined && { authorization: `Bearer ${token}` }),
    ...(tenant !== undefined && { 'x-scope-orgid': tenant }),
  };
}

function kindOf(status: number): Answer['kind'] {
  if (status < 400) return 'accepted';
  return status === 429 || status >= 500 ? 'unanswered' : 'refused';
}

const SERVICES = {
  metrics: 'opentelemetry.proto.collector.metrics.v1.MetricsService',
  logs: 'opentelemetry.proto.collector.logs.v1.LogsService',
  traces: 'opentelemetry.proto.collector.trace.v1.TraceService',
} as const;
const UNAVAILABLE = 14;
const RESOURCE_EXHAUSTED = 8;

/** One connection for OTLP over gRPC. */
export class GrpcSender {
  private readonly client: Client;
  private readonly targets: CanaryTargets;

  constructor(targets: CanaryTargets) {
    this.targets = targets;
    this.client = new Client(targets.otlpGrpcAddress, credentials.createInsecure());
  }

  send(signal: keyof typeof SERVICES, body: Uint8Array, baggage: string): Promise<Answer> {
    const metadata = new Metadata();
    metadata.set('baggage', baggage);
    for (const [name, value] of Object.entries(authorization(this.targets))) metadata.set(name, value);
    const asIs = (bytes: Buffer): Buffer => bytes;
    return new Promise((resolve, reject) => {
      const deadline = Date.now() + TIMEOUT_MS;
      const path = `/${SERVICES[signal]}/Export`;
      this.client.makeUnaryRequest(path, asIs, asIs, Buffer.from(body), metadata, { deadline }, (error, answer) => {
        if (!error) return resolve({ kind: 'accepted', status: 0, text: answer?.toString('latin1') ?? '' });
        const isBusy = error.code === UNAVAILABLE || error.code === RESOURCE_EXHAUSTED;
        if (error.code === UNAVAILABLE) return reject(unreachable(this.targets.otlpGrpcAddress, error));
        const kind = isBusy ? 'unanswered' : 'refused';
        resolve({ kind, status: error.code, text: Buffer.from(error.details ?? '', 'utf8').toString('latin1') });
      });
    });
  }

  close(): void {
    this.client.close();
  }
}

function unreachable(address: string, cause: unknown): BarographError {
  return new BarographError({
    code: 'canary_failed',
    status: 500,
    where: 'content canary',
    got: `no answer from ${address}`,
    fix: 'look in the log for why that receiver does not answer, then ask for another run',
    cause,
  });
}
