import { BarographError } from '../model/index.ts';

/** Arrivals and sizes of real requests, in columns. */
export interface RequestTrace {
  readonly count: number;
  /** Milliseconds since the first request, rising. */
  readonly offsetMs: Float64Array;
  /** At least 1. */
  readonly promptTokens: Uint32Array;
  /** At least 1. */
  readonly outputTokens: Uint32Array;
}

const HEADER = 'TIMESTAMP,ContextTokens,GeneratedTokens';
const ROW = /^(\d{4})-(\d\d)-(\d\d)[ T](\d\d):(\d\d):(\d\d(?:\.\d+)?)(?:\+00:00|Z)?,(\d+),(\d+)$/;
const MAX_ROWS = 5_000_000;

/**
 * Reads a trace in the format of the Azure LLM inference dataset (2023 and 2024): a header line, then one request a
 * line with its time in UTC, its prompt's tokens and its answer's tokens. Requests may be out of order by some rows.
 * @param source Names the file in errors.
 * @throws BarographError `bad_trace` with the line's number.
 */
export function parseTrace(text: string, source: string): RequestTrace {
  const lines = text.split(/\r?\n/);
  if (lines.at(-1) === '') lines.pop();
  if (lines[0]?.trim() !== HEADER) throw badTrace(source, 1, 'another header', HEADER);
  const count = lines.length - 1;
  if (count === 0 || count > MAX_ROWS) throw badTrace(source, 1, `${count} requests`, `1 to ${MAX_ROWS} requests`);
  const rows = lines.slice(1).map((line, i) => parseRow(line, i + 2, source));
  rows.sort((a, b) => a.timeMs - b.timeMs);
  const trace = {
    count,
    offsetMs: new Float64Array(count),
    promptTokens: new Uint32Array(count),
    outputTokens: new Uint32Array(count),
  };
  rows.forEach((row, i) => {
    trace.offsetMs[i] = row.timeMs - rows[0].timeMs;
    // The code trace has requests that were answered with nothing; an engine produces at least the end token.
    trace.promptTokens[i] = Math.max(1, row.promptTokens);
    trace.outputTokens[i] = Math.max(1, row.outputTokens);
  });
  return trace;
}

function parseRow(
  line: string,
  number: number,
  source: string,
): { timeMs: number; promptTokens: number; outputTokens: number } {
  const match = ROW.exec(line);
  if (!match) throw badTrace(source, number, 'another row', 'YYYY-MM-DD hh:mm:ss.fraction,tokens,tokens');
  const [, year, month, day, hour, minute, second, prompt, output] = match;
  const minuteMs = Date.UTC(Number(year), Number(month) - 1, Number(day), Number(hour), Number(minute));
  return { timeMs: minuteMs + Number(second) * 1000, promptTokens: Number(prompt), outputTokens: Number(output) };
}

function badTrace(source: string, line: number, got: string, accepted: string): BarographError {
  return new BarographError({
    code: 'bad_trace',
    status: 400,
    where: `${source}, line ${line}`,
    got,
    accepted,
    fix: 'use a file of Azure/AzurePublicDataset (AzureLLMInferenceTrace_*.csv) or one in its format',
  });
}
