import { join } from 'node:path';
import { RE2JS } from 're2js';
import { describe, expect, it } from 'vitest';
import { contradictionsOf } from './conventions/check.ts';
import { expandEngines } from './conventions/engines.ts';
import { type Plain, printValue } from './conventions/print.ts';
import { ConventionsError, parseConventions, readConventions } from './conventions/read.ts';
import { metricsSchema, spansSchema } from './conventions/schema.ts';
import { generateFiles, staleFiles } from './generate-conventions.ts';

const conventions = readConventions(join(import.meta.dirname, '..', 'conventions'));
const { attributes, labels, logs } = conventions;

describe('The generated files', () => {
  it('are fresh.', () => {
    expect(staleFiles(generateFiles()), 'run: npm run generate').toEqual([]);
  });

  it('are named when they differ from the conventions, or are missing.', () => {
    const files = [...generateFiles(), { path: 'sdk/generated/absent.ts', text: '' }];
    files[0] = { ...files[0], text: 'something else' };
    expect(staleFiles(files)).toEqual([files[0].path, 'sdk/generated/absent.ts']);
  });
});

describe('The conventions', () => {
  it("don't contradict themselves.", () => {
    expect(contradictionsOf(conventions)).toEqual([]);
  });

  it('say what contradicts itself, and where.', () => {
    const broken = structuredClone(conventions);
    broken.metrics.metrics.inference_requests_total.labels.push('shoe_size');
    broken.metrics.metrics.inference_tokens_per_second.unit = '{token}/s';
    broken.metrics.buckets.score = [1, 0.5];
    broken.labels.aliases.push({ target: 'nowhere', originals: [{ name: 'somewhere', keep: false }] });
    broken.engines.engines.vllm.metrics[0].target = 'inference_nothing';
    broken.outcomes.finish_reasons.fine = ['fine'];
    expect(contradictionsOf(broken)).toEqual([
      'labels.yaml aliases: nowhere is in no class; add it to one',
      'metrics.yaml inference_tokens_per_second: sent by OTLP as histogram with the unit {token}/s it becomes inference_tokens_per_second_per_second',
      'metrics.yaml inference_tokens_per_second: sent by OTLP as exponential_histogram with the unit {token}/s it becomes inference_tokens_per_second_per_second',
      'metrics.yaml inference_requests_total: shoe_size is neither structural nor infrastructure',
      'metrics.yaml buckets score: bounds must rise',
      'engines.yaml vllm vllm:num_requests_running: no metric of metrics.yaml is named inference_nothing',
      // Ray takes the table of vLLM over, and the mistake with it.
      'engines.yaml ray_serve_llm ray_vllm_num_requests_running: no metric of metrics.yaml is named inference_nothing',
      'outcomes.yaml finish_reasons: got fine; accepted: ok | refused | truncated | timeout | error | cancelled | empty',
    ]);
  });
});

describe('The tables of engines', () => {
  it('say what contradicts itself.', () => {
    const broken = structuredClone(conventions);
    const { sglang, tgi, nim } = broken.engines.engines;
    sglang.metrics[0].was = ['vllm:num_running'];
    sglang.ignored.push({ source: 'sglang:token_usage', why: 'Nothing.' });
    tgi.metrics[0].value_labels = [{ source: 'a', target: 'outcome', values: {}, otherwise: 'other' }];
    nim.recognise = [];
    expect(contradictionsOf(broken)).toEqual([
      "engines.yaml sglang sglang:num_running_reqs: vllm:num_running doesn't begin with sglang:",
      "engines.yaml sglang ignored sglang:token_usage: is mapped, so it isn't ignored",
      'engines.yaml tgi tgi_batch_current_size: inference_requests_running has no label outcome',
      'engines.yaml tgi tgi_batch_current_size: outcome is other; accepted: ok | refused | truncated | timeout | error | cancelled | empty',
      'engines.yaml nim: needs either prefixes or recognise',
    ]);
  });

  it("take over another engine's with the beginning of the names replaced.", () => {
    const [first] = expandEngines(conventions.engines.engines).ray_serve_llm.metrics;
    expect(first.source).toBe('ray_vllm_num_requests_running');
    expect(conventions.engines.engines.vllm.metrics[0].source).toBe('vllm:num_requests_running');
  });
});

