import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { KernelLog, type XidCounts } from './kernel-log.ts';

let directory = '';
let file = '';
let log: KernelLog | undefined;

beforeEach(() => {
  directory = fs.mkdtempSync(path.join(os.tmpdir(), 'barograph-kmsg-'));
  file = path.join(directory, 'kmsg');
});
afterEach(() => {
  log?.close();
  fs.rmSync(directory, { recursive: true, force: true });
});

function plain(counts: XidCounts | undefined): Record<string, Record<string, number>> {
  return Object.fromEntries([...(counts ?? [])].map(([bus, ofGpu]) => [bus, Object.fromEntries(ofGpu)]));
}

describe('KernelLog', () => {
  it('counts each Xid once, by GPU, from its start on', () => {
    fs.writeFileSync(
      file,
      [
        '4,100,999999,-;NVRM: Xid (PCI:0000:3b:00): 31, pid=1, name=old',
        '4,101,5000000,-;NVRM: Xid (PCI:0000:3b:00): 79, pid=2, name=python3, GPU has fallen off the bus.',
        '4,101,5000001,-;NVRM: Xid (0000:3c:00): 14, Channel 00000001',
        '4,102,5000001,-;NVRM: Xid (PCI:0000:3B:00): 79, GPU has fallen off the bus.',
        '6,103,5000002,-;usb 1-1: new device',
        ' SUBSYSTEM=usb',
        '4,104,5000003,-;NVRM: Xid (PCI:0000:86:00.0): 94, Contained ECC error.',
        '',
      ].join('\n'),
    );
    log = new KernelLog(file, 1);
    expect(plain(log.readXids())).toEqual({
      '00000000:3b:00.0': { 79: 2 },
      '00000000:3c:00.0': { 14: 1 },
      '00000000:86:00.0': { 94: 1 },
    });
    expect(plain(log.readXids())).toEqual({});
    fs.appendFileSync(file, '4,105,6000000,-;NVRM: Xid (PCI:0000:86:00): 63, Row remapping event\n');
    expect(plain(log.readXids())).toEqual({ '00000000:86:00.0': { 63: 1 } });
  });

  it('that may not be read says nothing, rather than that there was nothing', () => {
    log = new KernelLog(path.join(directory, 'none'));
    expect(log.readXids()).toBeUndefined();
  });

  it('of this machine is read without blocking, where it may be', () => {
    log = new KernelLog('/dev/kmsg');
    for (let i = 0; i < 3; i++) log.readXids();
  });
});
