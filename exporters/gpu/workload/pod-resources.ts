import http2 from 'node:http2';
import net from 'node:net';
import { ExporterError } from '../../error.ts';

/** A container with the devices that Kubernetes gave it. */
export interface PodDevices {
  readonly namespace: string;
  readonly pod: string;
  readonly container: string;
  /** Such as `nvidia.com/gpu` or `nvidia.com/mig-1g.10gb`. */
  readonly resource: string;
  /** UUIDs of GPUs or MIG devices, or PCI addresses (AMD). */
  readonly deviceIds: readonly string[];
}

/** Where the kubelet listens. */
export const POD_RESOURCES_SOCKET = '/var/lib/kubelet/pod-resources/kubelet.sock';

const MOST_BYTES = 16 * 1024 * 1024;

/**
 * Asks the kubelet which container has which GPU (`v1.PodResourcesLister/List` over its socket).
 *
 * @throws ExporterError `unreachable` where there is no such socket, `timeout`, `failed` or `malformed`.
 */
export async function listPodDevices(socketPath: string, signal: AbortSignal): Promise<PodDevices[]> {
  const message = await callUnary(socketPath, '/v1.PodResourcesLister/List', signal);
  try {
    return decodeListResponse(message);
  } catch (cause) {
    throw new ExporterError({
      code: 'malformed',
      where: 'kubelet pod resources',
      got: 'an answer of another form',
      cause,
    });
  }
}

/** One gRPC call without a request body; HTTP/2 itself is in Node, so no library is needed for it. */
function callUnary(socketPath: string, route: string, signal: AbortSignal): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const session = http2.connect('http://localhost', { createConnection: () => net.connect(socketPath) });
    const finish = (error: ExporterError | undefined, body?: Buffer): void => {
      signal.removeEventListener('abort', onAbort);
      session.destroy();
      if (error) reject(error);
      else resolve(body as Buffer);
    };
    const fail = (code: 'unreachable' | 'failed' | 'timeout' | 'too_large', got: string, fix?: string): void =>
      finish(new ExporterError({ code, where: 'kubelet pod resources', got, fix }));
    const onAbort = (): void => fail('timeout', 'no answer in time');
    signal.addEventListener('abort', onAbort);
    const onBroken = (error: Error): void =>
      fail(
        'unreachable',
        (error as { code?: string }).code ?? 'a broken connection',
        `mount ${POD_RESOURCES_SOCKET} into the exporter, or leave it out with --pod-resources ""`,
      );
    session.on('error', onBroken);
    const request = session.request({
      ':method': 'POST',
      ':path': route,
      'content-type': 'application/grpc',
      te: 'trailers',
    });
    const chunks: Buffer[] = [];
    let [bytes, status] = [0, '0'];
    request.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes <= MOST_BYTES) chunks.push(chunk);
      else fail('too_large', `more than ${MOST_BYTES} bytes`);
    });
    const readStatus = (headers: http2.IncomingHttpHeaders): void => {
      status = String(headers['grpc-status'] ?? status);
    };
    request.on('response', readStatus);
    request.on('trailers', readStatus);
    request.on('error', onBroken);
    request.once('end', () => {
      const body = Buffer.concat(chunks);
      // A message has five bytes before it: whether it is compressed, and its length.
      const isWhole = body.length >= 5 && body[0] === 0 && body.length >= 5 + body.readUInt32BE(1);
      if (status !== '0') fail('failed', `gRPC status ${status}`);
      else if (!isWhole) fail('failed', 'an answer that breaks off');
      else finish(undefined, body.subarray(5, 5 + body.readUInt32BE(1)));
    });
    request.end(Buffer.alloc(5));
    if (signal.aborted) onAbort();
  });
}

/**
 * Reads a `ListPodResourcesResponse`:
 *
 *     message ListPodResourcesResponse { repeated PodResources pod_resources = 1; }
 *     message PodResources { string name = 1; string namespace = 2; repeated ContainerResources containers = 3; }
 *     message ContainerResources { string name = 1; repeated ContainerDevices devices = 2; … }
 *     message ContainerDevices { string resource_name = 1; repeated string device_ids = 2; … }
 *
 * Other fields are passed over. @throws RangeError where lengths don't fit.
 */
export function decodeListResponse(message: Buffer): PodDevices[] {
  const found: PodDevices[] = [];
  for (const pod of messagesOf(message, 1)) {
    const [name, namespace] = [textOf(pod, 1), textOf(pod, 2)];
    for (const container of messagesOf(pod, 3))
      for (const devices of messagesOf(container, 2))
        found.push({
          pod: name,
          namespace,
          container: textOf(container, 1),
          resource: textOf(devices, 1),
          deviceIds: messagesOf(devices, 2).map((id) => id.toString('utf8')),
        });
  }
  return found;
}

/** The contents of every length-delimited field of a number. */
function messagesOf(message: Buffer, field: number): Buffer[] {
  const found: Buffer[] = [];
  let at = 0;
  const varint = (): number => {
    let [value, scale] = [0, 1];
    for (;;) {
      const byte = message.readUInt8(at++);
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
      scale *= 128;
      if (scale > 2 ** 63) throw new RangeError('a number that is too long');
    }
  };
  while (at < message.length) {
    const tag = varint();
    switch (tag % 8) {
      case 0:
        varint();
        break;
      case 1:
        at += 8;
        break;
      case 2: {
        const length = varint();
        if (at + length > message.length) throw new RangeError('a length past the end');
        if (Math.floor(tag / 8) === field) found.push(message.subarray(at, at + length));
        at += length;
        break;
      }
      case 5:
        at += 4;
        break;
      default:
        throw new RangeError('an unknown wire type');
    }
  }
  return found;
}

function textOf(message: Buffer, field: number): string {
  return messagesOf(message, field).at(-1)?.toString('utf8') ?? '';
}
