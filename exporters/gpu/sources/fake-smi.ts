// Commands for tests that take nvidia-smi's place.
import fs from 'node:fs';
import path from 'node:path';

/** What a fake `nvidia-smi` does: which fields it knows, the values of each GPU, and its details. */
export interface FakeSmi {
  /** Values of each GPU by field. A field that isn't named here is refused, as drivers do. */
  readonly gpus: readonly Readonly<Record<string, string>>[];
  readonly xml?: string;
  readonly listing?: string;
  /** Instead of values: what it says, and its exit code. */
  readonly says?: { readonly stdout: string; readonly exitCode: number };
  /** Seconds that it sleeps first. */
  readonly sleeps?: number;
}

/**
 * Writes a shell script that behaves so.
 *
 * @returns Its path; each call adds a line to the file of the same name with `.calls`.
 */
export function writeFakeSmi(directory: string, fake: FakeSmi, name = 'nvidia-smi'): string {
  const script = path.join(directory, name);
  const data = `${script}.data`;
  fs.rmSync(data, { recursive: true, force: true });
  fs.mkdirSync(data);
  fake.gpus.forEach((gpu, i) => {
    fs.mkdirSync(path.join(data, String(i)));
    for (const [field, value] of Object.entries(gpu)) fs.writeFileSync(path.join(data, String(i), field), value);
  });
  fs.writeFileSync(path.join(data, 'xml'), fake.xml ?? '');
  fs.writeFileSync(path.join(data, 'listing'), fake.listing ?? '');
  fs.writeFileSync(path.join(data, 'says'), fake.says?.stdout ?? '');
  const lines = [
    '#!/bin/sh',
    `echo "$1" >> "${script}.calls"`,
    // The child that is waited for ends with the shell's own process, as a single program does.
    fake.sleeps === undefined ? '' : `exec sleep ${fake.sleeps}`,
    fake.says === undefined ? '' : `cat "${data}/says"; exit ${fake.says.exitCode}`,
    `if [ "$1" = -q ]; then [ -s "${data}/xml" ] || exit 1; cat "${data}/xml"; exit 0; fi`,
    `if [ "$1" = -L ]; then cat "${data}/listing"; exit 0; fi`,
    'fields=$(echo "$1" | sed \'s/--query-gpu=//; s/,/ /g\')',
    `for field in $fields; do`,
    `  [ -e "${data}/0/$field" ] || { echo "Field \\"$field\\" is not a valid field to query."; echo; exit 2; }`,
    'done',
    `for gpu in "${data}"/[0-9]*; do`,
    '  line=""',
    '  for field in $fields; do line="$line, $(cat "$gpu/$field")"; done',
    '  echo "$line" | cut -c3-',
    'done',
  ];
  fs.writeFileSync(script, `${lines.join('\n')}\n`, { mode: 0o755 });
  return script;
}

/** The fields of a GPU as driver 580 answers them (`nounits`), in use by a model. */
export function smiFields(index: number, changes: Readonly<Record<string, string>> = {}): Record<string, string> {
  return {
    uuid: `GPU-22222222-aaaa-bbbb-cccc-00000000000${index + 1}`,
    index: String(index),
    'pci.bus_id': `00000000:${index === 0 ? '18' : '2A'}:00.0`,
    name: 'NVIDIA H100 80GB HBM3',
    driver_version: '580.65.06',
    'memory.total': '81559',
    'memory.used': '70123',
    'memory.reserved': '551',
    'utilization.gpu': '98',
    'utilization.memory': '45',
    'temperature.gpu': '64',
    'temperature.memory': '77',
    'power.draw': '598.12',
    'enforced.power.limit': '700.00',
    'power.limit': '700.00',
    'clocks.sm': '1755',
    'clocks.mem': '2619',
    'clocks_event_reasons.active': '0x0000000000000004',
    'clocks_event_reasons_counters.sw_power_cap': '91403239',
    'clocks_event_reasons_counters.sync_boost': '0',
    'clocks_event_reasons_counters.sw_thermal_slowdown': '1500000',
    'clocks_event_reasons_counters.hw_thermal_slowdown': '0',
    'clocks_event_reasons_counters.hw_power_brake_slowdown': '0',
    'ecc.errors.corrected.volatile.total': '7',
    'ecc.errors.uncorrected.volatile.total': '0',
    ...changes,
  };
}

/** The same without fields, as an older driver has it. */
export function without(
  fields: Readonly<Record<string, string>>,
  ...patterns: readonly RegExp[]
): Record<string, string> {
  return Object.fromEntries(Object.entries(fields).filter(([name]) => !patterns.some((pattern) => pattern.test(name))));
}
