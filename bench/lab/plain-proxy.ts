// The least that a proxy of node:http does: two pipes and a pool. What the gateway adds is measured beside it.
//   node plain-proxy.ts UPSTREAM_PORT
import http from 'node:http';
import type { AddressInfo } from 'node:net';

const agent = new http.Agent({ keepAlive: true });
const server = http.createServer((request, response) => {
  const { method, url: path, headers } = request;
  const sent = http.request({ agent, host: '127.0.0.1', port: process.argv[2], method, path, headers }, (answer) => {
    response.writeHead(answer.statusCode ?? 502, answer.headers);
    answer.pipe(response);
  });
  sent.on('error', () => response.destroy());
  response.on('close', () => sent.destroy());
  request.pipe(sent);
});
server.listen(0, '127.0.0.1', () => console.log((server.address() as AddressInfo).port));
