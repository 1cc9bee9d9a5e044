import {
  ALLOWED_LABELS,
  CONTENT_ATTRIBUTES,
  CONTENT_EVENTS,
  ENGINE_GAUGES,
  FLEET_LABELS,
  GENAI_ATTRIBUTES,
  INFRASTRUCTURE_LABELS,
  LABEL_ALIASES,
  type LabelSpec,
  LOG_CLASS_RULES,
  METRICS,
  NEVER_LABELS,
  STREAM_LABELS,
  STRUCTURAL_LABELS,
} from '../model/generated/conventions.ts';
import {
  type AliasPolicy,
  type ContentPolicy,
  DEFAULT_LIMITS,
  type LabelClass,
  type LabelPolicy,
  type MetricPolicy,
  type Policy,
  type ProfilePolicy,
} from './policy.ts';
import type { AggregationRule } from './rule.ts';

/** The policy that conventions state, with some parts replaced; `limits` and `content` are replaced member by member. */
export function createPolicy(changes: PolicyChanges = {}): Policy {
  const { limits, content, ...rest } = changes;
  return {
    ...conventionsPolicy(),
    ...rest,
    limits: { ...DEFAULT_LIMITS, ...limits },
    content: { ...conventionsContent(), ...content },
  };
}

/** Parts of a policy. */
export type PolicyChanges = Partial<Omit<Policy, 'limits' | 'content'>> & {
  readonly limits?: Partial<Policy['limits']>;
  readonly content?: Partial<ContentPolicy>;
};

function conventionsPolicy(): Omit<Policy, 'limits' | 'content'> {
  return {
    labels: {
      ...labelPolicies('allowed', ALLOWED_LABELS),
      ...labelPolicies('structural', STRUCTURAL_LABELS),
      ...labelPolicies('infrastructure', INFRASTRUCTURE_LABELS),
    },
    never: NEVER_LABELS.map(({ rule, pattern }) => ({ rule, pattern })),
    aliases: [DCGM_LINK_MODEL, ...GPU_JOBS, ...LABEL_ALIASES.map(aliasPolicy)],
    metrics: metricPolicies(),
    profiles: DEFAULT_PROFILES,
    relabelConfigs: [],
    fleetLabels: FLEET_LABELS,
    fleetResolutionMs: 15_000,
    streamLabels: STREAM_LABELS,
    listedLabels: Object.fromEntries(Object.values(METRICS).map((metric) => [metric.name, metric.labels])),
    gaugeRules: engineGaugeRules(),
    attributes: GENAI_ATTRIBUTES,
    personalRules: ['user', 'email', 'address', 'contact', 'credential'],
    textRules: ['prompt', 'text', 'error_text'],
    requestRules: ['request_id', 'session', 'trace'],
  };
}

// dcgm-exporter's link series spell the GPU's product name `model_name`, which elsewhere is a language model.
const DCGM_LINK_MODEL: AliasPolicy = {
  target: 'gpu_type',
  originals: [
    { name: 'modelName', keep: false },
    { name: 'model_name', keep: false },
  ],
  metricPrefix: 'DCGM_',
};

// A GPU's job is its exporter's, which says nothing of what runs on it.
const GPU_JOBS: readonly AliasPolicy[] = ['DCGM_', 'gpu_', 'nvidia_', 'amd_', 'rocm_'].map((metricPrefix) => ({
  target: '',
  originals: [{ name: 'job', keep: true }],
  metricPrefix,
}));

// The engines, gateways and GPU exporters that the contract knows: vLLM, SGLang, TGI, Triton, TensorRT-LLM, NIM,
// llama.cpp, Ray Serve, LiteLLM, Ollama, OpenTelemetry's GenAI metrics, DCGM, nvidia_gpu_exporter, AMD.
const ENGINE_NAMES: readonly string[] = [
  ...['gen_ai*', 'vllm:*', 'sglang:*', 'tgi_*', 'nv_*', 'trtllm_*', 'nim_*', 'llamacpp:*', 'ray_serve_*', 'ray_llm_*'],
  ...['litellm_*', 'ollama_*', 'DCGM_*', 'nvidia_*', 'amd_*', 'rocm_*'],
];