describe('Errors in a conventions file', () => {
  const messageOf = (text: string, schema: Parameters<typeof parseConventions>[2]): string => {
    try {
      parseConventions('conventions/x.yaml', text, schema);
    } catch (error) {
      expect(error).toBeInstanceOf(ConventionsError);
      return (error as Error).message;
    }
    return 'no error';
  };

  it('name the place, what came and what is accepted.', () => {
    const stage = '  - { name: a, parent: null, kind: sever, names: [], operations: [], help: A step. }';
    expect(messageOf(`stages:\n${stage}\n`, spansSchema)).toBe(
      'conventions/x.yaml:2:36 stages.0.kind: got "sever"; accepted: internal | server | client | producer | consumer',
    );
  });

  it('name a key that is not known.', () => {
    const stage = '  - { name: a, parent: null, kind: server, names: [], operations: [], help: A step., halp: B. }';
    expect(messageOf(`stages:\n${stage}\n`, spansSchema)).toMatch(/^conventions\/x.yaml:2:5 stages\.0: .*halp$/);
  });

  it('name a line that is no YAML.', () => {
    expect(messageOf('stages: [\n', spansSchema)).toMatch(/^conventions\/x\.yaml:\d+:\d+ isn't YAML: /);
  });

  it('name a metric of an unknown type.', () => {
    const text = 'token_buckets: []\nbuckets: {}\nmetrics:\n  gpu_x:\n    type: timer\n';
    expect(messageOf(text, metricsSchema)).toMatch(
      /^conventions\/x\.yaml:5:11 metrics\.gpu_x\.type: got "timer"; accepted: .*counter/,
    );
  });
});

describe('Labels that are never kept', () => {
  const rules = labels.never.map(({ rule, pattern }) => ({ rule, re: RE2JS.compile(pattern, RE2JS.CASE_INSENSITIVE) }));
  const rulesFor = (name: string): string[] => rules.filter(({ re }) => re.matches(name)).map(({ rule }) => rule);

  for (const { rule, examples } of labels.never) {
    it(`are found in every spelling: ${rule}.`, () => {
      for (const name of examples) expect(rulesFor(name), name).toContain(rule);
    });
  }

  it('are the same for the regular expressions of JavaScript.', () => {
    for (const { pattern, examples } of labels.never)
      for (const name of examples) expect(name).toMatch(new RegExp(`^(?:${pattern})$`, 'i'));
  });

  it('take no label of the taxonomy and no label that common exporters live by.', () => {
    const kept = [
      ...[labels.allowed, labels.structural, labels.infrastructure].flatMap((specs) => Object.keys(specs)),
      ...['token_type', 'user_tier', 'http.route', 'method', 'code', 'status', 'error_type', 'error.type', 'path'],
      ...['pod', 'mountpoint', 'device', 'cpu', 'mode', 'state', 'finished_reason', 'prompt_name', 'operation', 'zip'],
      ...['gen_ai.operation.name', 'gen_ai.provider.name', 'gen_ai_token_type', 'response_code', 'request_type', 'tip'],
      ...['url', 'uri', 'secret', 'owner_name', 'member', 'task_id', 'return_id', 'voice_mail', 'chip', 'context'],
    ];
    for (const name of kept) expect(rulesFor(name), name).toEqual([]);
  });
});

describe('Content attributes', () => {
  const matches = ({ match, name }: (typeof attributes.content)[number], attribute: string): boolean => {
    if (match === 'exact') return attribute === name;
    if (match === 'prefix') return attribute.startsWith(name);
    return RE2JS.compile(name).matches(attribute);
  };

  it('match their examples.', () => {
    for (const rule of attributes.content)
      for (const example of rule.examples) expect(matches(rule, example), `${rule.name} on ${example}`).toBe(true);
  });

  it('take none of the attributes that are understood.', () => {
    const understood = Object.entries(attributes.genai).flatMap(([name, { was }]) => [name, ...was]);
    for (const name of understood)
      expect(
        attributes.content.filter((rule) => matches(rule, name)).map((rule) => rule.name),
        name,
      ).toEqual([]);
  });
});

describe('Log line rules', () => {
  const rules = logs.rules.map((rule) => ({ ...rule, re: RE2JS.compile(rule.regex) }));
  type Rule = (typeof rules)[number];

  const matches = ({ needles, re, numeric }: Rule, line: string): boolean => {
    const matcher = re.matcher(line);
    if (!needles.some((needle) => line.includes(needle)) || !matcher.find()) return false;
    if (!numeric) return true;
    const value = Number(matcher.group(numeric.group));
    return numeric.operator === '>=' ? value >= numeric.value : value <= numeric.value;
  };

  it('are the 42 rules of 33 classes that the vocabulary lists.', () => {
    expect(rules).toHaveLength(42);
    expect(new Set(rules.map((rule) => rule.class)).size).toBe(33);
  });

  for (const rule of rules) {
    it(`match their example: ${rule.id}.`, () => {
      expect(matches(rule, rule.example)).toBe(true);
    });
  }

  it('give an example no other class, but for a line that tells two.', () => {
    for (const rule of rules) {
      const classes = new Set(rules.filter((other) => matches(other, rule.example)).map((other) => other.class));
      const two = rule.id === 'engine.dead/ollama';
      expect([...classes].sort(), rule.id).toEqual(two ? ['engine.dead', 'mem.cuda_malloc_oom'] : [rule.class]);
    }
  });

  it('leave routine lines alone.', () => {
    const routine = [
      'Engine 000: Avg prompt throughput: 1.0 tokens/s, Running: 1 reqs, Waiting: 0 reqs, GPU KV cache usage: 12.0%',
      'Decode batch, #running-req: 1, #token: 10, token usage: 0.02, #queue-req: 0',
      'INFO gpu_worker.py:440 Available KV cache memory: 41.20 GiB',
      'NVRM: loading NVIDIA UNIX x86_64 Kernel Module',
      'Shard 0 ready in 12.3s',
      'out of memory of what happened yesterday',
    ];
    for (const line of routine)
      expect(
        rules.filter((rule) => matches(rule, line)).map((rule) => rule.id),
        line,
      ).toEqual([]);
  });
});

describe('Printed values', () => {
  const printed: readonly (readonly [Plain, string])[] = [
    ["it's", `"it's"`],
    ['say "hi"', `'say "hi"'`],
    ['\\d+', "'\\\\d+'"],
    [Number.POSITIVE_INFINITY, 'Infinity'],
    [{ a: 1, b: undefined, 'c.d': [] }, "{ a: 1, 'c.d': [] }"],
    [{ le: { help: 'x', opaque: true } }, "{\n  le: { help: 'x', opaque: true },\n}"],
  ];
  it('read like written ones.', () => {
    for (const [value, text] of printed) expect(printValue(value)).toBe(text);
  });
});
