import fs from 'node:fs';
import http2 from 'node:http2';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { decodeListResponse, listPodDevices } from './pod-resources.ts';

function field(number: number, content: Buffer | string): Buffer {
  const bytes = Buffer.from(content as string);
  const length: number[] = [];
  let rest = bytes.length;
  while (rest >= 0x80) {
    length.push((rest & 0x7f) | 0x80);
    rest = Math.floor(rest / 128);
  }
  return Buffer.concat([Buffer.from([(number << 3) | 2, ...length, rest]), bytes]);
}

const DEVICES = Buffer.concat([
  field(1, 'nvidia.com/gpu'),
  field(2, 'GPU-1'),
  field(2, 'GPU-2'),
  // The topology, which nobody here wants.
  field(3, Buffer.concat([field(1, Buffer.from([8, 1]))])),
]);
const MESSAGE = field(
  1,
  Buffer.concat([
    field(1, 'chat-0'),
    field(2, 'llm'),
    field(3, Buffer.concat([field(1, 'vllm'), field(2, DEVICES), Buffer.from([0x18, 0xac, 0x02])])),
    field(3, field(1, 'sidecar')),
  ]),
);
const EXPECTED = [
  { pod: 'chat-0', namespace: 'llm', container: 'vllm', resource: 'nvidia.com/gpu', deviceIds: ['GPU-1', 'GPU-2'] },
];

describe('decodeListResponse', () => {
  it('reads pods with their devices', () => expect(decodeListResponse(MESSAGE)).toEqual(EXPECTED));

  it('of any bytes ends in an answer or a RangeError', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        try {
          decodeListResponse(Buffer.from(bytes));
        } catch (error) {
          expect(error).toBeInstanceOf(RangeError);
        }
      }),
    );
  });
});

describe('the kubelet', () => {
  let directory = '';
  let socket = '';
  let server: http2.Http2Server | undefined;
  let silent: net.Server | undefined;

  beforeEach(() => {
    directory = fs.mkdtempSync(path.join(os.tmpdir(), 'barograph-kubelet-'));
    socket = path.join(directory, 'kubelet.sock');
  });
  afterEach(() => {
    server?.close();
    silent?.close();
    [server, silent] = [undefined, undefined];
    fs.rmSync(directory, { recursive: true, force: true });
  });

  function listen(status: string, message: Buffer): Promise<void> {
    server = http2.createServer();
    server.on('stream', (stream, headers) => {
      expect(headers[':path']).toBe('/v1.PodResourcesLister/List');
      stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
      stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': status }));
      const head = Buffer.alloc(5);
      head.writeUInt32BE(message.length, 1);
      stream.end(Buffer.concat([head, message]));
    });
    return new Promise((resolve) => server?.listen(socket, () => resolve()));
  }

  it('is asked over its socket', async () => {
    await listen('0', MESSAGE);
    for (let i = 0; i < 3; i++) expect(await listPodDevices(socket, AbortSignal.timeout(5000))).toEqual(EXPECTED);
  });

  it('that refuses, hangs or is not there ends in an error', async () => {
    await expect(listPodDevices(socket, AbortSignal.timeout(5000))).rejects.toMatchObject({ code: 'unreachable' });
    await listen('12', Buffer.alloc(0));
    await expect(listPodDevices(socket, AbortSignal.timeout(5000))).rejects.toThrow(/gRPC status 12/);
    const other = path.join(directory, 'silent.sock');
    silent = net.createServer();
    await new Promise<void>((resolve) => silent?.listen(other, () => resolve()));
    await expect(listPodDevices(other, AbortSignal.timeout(100))).rejects.toMatchObject({ code: 'timeout' });
  });
});
