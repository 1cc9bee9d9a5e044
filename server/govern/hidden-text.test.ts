import { describe, expect, it } from 'vitest';
import type { LogEntry } from '../model/index.ts';
import { createGovernor } from './governor.ts';
import { cutHidden, decodeRun, readings } from './hidden-text.ts';
import { NAMES } from './sniff.data.ts';
import { sniffValue } from './sniff.ts';

const PROSE = 'please tell me why my zanzibar does not work';
const base64 = Buffer.from(PROSE).toString('base64');

/** Ways in which a text is written otherwise. */
const FORMS: Readonly<Record<string, string>> = {
  base64,
  'base64 for addresses': Buffer.from(`${PROSE}??>>`).toString('base64url'),
  'base64 twice': Buffer.from(base64).toString('base64'),
  'base64 of UTF-16': Buffer.from(PROSE, 'utf16le').toString('base64'),
  'base64 that was cut off': base64.slice(0, -5),
  'base64 behind a name': `part-${base64}`,
  'base64 behind names': `data/upload_7-${base64}`,
  hexadecimal: Buffer.from(PROSE).toString('hex'),
  percent: [...Buffer.from(PROSE)].map((byte) => `%${byte.toString(16)}`).join(''),
  'percent twice': encodeURIComponent(encodeURIComponent(PROSE)),
  'unicode escapes': [...PROSE].map((letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, '0')}`).join(''),
  'byte escapes': [...PROSE].map((letter) => `\\x${letter.charCodeAt(0).toString(16)}`).join(''),
  'character references': [...PROSE].map((letter) => `&#${letter.charCodeAt(0)};`).join(''),
  'UTF-16 read as bytes': Buffer.from(PROSE, 'utf16le').toString('latin1'),
  'invisible characters': [...PROSE].join('\u200b'),
};

function entry(line: string): LogEntry {
  return { stream: ['job', 'vllm'], timestampNs: 5n, line, metadata: [] };
}

describe('hidden texts', () => {
  it.each(Object.entries(FORMS))('are read through %s', (_form, text) => {
    expect([...readings(text)].some((reading) => reading.startsWith('please tell me why'))).toBe(true);
    expect(sniffValue(text, 'personal')).toBeDefined();
  });

  it.each(Object.entries(FORMS))('are cut out of a line after %s', (_form, text) => {
    const line = createGovernor().governLog(entry(`INFO sent ${text} at 12:00`), 'otlp')?.line ?? '';
    expect([line, ...readings(line)].join('\n')).not.toContain('zanzibar');
  });

  it('leave names as they are', () => {
    for (const name of NAMES) expect([...readings(name)].filter((reading) => !reading.startsWith(name))).toEqual([]);
  });

  it('are none in digests, identifiers and keys', () => {
    for (const run of [
      'sha256e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
      '4bf92f3577b34da6a3ce929d0e0e4736',
      'NVPl2f9vQkm0Xz8TqWb6RgYhJcUeKdLs',
    ])
      expect(decodeRun(run)).toEqual([]);
  });

  it('leave addresses whose query holds no text', () => {
    const line = '"GET /search?page=2&sort=desc&filter=new&q=caf%C3%A9 HTTP/1.1" 200';
    expect(createGovernor().governLog(entry(line), 'otlp')?.line).toBe(line);
  });

  it('cost time that grows no faster than the text', () => {
    const isContent = () => false;
    for (const hostile of ['%', '%2', '\\u00', 'aA1', '&#', '?a=', '=', 'a+', '\\', '\0a'])
      for (const length of [20_000, 60_000]) {
        const text = hostile.repeat(length / hostile.length);
        const began = process.cpuUsage();
        cutHidden(text, isContent, '');
        for (const _ of readings(text));
        const { user, system } = process.cpuUsage(began);
        expect(user + system, hostile).toBeLessThan(400_000);
      }
  });
});
