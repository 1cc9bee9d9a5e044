/** A set of addresses: `ip("10.0.0.1")`, `ip("10.0.0.1-10.0.0.9")`, `ip("10.0.0.0/8")`, or the same in IPv6. */
export interface IpSet {
  readonly v6: boolean;
  /** First and last address, inclusive. */
  readonly first: bigint;
  readonly last: bigint;
}

/** Reads an address set; `undefined` where it isn't one. */
export function parseIpSet(pattern: string): IpSet | undefined {
  const dash = pattern.indexOf('-');
  if (dash >= 0) {
    const [from, to] = [parseIp(pattern.slice(0, dash)), parseIp(pattern.slice(dash + 1))];
    if (from === undefined || to === undefined || from.v6 !== to.v6 || from.value > to.value) return undefined;
    return { v6: from.v6, first: from.value, last: to.value };
  }
  const [address, prefix, ...rest] = pattern.split('/');
  const ip = parseIp(address);
  if (ip === undefined || rest.length > 0) return undefined;
  const bits = ip.v6 ? 128 : 32;
  if (prefix !== undefined && (!/^\d{1,3}$/.test(prefix) || Number(prefix) > bits)) return undefined;
  const size = 1n << BigInt(bits - (prefix === undefined ? bits : Number(prefix)));
  const first = (ip.value / size) * size;
  return { v6: ip.v6, first, last: first + size - 1n };
}

const V4 = /(?<![\d.])\d{1,3}(?:\.\d{1,3}){3}(?!\d)/g;
const V6 = /(?<![0-9a-fA-F:.])[0-9a-fA-F]{0,4}:[0-9a-fA-F:]*:?[0-9a-fA-F.:]*/g;

/** Whether the text holds an address of the set anywhere. */
export function containsIp(set: IpSet, text: string): boolean {
  for (const [word] of text.matchAll(set.v6 ? V6 : V4)) {
    const ip = parseIp(word) ?? parseIp(word.replace(/[.:]$/, ''));
    if (ip !== undefined && ip.v6 === set.v6 && ip.value >= set.first && ip.value <= set.last) return true;
  }
  return false;
}

function parseIp(text: string): { v6: boolean; value: bigint } | undefined {
  if (!text.includes(':')) {
    const value = parseV4(text);
    return value === undefined ? undefined : { v6: false, value };
  }
  const value = parseV6(text);
  return value === undefined ? undefined : { v6: true, value };
}

function parseV4(text: string): bigint | undefined {
  const parts = text.split('.');
  if (parts.length !== 4) return undefined;
  let value = 0n;
  for (const part of parts) {
    if (!/^\d{1,3}$/.test(part) || Number(part) > 255) return undefined;
    value = (value << 8n) | BigInt(part);
  }
  return value;
}

function parseV6(text: string): bigint | undefined {
  const halves = text.split('::');
  if (halves.length > 2) return undefined;
  const groups = halves.map((half) => (half === '' ? [] : half.split(':')));
  const tail = groups[groups.length - 1];
  // The last 32 bits may be written as an IPv4 address.
  if (tail.length > 0 && tail[tail.length - 1].includes('.')) {
    const v4 = parseV4(tail.pop()!);
    if (v4 === undefined) return undefined;
    tail.push((v4 >> 16n).toString(16), (v4 & 0xffffn).toString(16));
  }
  const count = groups.reduce((n, group) => n + group.length, 0);
  if (halves.length === 2 ? count > 7 : count !== 8) return undefined;
  const all = halves.length === 2 ? [...groups[0], ...Array<string>(8 - count).fill('0'), ...groups[1]] : groups[0];
  let value = 0n;
  for (const group of all) {
    if (!/^[0-9a-fA-F]{1,4}$/.test(group)) return undefined;
    value = (value << 16n) | BigInt(`0x${group}`);
  }
  return value;
}