/** The contract's own metrics, those of known engines and exporters, and everything else. */
export const DEFAULT_PROFILES: readonly ProfilePolicy[] = [
  {
    match: ['inference_*', 'gpu_*'],
    contract: true,
    otherLabels: 'drop',
    infrastructure: 'keep',
    aliases: 'all',
  },
  { match: ENGINE_NAMES, aliases: 'all' },
  { match: ['*'], contract: false, otherLabels: 'keep', infrastructure: 'keep', aliases: 'qualified' },
];

function aliasPolicy(alias: (typeof LABEL_ALIASES)[number]): AliasPolicy {
  const kept = new Set(alias.kept);
  return { target: alias.target, originals: alias.originals.map((name) => ({ name, keep: kept.has(name) })) };
}

function labelPolicies(
  labelClass: LabelClass,
  specs: Readonly<Record<string, LabelSpec>>,
): Record<string, LabelPolicy> {
  const policies: Record<string, LabelPolicy> = {};
  for (const [name, { budget, values, opaque }] of Object.entries(specs))
    policies[name] = { class: labelClass, budget, values, opaque };
  return policies;
}

function metricPolicies(): Record<string, MetricPolicy> {
  const policies: Record<string, MetricPolicy> = {};
  for (const { name, type, aggregation, labelValues, fleet, help, unit } of Object.values(METRICS))
    policies[name] = { type, aggregation, labelValues: labelValues ?? {}, fleet, help, unit };
  return policies;
}

/** An engine's gauge is joined as the contract's gauge that it becomes. */
function engineGaugeRules(): Record<string, AggregationRule> {
  const rules: Record<string, AggregationRule> = {};
  for (const [source, target] of Object.entries(ENGINE_GAUGES)) {
    const { aggregation } = METRICS[target];
    if (aggregation) rules[source] = aggregation;
  }
  return rules;
}

function conventionsContent(): ContentPolicy {
  const named = (match: string) => CONTENT_ATTRIBUTES.filter((entry) => entry.match === match).map(({ name }) => name);
  return {
    exact: named('exact'),
    prefixes: named('prefix'),
    patterns: named('pattern'),
    events: CONTENT_EVENTS.map(({ name }) => name),
    logFields: LOG_CONTENT_FIELDS,
    descriptions: DESCRIPTIONS,
    errorNeedles: [...new Set(LOG_CLASS_RULES.flatMap(({ needles }) => needles))],
  };
}

// Beside the content attributes and the names that the taxonomy calls prompt or text. In lower case without separators,
// so that tool_arguments, toolArguments and tool.arguments are one. Request logs of vLLM, SGLang, TGI, llama.cpp, Ollama,
// LiteLLM, LangChain and the OpenAI client write these.
const LOG_CONTENT_FIELDS: readonly string[] = [
  ...['prompt', 'prompts', 'systemprompt', 'userprompt', 'prompttext', 'prompttokenids', 'promptembeds', 'rawprompt'],
  ...['inputids', 'outputids', 'inputtokenids', 'outputtokenids', 'tokenids', 'embedding', 'embeddings'],
  ...['messages', 'chatmessages', 'usermessage', 'systemmessage', 'assistantmessage', 'chathistory', 'conversation'],
  ...['content', 'contents', 'completion', 'completions', 'choices', 'delta', 'reasoningcontent', 'thinking'],
  ...['input', 'inputs', 'inputtext', 'inputdata', 'output', 'outputs', 'outputtext', 'outputdata', 'generatedtext'],
  ...[
    'response',
    'responsetext',
    'responsebody',
    'rawresponse',
    'requestbody',
    'rawrequest',
    'body',
    'payload',
    'jsondata',
  ],
  ...['text', 'texts', 'query', 'queries', 'question', 'answer', 'reply', 'utterance', 'transcript', 'instructions'],
  ...[
    'arguments',
    'toolarguments',
    'toolinput',
    'tooloutput',
    'toolresult',
    'toolcalls',
    'functioncall',
    'functionargs',
  ],
  ...['document', 'documents', 'pagecontent', 'passages', 'snippets', 'stopsequences', 'systeminstructions'],
];

const DESCRIPTIONS: readonly string[] = [
  ...['os.description', 'process.runtime.description', 'host.cpu.model.name', 'hw.model', 'gpu_type'],
  ...['message', 'msg', 'log', 'event', 'error', 'err', 'exception', 'exc_info', 'stack', 'stacktrace', 'stack_trace'],
  ...['traceback', 'detail', 'details', 'hint', 'warning', 'reason'],
];
