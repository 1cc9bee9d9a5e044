// Clients of streams with bare sockets, which measure how long each event took from the upstream to them.
import net from 'node:net';

/** What was measured in a round. */
export interface StreamRound {
  /** Sorted; microseconds from the upstream's write to the client's read, of each event. */
  readonly delaysUs: Float64Array;
  readonly streams: number;
  readonly failed: number;
}

const MARK = Buffer.from('T=');
const STAMP_DIGITS = 16;
const END = Buffer.from('0\r\n\r\n');

const nowUs = (): number => Number(process.hrtime.bigint() / 1000n);

/** Keeps so many streams open for so long, each on a connection of its own, one after the other. */
export async function runStreams(
  port: number,
  count: number,
  seconds: number,
  warmUpSeconds: number,
  headers: Readonly<Record<string, string>> = {},
): Promise<StreamRound> {
  const delays = new Float64Array(4_000_000);
  let measured = 0;
  let [streams, failed] = [0, 0];
  const body = JSON.stringify({
    model: 'bench-1',
    stream: true,
    stream_options: { include_usage: true },
    messages: [{ role: 'user', content: 'x '.repeat(500) }],
  });
  const more = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  const request =
    `POST /v1/chat/completions HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\n${more.join('')}` +
    `Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
  const fromUs = nowUs() + warmUpSeconds * 1e6;
  const untilUs = fromUs + seconds * 1e6;
  const open = (i: number): Promise<void> =>
    new Promise((resolve) => {
      const socket = net.connect({ port, host: '127.0.0.1', noDelay: true });
      let isFirst = true;
      socket.on('connect', () => setTimeout(() => socket.write(request), (i * 500) / count));
      socket.on('error', () => undefined);
      socket.on('close', () => {
        if (nowUs() < untilUs) failed++;
        resolve();
      });
      socket.on('data', (data) => {
        const now = nowUs();
        if (isFirst && data.toString('latin1', 9, 12) !== '200') failed++;
        isFirst = false;
        for (let at = data.indexOf(MARK); at >= 0; at = data.indexOf(MARK, at + STAMP_DIGITS)) {
          const sent = Number(data.toString('latin1', at + 2, at + 2 + STAMP_DIGITS));
          if (now >= fromUs && now < untilUs && sent > 0 && measured < delays.length) delays[measured++] = now - sent;
        }
        if (now >= untilUs) {
          socket.destroy();
          return;
        }
        if (data.subarray(-END.length).equals(END)) {
          streams++;
          isFirst = true;
          socket.write(request);
        }
      });
    });
  await Promise.all(Array.from({ length: count }, (_, i) => open(i)));
  return { delaysUs: delays.slice(0, measured).sort(), streams, failed };
}
