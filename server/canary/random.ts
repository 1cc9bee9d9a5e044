import { randomInt } from 'node:crypto';

/** Where choices come from: a whole number from 0 to `below` − 1. */
export type Draw = (below: number) => number;

/** Choices that nobody can guess; for markers. */
export const drawUnguessable: Draw = (below) => randomInt(below);

/** Choices that are the same for the same seed (mulberry32); for messages that must be made again. */
export function drawSeeded(seed: number): Draw {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * below);
  };
}

/** One of a list. */
export function pick<T>(draw: Draw, list: readonly T[]): T {
  return list[draw(list.length)];
}
