import { run } from '@barograph/exporters/gateway';
import { VERSION } from './version.ts';

/** Runs `barograph gateway`. @returns The exit code. */
export function gateway(args: readonly string[]): Promise<number> {
  return run(args, process, VERSION);
}
