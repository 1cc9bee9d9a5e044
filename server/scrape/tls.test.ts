import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import https from 'node:https';
import type { AddressInfo } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import type { TLSSocket } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BodyRoom } from './body-room.ts';
import { scrapeSchema } from './config.ts';
import { HttpClient } from './http-client.ts';

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'barograph-tls-'));
let server: https.Server | undefined;
let url: URL;
let client: string | undefined;

beforeAll(async () => {
  try {
    const args = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'];
    for (const name of ['server', 'client']) {
      const files = ['-keyout', `${folder}/${name}.key`, '-out', `${folder}/${name}.crt`];
      const subject = ['-subj', `/CN=${name}`, '-addext', `subjectAltName=DNS:${name}.test`];
      execFileSync('openssl', [...args, ...files, ...subject], { stdio: 'ignore' });
    }
  } catch {
    return;
  }
  const read = (name: string): Buffer => fs.readFileSync(path.join(folder, name));
  server = https.createServer(
    {
      key: read('server.key'),
      cert: read('server.crt'),
      ca: read('client.crt'),
      requestCert: true,
      rejectUnauthorized: false,
    },
    (request, response) => {
      client = (request.socket as TLSSocket).getPeerCertificate()?.subject?.CN as string | undefined;
      response.writeHead(200, { 'content-type': 'text/plain' }).end('a 1\n');
    },
  );
  await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', () => resolve()));
  url = new URL(`https://127.0.0.1:${(server.address() as AddressInfo).port}/metrics`);
});

afterAll(() => {
  server?.closeAllConnections();
  server?.close();
  fs.rmSync(folder, { recursive: true, force: true });
});

async function ask(http: object) {
  const [job] = scrapeSchema.parse({ scrape_configs: [{ job_name: 'a', ...http }] }).jobs;
  const asker = new HttpClient(job.http, folder, new BodyRoom(1 << 20));
  try {
    return await asker.get({ url, headers: {}, timeoutMs: 5000, maxBytes: 1 << 20 });
  } finally {
    asker.close();
  }
}

describe('TLS', () => {
  it('trusts the given authority, by the name that is given, and shows the given certificate', async (context) => {
    if (!server) return context.skip('no openssl here to make certificates with');
    const tls = { ca_file: 'server.crt', server_name: 'server.test', cert_file: 'client.crt', key_file: 'client.key' };
    const answer = await ask({ tls_config: tls });
    expect(answer).toMatchObject({ kind: 'answer', bytes: 4 });
    expect(client).toBe('client');
  });

  it('refuses what it does not know, unless it is told not to look', async (context) => {
    if (!server) return context.skip('no openssl here to make certificates with');
    expect(await ask({})).toMatchObject({
      reason: 'connection',
      message: expect.stringMatching(/^TLS: .*self-signed/),
    });
    const wrongName = await ask({ tls_config: { ca_file: 'server.crt', server_name: 'other.test' } });
    expect(wrongName).toMatchObject({ reason: 'connection', message: expect.stringMatching(/ALTNAME/) });
    expect(await ask({ tls_config: { insecure_skip_verify: true } })).toMatchObject({ kind: 'answer' });
  });

  it('names the failure where a file can not be read, not what is in it', async (context) => {
    if (!server) return context.skip('no openssl here to make certificates with');
    const missing = await ask({ tls_config: { ca_file: 'none.crt' } });
    expect(missing).toMatchObject({ reason: 'credentials', message: expect.stringMatching(/ENOENT/) });
    fs.writeFileSync(path.join(folder, 'token'), 'two\nlines');
    const bad = await ask({ authorization: { credentials_file: 'token' }, tls_config: { insecure_skip_verify: true } });
    expect(bad).toMatchObject({ reason: 'credentials', message: expect.not.stringMatching(/two|lines/) });
  });
});
