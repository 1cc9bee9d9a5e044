import { execFile } from 'node:child_process';
import fs from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { temporaryDirectory } from './program.ts';

const MAIN = path.join(import.meta.dirname, '..', 'server', 'cmd', 'main.ts');
const run = promisify(execFile);

const METRICS = `# TYPE inference_requests_total counter
inference_requests_total{outcome="ok",model="llama",user_id="u1"} 5
${Array.from({ length: 40 }, (_, i) => `app_up{region="r${i}"} 1`).join('\n')}
`;

const RULES = `groups:
  - name: a
    rules:
      - record: job:requests:rate5m
        expr: sum by (session_id) (rate(inference_requests_total{outcome="ok"}[5m]))
      - alert: Fine
        expr: job:requests:rate5m{whatever="x"} > 0
`;

const LOKI_RULES = `groups:
  - name: logs
    rules:
      - alert: OneUser
        expr: sum by (user_id) (count_over_time({deployment="chat"} |= "error" [5m])) > 5
`;

const DASHBOARD = `{ "title": "Traces", "panels": [
  { "title": "Prompts", "datasource": { "type": "tempo" }, "targets": [
    { "queryType": "traceql", "query": "{ span.gen_ai.input.messages =~ \\".*\\" }" }
  ] }
] }
`;

let folder: string;

beforeAll(() => {
  folder = temporaryDirectory();
  fs.writeFileSync(path.join(folder, 'metrics.txt'), METRICS);
  fs.writeFileSync(path.join(folder, 'rules.yaml'), RULES);
  fs.writeFileSync(path.join(folder, 'loki-rules.yaml'), LOKI_RULES);
  fs.writeFileSync(path.join(folder, 'dashboard.json'), DASHBOARD);
  fs.writeFileSync(path.join(folder, 'policy.yaml'), 'profiles: [{match: "app_*", budgets: {region: 100}}]\n');
  fs.writeFileSync(path.join(folder, 'good.txt'), 'app_up{region="eu"} 1\n');
});

afterAll(() => fs.rmSync(folder, { recursive: true, force: true }));

async function barograph(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const all = ['--disable-warning=ExperimentalWarning', MAIN, ...args];
  try {
    return { code: 0, ...(await run(process.execPath, all, { cwd: folder })) };
  } catch (error) {
    const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string };
    return { code, stdout, stderr };
  }
}

describe('barograph check', () => {
  it('says what would happen, and ends with 1', async () => {
    const { code, stdout } = await barograph('check', '--targets', '10', 'metrics.txt', 'rules.yaml');
    expect(code).toBe(1);
    expect(stdout).toContain('41 series → 34 stored, 340 over all targets');
    expect(stdout).toContain('line 2: the label user_id on inference_requests_total would be removed (user)');
    expect(stdout).toContain('line 3: the label region on app_up breaks its budget of 32: 40 values');
    expect(stdout).toContain('line 5: the rule job:requests:rate5m groups or joins by session_id');
    expect(stdout).not.toContain('whatever');
    expect(stdout).not.toContain('u1');
  });

  it('ends with 0 where nothing is wrong, and goes by the policy that it is given', async () => {
    expect((await barograph('check', 'good.txt')).code).toBe(0);
    const { stdout } = await barograph('check', '--policy', 'policy.yaml', 'metrics.txt');
    expect(stdout).not.toContain('breaks its budget');
  });

  it('looks at queries of Loki and Tempo, with lines in SARIF', async () => {
    const { code, stdout } = await barograph('check', '--format', 'sarif', 'loki-rules.yaml', 'dashboard.json');
    expect(code).toBe(1);
    const results = JSON.parse(stdout).runs[0].results as { ruleId: string; locations: object[] }[];
    const placed = results.map(({ ruleId, locations }) => [ruleId, JSON.stringify(locations)]);
    expect(placed).toEqual([
      ['label_removed', expect.stringMatching(/loki-rules\.yaml.*"startLine":5/)],
      ['content_refused', expect.stringMatching(/dashboard\.json.*"startLine":3/)],
    ]);
  });

  it('writes SARIF and JSON', async () => {
    const sarif = JSON.parse((await barograph('check', '--format', 'sarif', 'metrics.txt')).stdout);
    expect(sarif.version).toBe('2.1.0');
    expect(sarif.runs[0].results[0]).toMatchObject({
      ruleId: 'user',
      level: 'error',
      locations: [{ physicalLocation: { artifactLocation: { uri: 'metrics.txt' }, region: { startLine: 2 } } }],
    });
    const json = JSON.parse((await barograph('check', '--format', 'json', 'metrics.txt')).stdout);
    expect(json).toMatchObject({ errors: 2, files: [{ kind: 'metrics', totals: { offered: 41, stored: 34 } }] });
  });

  it('asks a target by its URL', async () => {
    const server = http.createServer((_request, response) => {
      response.setHeader('content-type', 'application/openmetrics-text; version=1.0.0');
      response.end('# TYPE app_jobs counter\napp_jobs_total{session_id="x"} 1\n# EOF\n');
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { code, stdout } = await barograph(
      'check',
      `http://127.0.0.1:${(server.address() as AddressInfo).port}/metrics`,
    );
    server.close();
    expect(code).toBe(1);
    expect(stdout).toContain('the label session_id on app_jobs_total would be removed (session)');
  });

  it.each([
    [['check'], 'got no file'],
    [['check', '--format', 'xml', 'good.txt'], 'got "xml", accepted is text, json, sarif'],
    [['check', '--targets', '0', 'good.txt'], 'accepted is a whole number from 1'],
    [['check', 'nowhere.txt'], "nowhere.txt: got something that can't be read (ENOENT)"],
    [['policy', 'paint'], 'got "paint", accepted is print or check'],
  ])('%j ends with 1 and says why', async (args, message) => {
    const { code, stderr } = await barograph(...args);
    expect(code).toBe(1);
    expect(stderr).toContain(message);
  });

  it('prints a policy that it accepts', async () => {
    const { stdout } = await barograph('policy', 'print', '--policy', 'policy.yaml');
    fs.writeFileSync(path.join(folder, 'printed.yaml'), stdout);
    expect((await barograph('policy', 'print', '--policy', 'printed.yaml')).stdout.split('\n').slice(1)).toEqual(
      stdout.split('\n').slice(1),
    );
    expect((await barograph('policy', 'check', '--policy', 'printed.yaml')).stdout).toContain('is right');
  });
});
