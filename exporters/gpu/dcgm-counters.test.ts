import { describe, expect, it } from 'vitest';
import { DCGM_FIELDS } from '../generated/conventions.ts';
import { formatDcgmCounters } from './dcgm-counters.ts';

const rows = formatDcgmCounters()
  .split('\n')
  .filter((line) => line !== '' && !line.startsWith('#'))
  .map((line) => line.split(',').map((cell) => cell.trim()));

describe('formatDcgmCounters', () => {
  it('gives each line three cells: field, type, help.', () => {
    for (const row of rows)
      expect(row).toEqual([expect.stringMatching(/^DCGM_FI_/), expect.any(String), expect.any(String)]);
  });

  it('lists every field that the contract needs, once.', () => {
    expect(rows.map((row) => row[0]).sort()).toEqual(DCGM_FIELDS.map((field) => field.field).sort());
  });

  it('switches on what is off by default, such as SM occupancy.', () => {
    expect(rows.map((row) => row.slice(0, 2))).toContainEqual(['DCGM_FI_PROF_SM_OCCUPANCY', 'gauge']);
    expect(rows.map((row) => row.slice(0, 2))).toContainEqual(['DCGM_FI_DEV_POWER_VIOLATION', 'counter']);
    expect(rows.map((row) => row.slice(0, 2))).toContainEqual(['DCGM_FI_DEV_CLOCKS_EVENT_REASONS', 'gauge']);
  });

  it('ends in one line break and groups fields by their state in the default file.', () => {
    const fields = DCGM_FIELDS.filter((field) => ['DCGM_FI_DEV_FB_USED', 'DCGM_FI_DEV_FB_TOTAL'].includes(field.field));
    expect(formatDcgmCounters(fields)).toBe(`# DCGM field, Prometheus metric type, help

# On in dcgm-exporter's own file too.
DCGM_FI_DEV_FB_USED, gauge, Framebuffer memory used (in MiB).

# Commented out in dcgm-exporter's own file.

# Not in dcgm-exporter's own file.
DCGM_FI_DEV_FB_TOTAL, gauge, Framebuffer memory total (in MiB).
`);
  });
});
