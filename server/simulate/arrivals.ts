import type { EventQueue } from './event-queue.ts';
import type { FleetSpec } from './fleet.ts';
import type { Random } from './random.ts';
import { PROMPT_CLASSES, type PromptClass } from './request.ts';
import type { RequestTrace } from './trace-file.ts';

/** A request as its user makes it. */
export interface Arrival {
  readonly region: string;
  readonly promptClass: PromptClass;
  readonly promptTokens: number;
  readonly naturalTokens: number;
  readonly maxTokens: number;
  /** Names the template that its prompt begins with. */
  readonly template: string;
  readonly templateTokens: number;
  /** The deployment that it must go to; absent where the tier decides. */
  readonly deployment?: string;
}

/** Sizes of a class of prompts: medians and spreads (of the logarithm) in tokens. */
interface ClassSizes {
  readonly weight: number;
  readonly prompt: readonly [median: number, sigma: number];
  readonly output: readonly [median: number, sigma: number];
  readonly maxTokens: number;
  /** Tokens of its system prompts and few-shot examples, which requests share. */
  readonly templates: readonly number[];
}

// Mixed so that the whole lies between the two services of the Azure LLM inference trace 2023 (conversation: median
// prompt about 1,020 tokens and answer 129; code: 1,500 and 8), with more long answers, as chats have had since.
const CLASSES: Readonly<Record<PromptClass, ClassSizes>> = {
  chat: { weight: 42, prompt: [420, 0.95], output: [190, 0.8], maxTokens: 2048, templates: [96, 240, 410] },
  rag: { weight: 26, prompt: [2600, 0.45], output: [160, 0.6], maxTokens: 1024, templates: [320, 640] },
  code: { weight: 14, prompt: [1900, 0.7], output: [60, 1.1], maxTokens: 768, templates: [180, 900] },
  summarise: { weight: 8, prompt: [6500, 0.6], output: [220, 0.5], maxTokens: 1024, templates: [140] },
  extract: { weight: 10, prompt: [700, 0.7], output: [40, 0.6], maxTokens: 256, templates: [520, 260] },
};
const LONGEST_PROMPT = 30_000;

/** How far each region's clock is from UTC, in hours; people ask most in their afternoon. */
const REGION_UTC_HOURS: Readonly<Record<string, number>> = { 'eu-west': 1, 'us-east': -5 };
const BUSIEST_HOUR = 15;
const DAILY_SWING = 0.35;
/** Bursts: every this many seconds on average, for this many, this many times the traffic. */
const BURST_EVERY_S = 420;
const BURST_LASTS_S = 35;
const BURST_FACTOR = 2;

/** Where requests come from. */
export interface ArrivalsOptions {
  readonly fleet: FleetSpec;
  readonly random: Random;
  readonly events: EventQueue;
  /** Times the fleet's usual traffic, or times a trace's own speed; > 0. */
  readonly rate: number;
  readonly trace?: RequestTrace;
  readonly onArrival: (arrival: Arrival, nowMs: number) => void;
}

/** Traffic that an incident adds. */
export interface ExtraTraffic {
  readonly region: string;
  readonly deployment: string;
  readonly requestsPerSecond: number;
  readonly promptClass: PromptClass;
  readonly medianPromptTokens: number;
  readonly endMs: number;
}

/** Plans the arrivals of the whole run, one after the other: from a trace, again and again, or from distributions. */
export function startArrivals(options: ArrivalsOptions): void {
  if (options.trace) replay(options, options.trace);
  else startPoisson(options);
}

/** Adds a stream of long prompts until its end. */
export function addTraffic(options: ArrivalsOptions, extra: ExtraTraffic): void {
  const { random, events } = options;
  const next = (nowMs: number): void => {
    events.at(nowMs + random.exponential(1000 / extra.requestsPerSecond), (at) => {
      if (at >= extra.endMs) return;
      const prompt = random.logNormal(extra.medianPromptTokens, 0.25);
      const drawn = draw(random, extra.promptClass, prompt, undefined);
      options.onArrival({ ...drawn, region: extra.region, deployment: extra.deployment }, at);
      next(at);
    });
  };
  next(events.nowMs);
}

