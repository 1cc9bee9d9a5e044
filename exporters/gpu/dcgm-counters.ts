import { DCGM_FIELDS } from '../generated/conventions.ts';

/** A line of dcgm-exporter's counters file. */
export interface DcgmCounter {
  readonly field: string;
  readonly csvType: 'gauge' | 'counter' | 'label';
  /** Its state in dcgm-exporter's own counters file. */
  readonly defaultState: 'on' | 'off' | 'absent';
  /** A sentence without a comma, at which the exporter would split it. */
  readonly help: string;
}

/** What the exporter reads beside the contract's fields. A file replaces dcgm-exporter's own, so nothing may get lost. */
const BESIDE: readonly DcgmCounter[] = [
  line('DCGM_FI_DEV_FB_FREE', 'gauge', 'on', 'Framebuffer memory free (in MiB).'),
  line('DCGM_FI_DEV_MEM_CLOCK', 'gauge', 'on', 'Memory clock frequency (in MHz).'),
  line('DCGM_FI_DEV_MEMORY_TEMP', 'gauge', 'on', 'Memory temperature (in C).'),
  line('DCGM_FI_DEV_MEM_COPY_UTIL', 'gauge', 'on', 'Memory utilization (in %).'),
  line('DCGM_FI_PROF_GR_ENGINE_ACTIVE', 'gauge', 'on', 'Ratio of time the graphics engine is active.'),
  line('DCGM_FI_DEV_PCIE_REPLAY_COUNTER', 'counter', 'on', 'Total number of PCIe retries.'),
  line('DCGM_FI_DEV_CORRECTABLE_REMAPPED_ROWS', 'counter', 'on', 'Number of remapped rows for correctable errors.'),
  line('DCGM_FI_DEV_UNCORRECTABLE_REMAPPED_ROWS', 'counter', 'on', 'Number of remapped rows for uncorrectable errors.'),
  line('DCGM_FI_DEV_ROW_REMAP_FAILURE', 'gauge', 'on', 'Whether remapping of rows has failed.'),
  line('DCGM_FI_DRIVER_VERSION', 'label', 'on', 'Driver version.'),
  line('DCGM_EXP_XID_ERRORS_COUNT', 'gauge', 'off', 'Number of each XID within the window of --xid-count-window-size.'),
  line('DCGM_FI_DEV_RETIRED_SBE', 'counter', 'off', 'Number of retired pages due to single-bit errors.'),
  line('DCGM_FI_DEV_RETIRED_DBE', 'counter', 'off', 'Number of retired pages due to double-bit errors.'),
  line('DCGM_FI_DEV_NVLINK_CRC_FLIT_ERROR_COUNT_TOTAL', 'counter', 'off', 'Number of NVLink flow-control CRC errors.'),
  line('DCGM_FI_DEV_NVLINK_CRC_DATA_ERROR_COUNT_TOTAL', 'counter', 'off', 'Number of NVLink data CRC errors.'),
  line('DCGM_FI_DEV_NVLINK_REPLAY_ERROR_COUNT_TOTAL', 'counter', 'off', 'Number of NVLink retries.'),
  line('DCGM_FI_DEV_NVLINK_RECOVERY_ERROR_COUNT_TOTAL', 'counter', 'off', 'Number of NVLink recovery errors.'),
  line('DCGM_FI_DEV_ROW_REMAP_PENDING', 'gauge', 'absent', 'Whether a row waits for a reset to be remapped.'),
];

function line(
  field: string,
  csvType: DcgmCounter['csvType'],
  defaultState: DcgmCounter['defaultState'],
  help: string,
): DcgmCounter {
  return { field, csvType, defaultState, help };
}

/** Every field that the exporter reads of dcgm-exporter: those that the contract needs first. */
export const DCGM_COUNTERS: readonly DcgmCounter[] = [...DCGM_FIELDS, ...BESIDE];

const STATES: readonly (readonly [DcgmCounter['defaultState'], string])[] = [
  ['on', "On in dcgm-exporter's own file too."],
  ['off', "Commented out in dcgm-exporter's own file."],
  ['absent', "Not in dcgm-exporter's own file."],
];

/**
 * Formats the counters file that makes dcgm-exporter expose every field that is of use here (its option -f). Such a file
 * replaces the exporter's own and isn't added to it, so fields that are on by default are listed as well. Profiling
 * fields (DCGM_FI_PROF_*) need a data centre GPU; the exporter leaves out what a GPU doesn't have.
 */
export function formatDcgmCounters(counters: readonly DcgmCounter[] = DCGM_COUNTERS): string {
  const parts = STATES.map(([state, comment]) => {
    const chosen = counters.filter(({ defaultState }) => defaultState === state);
    return [`# ${comment}`, ...chosen.map(({ field, csvType, help }) => `${field}, ${csvType}, ${help}`)].join('\n');
  });
  return `${['# DCGM field, Prometheus metric type, help', ...parts].join('\n\n')}\n`;
}
