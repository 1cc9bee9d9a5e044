// Every example of examples/sdk runs as its header says, against the real server and a model that answers like one.
import { execFile } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';
import {
  dataFrames,
  type ProviderAnswer,
  type ProviderServer,
  startProvider,
} from '../sdk/fixtures/provider-server.ts';
import { ask, type Program, startProgram, temporaryDirectory } from './program.ts';

const ROOT = path.join(import.meta.dirname, '..');
const EXAMPLES = path.join(ROOT, 'examples', 'sdk');

let directory = '';
let program: Program;
let model: ProviderServer;

beforeAll(async () => {
  directory = temporaryDirectory();
  program = await startProgram(directory);
  model = await startProvider();
});

afterAll(async () => {
  await model?.close();
  await program?.stop();
  fs.rmSync(directory, { recursive: true, force: true });
});

const COMPLETION = { id: 'chatcmpl-1', model: 'llama-3.3-70b' };
const USAGE = { prompt_tokens: 12, completion_tokens: 2 };

function piece(delta: object, finish_reason: string | null = null): object {
  return { ...COMPLETION, choices: [{ index: 0, delta, finish_reason }] };
}

const STREAM: ProviderAnswer = {
  frames: dataFrames(
    piece({ role: 'assistant', content: '' }),
    piece({ content: 'Blue ' }),
    10,
    piece({ content: 'scatters.' }),
    piece({}, 'stop'),
    { ...COMPLETION, choices: [], usage: USAGE },
    '[DONE]',
  ),
};
const WHOLE: ProviderAnswer = {
  contentType: 'application/json',
  frames: [
    JSON.stringify({
      ...COMPLETION,
      choices: [{ index: 0, message: { content: 'Blue scatters.' }, finish_reason: 'stop' }],
      usage: USAGE,
    }),
  ],
};

/** What each example is answered, and the queries that must give 1 after it. */
const EXPECTED: Readonly<Record<string, { answer: ProviderAnswer; ones: readonly string[] }>> = {
  'any-model.ts': {
    answer: STREAM,
    ones: [
      'inference_requests_total{outcome="ok"}',
      'inference_ttft_seconds_count',
      'inference_inter_token_latency_seconds_count',
    ],
  },
  'own-opentelemetry.ts': {
    answer: WHOLE,
    ones: ['inference_requests_total{outcome="ok", region="eu-west"}', 'inference_ttft_seconds_count{first="visible"}'],
  },
  'rag.ts': {
    answer: WHOLE,
    ones: ['inference_requests_total{outcome="ok", customer_tier="pro"}', 'histogram_count(inference_quality_score)'],
  },
};

it.each(fs.readdirSync(EXAMPLES).sort())('%s runs as its header says', async (name) => {
  const expected = EXPECTED[name];
  model.answer(expected.answer);
  const service = `example-${name.replace('.ts', '')}`;
  const header = fs.readFileSync(path.join(EXAMPLES, name), 'utf8').split('\nimport')[0];
  const registers = header.includes('--import @barograph/sdk/register') ? ['--import', '@barograph/sdk/register'] : [];
  await promisify(execFile)(process.execPath, [...registers, path.join('examples', 'sdk', name)], {
    cwd: ROOT,
    env: {
      ...process.env,
      MODEL_URL: model.url,
      OTEL_SERVICE_NAME: service,
      OTEL_EXPORTER_OTLP_ENDPOINT: program.otlpHttpUrl,
    },
  });
  for (const one of expected.ones) {
    const selector = `deployment="${service}"`;
    const query = one.includes('{')
      ? one.replace('{', `{${selector}, `)
      : one.includes('(')
        ? one.replace(')', `{${selector}})`)
        : `${one}{${selector}}`;
    const answer = await ask(program, '/api/v1/query', { query });
    expect(
      answer.data.result.map(({ value }: { value: [number, string] }) => value[1]),
      query,
    ).toEqual(['1']);
  }
});
