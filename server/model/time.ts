import { BarographError } from './error.ts';

/** Nanoseconds in a millisecond. */
export const NS_PER_MS = 1_000_000n;

/** Nanoseconds since the epoch as milliseconds, rounded down. Exact for every int64. */
export function nsToMs(ns: bigint): number {
  return Number(ns >= 0n ? ns / NS_PER_MS : -((-ns + NS_PER_MS - 1n) / NS_PER_MS));
}

/** Milliseconds since the epoch as nanoseconds; a fraction of a millisecond is kept to the microsecond. */
export function msToNs(ms: number): bigint {
  const whole = Math.floor(ms);
  return BigInt(whole) * NS_PER_MS + BigInt(Math.round((ms - whole) * 1000) * 1000);
}

const UNIT_MS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
  y: 31_536_000_000,
};
const DURATION = /^(?:(\d+)y)?(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m(?!s))?(?:(\d+)s)?(?:(\d+)ms)?$/;
const DURATION_UNITS = ['y', 'w', 'd', 'h', 'm', 's', 'ms'];

/**
 * Reads a Prometheus duration such as `5m`, `1h30m` or `1d`, in milliseconds.
 * @throws BarographError `bad_duration`.
 */
export function parseDurationMs(text: string): number {
  const match = text === '' ? null : DURATION.exec(text);
  if (text === '0') return 0;
  if (!match) {
    throw new BarographError({
      code: 'bad_duration',
      status: 400,
      where: 'duration',
      got: JSON.stringify(text.slice(0, 40)),
      accepted: 'integers with units y, w, d, h, m, s, ms in that order, such as 5m or 1h30m',
    });
  }
  let ms = 0;
  for (let i = 0; i < DURATION_UNITS.length; i++)
    if (match[i + 1]) ms += Number(match[i + 1]) * UNIT_MS[DURATION_UNITS[i]];
  return ms;
}

/** Milliseconds as the shortest Prometheus duration, such as `1h30m`; negative ones have a leading `-`. */
export function printDurationMs(ms: number): string {
  if (ms === 0) return '0s';
  let rest = Math.abs(Math.round(ms));
  let text = '';
  for (const [unit, size] of [
    ['y', UNIT_MS.y],
    ['w', UNIT_MS.w],
    ['d', UNIT_MS.d],
    ['h', UNIT_MS.h],
    ['m', UNIT_MS.m],
    ['s', UNIT_MS.s],
    ['ms', 1],
  ] as const) {
    // Years and weeks are printed only where they are exact, as Prometheus does, so that 8d is not 1w1d.
    if ((unit === 'y' || unit === 'w') && rest % size !== 0) continue;
    const n = Math.floor(rest / size);
    if (n > 0) text += `${n}${unit}`;
    rest -= n * size;
  }
  return ms < 0 ? `-${text}` : text;
}
