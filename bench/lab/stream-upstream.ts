// A model server that never tires, for benchmarks of proxies: streams of events at a steady rate, written with bare
// sockets so that it costs little. Each event holds the time at which it was sent. Run as a process of its own:
//   node stream-upstream.ts EVENTS_PER_STREAM EVENTS_PER_SECOND
import net from 'node:net';

const [EVENTS, PER_SECOND] = [Number(process.argv[2]), Number(process.argv[3])];
const GAP_US = 1e6 / PER_SECOND;
const TICK_MS = 1;

interface Stream {
  readonly socket: net.Socket;
  sent: number;
  length: number;
  isFirst: boolean;
  /** When the next event is due, microseconds of the machine's monotonic clock. */
  dueUs: number;
}

const HEAD =
  'HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache\r\nTransfer-Encoding: chunked\r\n\r\n';
const COMMON =
  '"id":"chatcmpl-B9MBs8CjcvOU2jLn4n570S5qMJKcT","object":"chat.completion.chunk","created":1764000000,"model":"bench-1"';
const usage = { prompt_tokens: 128, completion_tokens: EVENTS, total_tokens: 128 + EVENTS };

const chunked = (text: string): string => `${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`;
const event = (json: string): string => chunked(`data: ${json}\n\n`);
const piece = (content: string): string =>
  event(`{${COMMON},"choices":[{"index":0,"delta":{"content":"${content}"},"logprobs":null,"finish_reason":null}]}`);
const END =
  event(`{${COMMON},"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}`) +
  event(`{${COMMON},"choices":[],"usage":${JSON.stringify(usage)}}`) +
  chunked('data: [DONE]\n\n') +
  '0\r\n\r\n';

const streams = new Set<Stream>();
const nowUs = (): number => Number(process.hrtime.bigint() / 1000n);

setInterval(() => {
  const now = nowUs();
  for (const stream of streams) {
    if (stream.dueUs > now) continue;
    stream.dueUs += GAP_US;
    if (stream.sent++ < stream.length) stream.socket.write(piece(`T=${String(nowUs()).padStart(16, '0')} token`));
    else {
      streams.delete(stream);
      stream.socket.write(END);
    }
  }
}, TICK_MS);

const server = net.createServer({ noDelay: true }, (socket) => {
  let head = '';
  let bodyLeft = 0;
  const stream: Stream = { socket, sent: 0, length: 0, isFirst: true, dueUs: 0 };
  socket.on('error', () => undefined);
  socket.on('close', () => streams.delete(stream));
  socket.on('data', (data) => {
    if (bodyLeft === 0) {
      head += data.toString('latin1');
      const end = head.indexOf('\r\n\r\n');
      if (end < 0) return;
      const length = /content-length: (\d+)/i.exec(head);
      const isChunked = /transfer-encoding: chunked/i.test(head);
      bodyLeft = length ? Number(length[1]) - (head.length - end - 4) : 0;
      if (isChunked && !head.endsWith('0\r\n\r\n')) return;
    } else bodyLeft -= data.length;
    if (bodyLeft > 0) return;
    head = '';
    bodyLeft = 0;
    stream.sent = 0;
    // Lengths differ, and clients that all came at once find streams under way, so that their requests spread out.
    stream.length = Math.round(EVENTS * ((stream.isFirst ? 0 : 0.5) + Math.random()));
    stream.isFirst = false;
    // Streams are spread over the gap, as those of a real server are.
    stream.dueUs = nowUs() + Math.random() * GAP_US;
    socket.write(HEAD);
    streams.add(stream);
  });
});
server.listen(0, '127.0.0.1', () => console.log((server.address() as net.AddressInfo).port));
