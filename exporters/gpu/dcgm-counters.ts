import { DCGM_FIELDS, type DcgmField } from '../generated/conventions.ts';

const STATES: readonly (readonly [DcgmField['defaultState'], string])[] = [
  ['on', "On in dcgm-exporter's own file too."],
  ['off', "Commented out in dcgm-exporter's own file."],
  ['absent', "Not in dcgm-exporter's own file."],
];

/**
 * Formats the counters file that makes dcgm-exporter expose every field that the contract needs (its option -f). Such a
 * file replaces the exporter's own and isn't added to it, so fields that are on by default are listed as well. Profiling
 * fields (DCGM_FI_PROF_*) need a data centre GPU; the exporter leaves out what a GPU doesn't have.
 */
export function formatDcgmCounters(fields: readonly DcgmField[] = DCGM_FIELDS): string {
  const parts = STATES.map(([state, comment]) => {
    const chosen = fields.filter((field) => field.defaultState === state);
    return [`# ${comment}`, ...chosen.map(formatLine)].join('\n');
  });
  return `${['# DCGM field, Prometheus metric type, help', ...parts].join('\n\n')}\n`;
}

// The exporter splits a line at its commas, so the conventions allow none in a help text.
function formatLine({ field, csvType, help }: DcgmField): string {
  return `${field}, ${csvType}, ${help}`;
}
