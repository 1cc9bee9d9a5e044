import fs from 'node:fs';
import path from 'node:path';
import type { FastifyInstance } from 'fastify';
import { PANE } from '../dashboards/index.ts';

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.json': 'application/json',
  '.woff2': 'font/woff2',
};

/** Nothing from elsewhere is loaded, and nobody else may frame the pane. */
const SECURITY_HEADERS = {
  'content-security-policy':
    "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
};

/**
 * Adds the pane: its data at `/api/barograph/v1/pane`, and the built page (a folder that is read once, at start) at `/`.
 * Where the page wasn't built, `/` says how to build it.
 */
export function addUiRoutes(app: FastifyInstance, folder: string): void {
  app.get('/api/barograph/v1/pane', (_request, reply) => reply.type('application/json').send(PANE));
  const files = readFiles(folder);
  const index = files.get('/index.html');
  if (!index) {
    app.get('/', (_request, reply) =>
      reply
        .code(503)
        .type('text/plain')
        .send('The page is not built: run npm run build:ui and start again.\nThe APIs work without it.\n'),
    );
    return;
  }
  for (const [route, { body, type }] of files) {
    // Built files carry a hash of their content in their names; the page itself doesn't.
    const cache = route.startsWith('/assets/') ? 'public, max-age=31536000, immutable' : 'no-cache';
    const handler = route === '/index.html' ? '/' : route;
    app.get(handler, (_request, reply) =>
      reply
        .headers({ ...SECURITY_HEADERS, 'cache-control': cache })
        .type(type)
        .send(body),
    );
  }
}

function readFiles(folder: string): Map<string, { body: Buffer; type: string }> {
  const files = new Map<string, { body: Buffer; type: string }>();
  if (!fs.existsSync(folder)) return files;
  for (const entry of fs.readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const file = path.join(entry.parentPath, entry.name);
    const route = `/${path.relative(folder, file).split(path.sep).join('/')}`;
    files.set(route, { body: fs.readFileSync(file), type: TYPES[path.extname(file)] ?? 'application/octet-stream' });
  }
  return files;
}
