import fs from 'node:fs';
import os from 'node:os';
import { normalizePciBusId } from '../reading.ts';

/** Where Linux gives its log, a record a read. */
export const KERNEL_LOG = '/dev/kmsg';

const MOST_READS = 10_000;
const RECORD_BYTES = 8192;
// Some errors are written without `PCI:`.
const XID = /NVRM: Xid \((?:PCI:)?([0-9a-f:.]+)\): (\d{1,5})\b/gi;

/** Xid errors since the last look, by PCI address (`00000000:3b:00.0`) and number. */
export type XidCounts = ReadonlyMap<string, ReadonlyMap<number, number>>;

/**
 * Finds Xid errors in the kernel's log, where the driver writes each one. Records from before the exporter's start are
 * passed over: they were counted by whoever ran then. Reading wants CAP_SYSLOG or root.
 */
export class KernelLog {
  private readonly file: string;
  private readonly startedMicros: number;
  private fd: number | undefined;
  private isRefused = false;

  /** @param file The log; @param uptimeSeconds How long the kernel runs. */
  constructor(file: string, uptimeSeconds: number = os.uptime()) {
    this.file = file;
    this.startedMicros = uptimeSeconds * 1e6;
  }

  /** What came since the last look, or `undefined` where the log can't be read. Never blocks. */
  readXids(): XidCounts | undefined {
    if (!this.open()) return undefined;
    const counts = new Map<string, Map<number, number>>();
    for (let i = 0; i < MOST_READS; i++) {
      const text = this.readRecord();
      if (text === undefined) break;
      for (const line of text.split('\n')) this.count(line, counts);
    }
    return counts;
  }

  /** Closes the log. */
  close(): void {
    if (this.fd !== undefined) fs.closeSync(this.fd);
    this.fd = undefined;
    this.isRefused = true;
  }

  private open(): boolean {
    if (this.fd !== undefined) return true;
    if (this.isRefused) return false;
    try {
      this.fd = fs.openSync(this.file, fs.constants.O_RDONLY | fs.constants.O_NONBLOCK);
      return true;
    } catch {
      this.isRefused = true;
      return false;
    }
  }

  /** One record, or `undefined` where there is none at the moment. */
  private readRecord(): string | undefined {
    const buffer = Buffer.alloc(RECORD_BYTES);
    try {
      const length = fs.readSync(this.fd as number, buffer, 0, RECORD_BYTES, null);
      return length === 0 ? undefined : buffer.toString('utf8', 0, length);
    } catch (error) {
      // Records that were overwritten before they were read are skipped by the kernel, which says so once.
      return (error as { code?: string }).code === 'EPIPE' ? '' : undefined;
    }
  }

  /** A record is `priority,sequence,microseconds,flags;text`, and what follows it in lines of its own is of no use. */
  private count(line: string, counts: Map<string, Map<number, number>>): void {
    const head = /^\d+,\d+,(\d+),[^;]*;/.exec(line);
    if (head && Number(head[1]) < this.startedMicros) return;
    for (const [, address, number] of line.matchAll(XID)) {
      // The driver leaves the function out, which is always the first.
      const bus = normalizePciBusId(/\.[0-9a-f]$/i.test(address) ? address : `${address}.0`);
      const ofGpu = counts.get(bus) ?? new Map<number, number>();
      counts.set(bus, ofGpu.set(Number(number), (ofGpu.get(Number(number)) ?? 0) + 1));
    }
  }
}
