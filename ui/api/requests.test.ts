import { expect, test } from 'vitest';
import { isAbort, RequestError, RequestQueue } from './requests.ts';

/** A server under the test's control: each request waits until it is answered by hand. */
function manualServer() {
  const open: { url: string; answer: (body: string, status?: number) => void; signal: AbortSignal }[] = [];
  const fetchFunction = (url: string, init: RequestInit) =>
    new Promise<Response>((resolve, reject) => {
      const signal = init.signal as AbortSignal;
      signal.addEventListener('abort', () => reject(new DOMException('', 'AbortError')));
      open.push({ url, signal, answer: (body, status = 200) => resolve(new Response(body, { status })) });
    });
  return { open, fetchFunction };
}

const settle = () => new Promise((resolve) => setTimeout(resolve, 0));

test('equal requests are one request', async () => {
  const { open, fetchFunction } = manualServer();
  const queue = new RequestQueue(6, fetchFunction);
  const both = Promise.all([queue.get('/a'), queue.get('/a')]);
  expect(open).toHaveLength(1);
  open[0].answer('{"n":1}');
  expect(await both).toEqual([{ n: 1 }, { n: 1 }]);
});

test('no more than the limit are open, and the rest follow in order', async () => {
  const { open, fetchFunction } = manualServer();
  const queue = new RequestQueue(2, fetchFunction);
  const all = ['/a', '/b', '/c'].map((url) => queue.get(url));
  expect(open.map((request) => request.url)).toEqual(['/a', '/b']);
  open[0].answer('1');
  await settle();
  expect(open.map((request) => request.url)).toEqual(['/a', '/b', '/c']);
  open[1].answer('2');
  open[2].answer('3');
  expect(await Promise.all(all)).toEqual([1, 2, 3]);
});

test('a request is aborted when the last waiter gives up, not before', async () => {
  const { open, fetchFunction } = manualServer();
  const queue = new RequestQueue(6, fetchFunction);
  const [one, two] = [new AbortController(), new AbortController()];
  const answers = [queue.get('/a', one.signal), queue.get('/a', two.signal)].map((p) => p.catch((error) => error));
  one.abort();
  expect(open[0].signal.aborted).toBe(false);
  two.abort();
  expect(open[0].signal.aborted).toBe(true);
  for (const error of await Promise.all(answers)) expect(isAbort(error)).toBe(true);
  const again = queue.get('/a');
  expect(open).toHaveLength(2);
  open[1].answer('4');
  expect(await again).toBe(4);
});

test.each([
  ['{"status":"error","error":"parse error"}', 400, 'parse error'],
  ['{"message":"no such tenant"}', 404, 'no such tenant'],
  ['plain text', 500, 'plain text'],
  ['<html>', 502, 'HTTP 502'],
  ['not json', 200, 'The answer isn’t JSON.'],
])('%s with status %i says %s', async (body, status, message) => {
  const queue = new RequestQueue(1, async () => new Response(body, { status }));
  const error = await queue.get('/a').catch((e) => e);
  expect(error).toBeInstanceOf(RequestError);
  expect(error).toMatchObject({ message, status });
});

test('says since when the server doesn’t answer, and takes it back with any answer', async () => {
  let up = false;
  const queue = new RequestQueue(6, async () => {
    if (!up) throw new TypeError('Failed to fetch');
    return new Response('{"error":"no"}', { status: 500 });
  });
  const heard: boolean[] = [];
  queue.subscribe(() => heard.push(queue.lostMs() !== undefined));
  await expect(queue.get('/a')).rejects.toThrow('can’t be reached');
  await expect(queue.get('/a')).rejects.toThrow('can’t be reached');
  expect(queue.lostMs()).toBeGreaterThan(Date.now() - 5000);
  up = true;
  await expect(queue.get('/a')).rejects.toThrow('no');
  expect(heard).toEqual([true, false]);
});
