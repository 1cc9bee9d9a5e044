import { parseArgs } from 'node:util';
import type { CanaryReport } from '../canary/index.ts';
import { BarographError } from '../model/index.ts';

const FLAGS = {
  url: { type: 'string', default: 'http://127.0.0.1:7070' },
  token: { type: 'string' },
  json: { type: 'boolean', default: false },
} as const;

/** Has a running server run its content canary and prints the report. @returns 0 where it is clean, 1 otherwise. */
export async function canaryCommand(args: readonly string[]): Promise<number> {
  const { values } = parseArgs({ args: [...args], options: FLAGS });
  const report = await ask(values.url, values.token ?? process.env.BAROGRAPH_TOKEN);
  console.log(values.json ? JSON.stringify(report, null, 2) : printReport(report));
  return report.result === 'clean' ? 0 : 1;
}

async function ask(url: string, token: string | undefined): Promise<CanaryReport> {
  const address = new URL('/api/barograph/v1/canary', url);
  const headers = token === undefined ? undefined : { authorization: `Bearer ${token}` };
  const response = await fetch(address, { method: 'POST', headers }).catch((cause: unknown) => {
    throw unanswered(address, 'no answer', cause);
  });
  const answer = (await response.json().catch(() => undefined)) as { data?: CanaryReport; error?: string } | undefined;
  if (answer?.data) return answer.data;
  throw unanswered(address, `status ${response.status}${answer?.error === undefined ? '' : `: ${answer.error}`}`);
}

function unanswered(address: URL, got: string, cause?: unknown): BarographError {
  return new BarographError({
    code: 'canary_failed',
    status: 500,
    where: `canary › ${address.host}`,
    got,
    accepted: 'the report of a running Barograph',
    fix: 'start it with barograph serve, or name it with --url and its token with --token',
    cause,
  });
}

/** The report for people. */
function printReport({ result, paths, findings, searched, startedMs, endedMs, reason }: CanaryReport): string {
  const hidden = paths.reduce((sum, path) => sum + path.hidden, 0);
  const lines = [
    `hid ${hidden} prompts in what it sent on ${paths.length} paths, and searched all tables, ${searched.files} files ` +
      `(${(searched.bytes / 2 ** 20).toFixed(1)} MiB), ${searched.logLines} log lines and ${searched.answers} answers ` +
      `in ${((endedMs - startedMs) / 1000).toFixed(1)} s`,
    ...findings.map(
      ({ path, place, encoding, found, foundAs }) => `FOUND ${path} › ${place} (${encoding}) in ${found} (${foundAs})`,
    ),
  ];
  switch (result) {
    case 'clean':
      return [...lines, 'clean: none of it was found'].join('\n');
    case 'found':
      return [...lines, `NOT CLEAN: ${findings.length} places`].join('\n');
    case 'failed':
      return [...lines, `nothing was proved: ${reason}`].join('\n');
  }
}
