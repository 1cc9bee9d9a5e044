import type { PanelUnit } from '../../server/dashboards/index.ts';

const NONE = '–';
const BYTE_UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];
const THIN = '\u202f';

/**
 * A value for reading: three significant digits and its unit. Units are parted from numbers by a narrow space that doesn't
 * break.
 */
export function formatValue(value: number | null | undefined, unit: PanelUnit): string {
  if (value === null || value === undefined || Number.isNaN(value)) return NONE;
  if (value === Number.POSITIVE_INFINITY) return '∞';
  if (value === Number.NEGATIVE_INFINITY) return '−∞';
  switch (unit) {
    case 'seconds':
      return formatSeconds(value);
    case 'ratio':
      return `${formatNumber(value * 100)}${THIN}%`;
    case 'bytes':
      return formatBytes(value);
    case 'celsius':
      return `${formatNumber(value)}${THIN}°C`;
    case 'tokens':
      return `${formatCount(value)}${THIN}tok`;
    case 'tokens_per_second':
      return `${formatCount(value)}${THIN}tok/s`;
    case 'count':
      return formatCount(value);
  }
}

/** Labels of an axis' ticks: one unit for all of them, written once a tick, with as many digits as they need. */
export function formatTicks(ticks: readonly number[], unit: PanelUnit): string[] {
  const largest = Math.max(...ticks.map(Math.abs), 0);
  switch (unit) {
    case 'seconds': {
      if (largest < 1e-3) return ticks.map((t) => plainTick(t * 1e6, 'µs'));
      if (largest < 1) return ticks.map((t) => plainTick(t * 1e3, 'ms'));
      if (largest < 300) return ticks.map((t) => plainTick(t, 's'));
      return ticks.map((t) => plainTick(t / 60, 'm'));
    }
    case 'ratio':
      return ticks.map((t) => plainTick(t * 100, '%'));
    case 'bytes': {
      const power = bytePower(largest);
      return ticks.map((t) => plainTick(t / 1024 ** power, BYTE_UNITS[power]));
    }
    case 'celsius':
      return ticks.map((t) => plainTick(t, '°'));
    case 'tokens':
    case 'tokens_per_second':
    case 'count':
      return ticks.map((t) =>
        formatCount(t)
          .replace(/(\.\d*?)0+(?=\D|$)/, '$1')
          .replace(/\.(?=\D|$)/, ''),
      );
  }
}

function plainTick(value: number, unit: string): string {
  return value === 0 ? '0' : `${Number(value.toPrecision(6))}${THIN}${unit}`;
}

/** A duration in seconds: µs, ms, s, or minutes and seconds. */
export function formatSeconds(seconds: number): string {
  const size = Math.abs(seconds);
  if (size === 0) return `0${THIN}s`;
  if (size < 0.9995e-3) return `${formatNumber(seconds * 1e6)}${THIN}µs`;
  if (size < 0.9995) return `${formatNumber(seconds * 1e3)}${THIN}ms`;
  if (size < 119.5) return `${formatNumber(seconds)}${THIN}s`;
  if (size < 5400)
    return `${Math.floor(seconds / 60)}${THIN}m${THIN}${String(Math.floor(seconds % 60)).padStart(2, '0')}${THIN}s`;
  return `${formatNumber(seconds / 3600)}${THIN}h`;
}

function formatBytes(bytes: number): string {
  const power = bytePower(Math.abs(bytes));
  return `${formatNumber(bytes / 1024 ** power)}${THIN}${BYTE_UNITS[power]}`;
}

function bytePower(bytes: number): number {
  if (bytes < 1024) return 0;
  return Math.min(Math.floor(Math.log2(bytes) / 10), BYTE_UNITS.length - 1);
}

/** A count with k, M, G: 12.3k. */
export function formatCount(value: number): string {
  const size = Math.abs(value);
  if (size < 1000) return formatNumber(value);
  const power = Math.min(Math.floor(Math.log10(size) / 3), 4);
  return `${formatNumber(value / 1000 ** power)}${['', 'k', 'M', 'G', 'T'][power]}`;
}

/** Three significant digits without a power of ten or trailing zeros after a whole number. */
export function formatNumber(value: number): string {
  const size = Math.abs(value);
  if (size === 0) return '0';
  if (size >= 99.95) return value.toFixed(0);
  if (size >= 9.995) return value.toFixed(1);
  if (size >= 0.01) return value.toFixed(2);
  return String(Number(value.toPrecision(2)));
}

/** `le` of a token bucket: 256, 4k, 1M. Buckets of tokens are powers of two, so k is 1024 there. */
export function formatTokenBound(bound: number): string {
  if (bound === Number.POSITIVE_INFINITY) return '∞';
  if (bound >= 1024 ** 2) return `${Number((bound / 1024 ** 2).toPrecision(3))}M`;
  if (bound >= 1024) return `${Number((bound / 1024).toPrecision(3))}k`;
  return String(Number(bound.toPrecision(3)));
}

const CLOCK = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit' });
const DAY_AND_CLOCK = new Intl.DateTimeFormat('en-GB', {
  month: 'short',
  day: '2-digit',
  hour: '2-digit',
  minute: '2-digit',
});

/** Local time of day, to the second. */
export function formatClock(ms: number): string {
  return CLOCK.format(ms);
}

/** Local time of day, to the millisecond. */
export function formatClockMs(ms: number): string {
  return `${CLOCK.format(ms)}.${String(Math.floor(ms % 1000)).padStart(3, '0')}`;
}

/** Day, month and local time of day, to the minute. */
export function formatDay(ms: number): string {
  return DAY_AND_CLOCK.format(ms);
}

const STEPS = { second: 1, minute: 60, hour: 3600, day: 86_400 };

/** Labels of a time axis: clock time, to the second only where ticks are closer than a minute, and days where they turn. */
export function formatTimeTicks(ticks: readonly number[], incrementSeconds: number): string[] {
  return ticks.map((seconds) => {
    const date = new Date(seconds * 1000);
    const midnight = date.getHours() === 0 && date.getMinutes() === 0 && date.getSeconds() === 0;
    if (midnight || incrementSeconds >= STEPS.day) return `${date.getDate()} ${MONTHS[date.getMonth()]}`;
    const clock = `${pad(date.getHours())}:${pad(date.getMinutes())}`;
    return incrementSeconds < STEPS.minute ? `${clock}:${pad(date.getSeconds())}` : clock;
  });
}

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

function pad(n: number): string {
  return String(n).padStart(2, '0');
}
