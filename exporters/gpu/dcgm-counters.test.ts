import { describe, expect, it } from 'vitest';
import { DCGM_FIELDS } from '../generated/conventions.ts';
import { DCGM_COUNTERS, formatDcgmCounters } from './dcgm-counters.ts';
import { isKnownDcgmField } from './sources/dcgm-map.ts';

const rows = formatDcgmCounters()
  .split('\n')
  .filter((line) => line !== '' && !line.startsWith('#'))
  .map((line) => line.split(',').map((cell) => cell.trim()));

describe('formatDcgmCounters', () => {
  it('gives each line three cells: field, type, help.', () => {
    for (const row of rows)
      expect(row).toEqual([expect.stringMatching(/^DCGM_(?:FI|EXP)_/), expect.any(String), expect.any(String)]);
  });

  it('lists every field that the contract needs, and each field once.', () => {
    const listed = rows.map((row) => row[0]);
    expect(new Set(listed).size).toBe(listed.length);
    expect(DCGM_FIELDS.map(({ field }) => field).filter((field) => !listed.includes(field))).toEqual([]);
  });

  it('lists no field that would not be read.', () => {
    const unread = DCGM_COUNTERS.filter(({ field, csvType }) => csvType !== 'label' && !isKnownDcgmField(field));
    expect(unread).toEqual([]);
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