/** A Poisson process whose rate follows the regions' days and bursts, by thinning (Lewis and Shedler 1979). */
function startPoisson(options: ArrivalsOptions): void {
  const { random, events, fleet } = options;
  const baseRate = fleet.requestsPerSecond * options.rate;
  const ceiling = baseRate * (1 + DAILY_SWING) * BURST_FACTOR;
  const weights = fleet.regions.map((region) => region.weight);
  const classWeights = PROMPT_CLASSES.map((name) => CLASSES[name].weight);
  let burstEndMs = 0;
  let nextBurstMs = events.nowMs + random.exponential(BURST_EVERY_S * 1000);
  const next = (nowMs: number): void => {
    events.at(nowMs + random.exponential(1000 / ceiling), (at) => {
      if (at >= nextBurstMs) {
        burstEndMs = at + random.exponential(BURST_LASTS_S * 1000);
        nextBurstMs = burstEndMs + random.exponential(BURST_EVERY_S * 1000);
      }
      let total = 0;
      for (let i = 0; i < weights.length; i++) {
        const { name, weight } = fleet.regions[i];
        weights[i] = weight * dailyFactor(name, at);
        total += weights[i];
      }
      const factor = total * (at < burstEndMs ? BURST_FACTOR : 1);
      if (random.chance((baseRate * factor) / ceiling)) {
        const promptClass = PROMPT_CLASSES[random.weighted(classWeights)];
        const region = fleet.regions[random.weighted(weights)].name;
        options.onArrival({ ...draw(random, promptClass), region }, at);
      }
      next(at);
    });
  };
  next(events.nowMs);
}

/** Share of a region's average traffic at this time of day. */
export function dailyFactor(region: string, timeMs: number): number {
  const hour = timeMs / 3_600_000 + (REGION_UTC_HOURS[region] ?? 0);
  return 1 + DAILY_SWING * Math.cos((2 * Math.PI * (hour - BUSIEST_HOUR)) / 24);
}

function replay(options: ArrivalsOptions, trace: RequestTrace): void {
  const { random, events, fleet } = options;
  const regionWeights = fleet.regions.map((region) => region.weight);
  let row = 0;
  let lapStartMs = events.nowMs;
  const next = (): void => {
    events.at(lapStartMs + trace.offsetMs[row] / options.rate, (at) => {
      const prompt = trace.promptTokens[row];
      const output = trace.outputTokens[row];
      const region = fleet.regions[random.weighted(regionWeights)].name;
      options.onArrival({ ...draw(random, likelyClass(random, prompt, output), prompt, output), region }, at);
      row++;
      if (row === trace.count) {
        row = 0;
        // The pause of an average gap, so that a trace of one row doesn't repeat without time passing.
        lapStartMs = at + Math.max(1, trace.offsetMs[trace.count - 1] / options.rate / trace.count);
      }
      next();
    });
  };
  next();
}

/** Draws what isn't given. */
function draw(random: Random, promptClass: PromptClass, prompt?: number, output?: number): Omit<Arrival, 'region'> {
  const sizes = CLASSES[promptClass];
  const promptTokens = clampTokens(prompt ?? random.logNormal(...sizes.prompt), LONGEST_PROMPT);
  const naturalTokens = clampTokens(output ?? random.logNormal(...sizes.output), LONGEST_PROMPT);
  const template = random.int(sizes.templates.length);
  return {
    promptClass,
    promptTokens,
    naturalTokens,
    maxTokens: output === undefined ? sizes.maxTokens : Math.max(sizes.maxTokens, 2048),
    template: `${promptClass}/${template}`,
    templateTokens: Math.min(sizes.templates[template], Math.floor(promptTokens * 0.7)),
  };
}

/** The class that a trace's row belongs to, drawn by how well its sizes fit each. */
function likelyClass(random: Random, prompt: number, output: number): PromptClass {
  const fits = PROMPT_CLASSES.map((name) => {
    const { weight, prompt: promptSizes, output: outputSizes } = CLASSES[name];
    return weight * logNormalFit(prompt, ...promptSizes) * logNormalFit(output, ...outputSizes) + 1e-12;
  });
  return PROMPT_CLASSES[random.weighted(fits)];
}

/** The log-normal density at a value, up to a factor that depends on the value alone. */
function logNormalFit(value: number, median: number, sigma: number): number {
  const z = Math.log(value / median) / sigma;
  return Math.exp(-0.5 * z * z) / sigma;
}

function clampTokens(tokens: number, most: number): number {
  return Math.min(most, Math.max(1, Math.round(tokens)));
}
