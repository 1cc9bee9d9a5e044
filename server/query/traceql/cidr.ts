import { BlockList, isIP } from 'node:net';

/** A network: an address and how many of its leading bits count. */
export interface Network {
  readonly address: string;
  readonly bits: number;
  readonly family: 'ipv4' | 'ipv6';
}

/** Reads `10.0.0.0/8` or `fd00::/8`; `undefined` where it is none. Bits behind the prefix may be set, and don't count. */
export function parseNetwork(text: string): Network | undefined {
  const match = /^([^/%]+)\/(\d{1,3})$/.exec(text);
  if (!match) return undefined;
  const version = isIP(match[1]);
  const bits = Number(match[2]);
  if (version === 0 || bits > (version === 4 ? 32 : 128)) return undefined;
  return { address: match[1], bits, family: version === 4 ? 'ipv4' : 'ipv6' };
}

/**
 * A test whether a value is the text of an IP address in one of the networks. An IPv4 address that is written as an IPv6
 * one (`::ffff:10.0.0.1`) is the IPv4 address; one with a zone (`fe80::1%eth0`) is in no network.
 */
export function compileNetworks(networks: readonly string[]): (value: unknown) => boolean {
  const list = new BlockList();
  for (const text of networks) {
    const network = parseNetwork(text);
    if (network !== undefined) list.addSubnet(network.address, network.bits, network.family);
  }
  return (value) => {
    if (typeof value !== 'string' || value.includes('%')) return false;
    const version = isIP(value);
    return version !== 0 && list.check(value, version === 4 ? 'ipv4' : 'ipv6');
  };
}
