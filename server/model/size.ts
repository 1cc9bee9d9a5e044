import { BarographError } from './error.ts';

const UNIT_BYTES: Readonly<Record<string, number>> = {
  '': 1,
  B: 1,
  KB: 2 ** 10,
  MB: 2 ** 20,
  GB: 2 ** 30,
  TB: 2 ** 40,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
  TiB: 2 ** 40,
};
const SIZE = /^(\d+(?:\.\d+)?)\s*([KMGT]i?B|B|)$/;

/**
 * Reads a size such as `50GiB` or `4096`, in bytes, rounded down. Units are powers of 1024, `GB` as well, as in Prometheus.
 * @throws BarographError `bad_size`.
 */
export function parseSizeBytes(text: string): number {
  const match = SIZE.exec(text.trim());
  const bytes = match ? Math.floor(Number(match[1]) * UNIT_BYTES[match[2]]) : Number.NaN;
  if (!Number.isSafeInteger(bytes)) {
    throw new BarographError({
      code: 'bad_size',
      status: 400,
      where: 'size',
      got: JSON.stringify(text.slice(0, 40)),
      accepted: 'a number with one of the units B, KB, MB, GB, TB, KiB, MiB, GiB, TiB, such as 50GiB',
    });
  }
  return bytes;
}

/** Bytes in the largest unit that divides them, such as `50GiB`; else in the largest, with one decimal. */
export function printSizeBytes(bytes: number): string {
  const units = ['TiB', 'GiB', 'MiB', 'KiB'];
  for (const unit of units)
    if (bytes > 0 && bytes % UNIT_BYTES[unit] === 0) return `${bytes / UNIT_BYTES[unit]}${unit}`;
  for (const unit of units) if (bytes >= UNIT_BYTES[unit]) return `${(bytes / UNIT_BYTES[unit]).toFixed(1)}${unit}`;
  return `${bytes}B`;
}
