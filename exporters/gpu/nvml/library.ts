import { ExporterError } from '../../error.ts';

/** An argument of a function of NVML: `number` is an `unsigned int`, `bigint` a handle, `Buffer` a pointer to it. */
export type NvmlArgument = number | bigint | Buffer;

/**
 * The library `libnvidia-ml.so.1`, called by symbol. Structures are bytes that `layout.ts` lays out, so whoever binds the
 * library needs no more than integers and pointers.
 */
export interface NvmlLibrary {
  /**
   * Calls a function.
   *
   * @returns Its `nvmlReturn_t`; 13 (function not found) where the driver is too old or too new to have it.
   */
  call(symbol: string, ...args: readonly NvmlArgument[]): number;
}

/** Where the library is looked for, in order; containers have it where NVIDIA's runtime mounts it. */
export const NVML_PATHS: readonly string[] = [
  'libnvidia-ml.so.1',
  '/usr/lib/x86_64-linux-gnu/libnvidia-ml.so.1',
  '/usr/lib/aarch64-linux-gnu/libnvidia-ml.so.1',
  '/usr/lib64/libnvidia-ml.so.1',
  '/usr/lib/wsl/lib/libnvidia-ml.so.1',
  '/run/nvidia/driver/usr/lib/x86_64-linux-gnu/libnvidia-ml.so.1',
];

/** What is used of koffi. */
export interface Koffi {
  load(path: string): { func(prototype: string): (...args: NvmlArgument[]) => number };
}

/**
 * Binds the library with the npm package koffi, which is loaded where it is installed and never needed otherwise.
 *
 * @throws ExporterError `library_missing` that says whether koffi or NVIDIA's library is missing.
 */
export async function loadNvml(
  paths: readonly string[] = NVML_PATHS,
  importKoffi = importPackage,
): Promise<NvmlLibrary> {
  let koffi: Koffi;
  try {
    koffi = await importKoffi();
  } catch (cause) {
    throw new ExporterError({
      code: 'library_missing',
      where: 'NVML',
      got: 'no npm package koffi',
      fix: 'npm install koffi (beside @barograph/exporters), or leave NVML out with --source',
      cause,
    });
  }
  let lastCause: unknown;
  for (const path of paths) {
    try {
      return bind(koffi.load(path));
    } catch (cause) {
      lastCause = cause;
    }
  }
  throw new ExporterError({
    code: 'library_missing',
    where: 'NVML',
    got: 'no libnvidia-ml.so.1',
    accepted: `one of ${paths.join(', ')}, or --nvml-library`,
    fix: 'install the NVIDIA driver, or run the container with NVIDIA_DRIVER_CAPABILITIES=utility',
    cause: lastCause,
  });
}

async function importPackage(): Promise<Koffi> {
  // The name is a value so that type checking doesn't look for a package that is optional.
  const name = 'koffi';
  const loaded = (await import(name)) as { default?: Koffi } & Koffi;
  return loaded.default ?? loaded;
}

const FUNCTION_NOT_FOUND = 13;

function bind(library: ReturnType<Koffi['load']>): NvmlLibrary {
  const functions = new Map<string, ((...args: NvmlArgument[]) => number) | undefined>();
  const find = (symbol: string, args: readonly NvmlArgument[]): ((...args: NvmlArgument[]) => number) | undefined => {
    const prototype = prototypeOf(symbol, args);
    if (!functions.has(prototype)) {
      try {
        functions.set(prototype, library.func(prototype));
      } catch {
        functions.set(prototype, undefined);
      }
    }
    return functions.get(prototype);
  };
  return {
    call: (symbol, ...args) => find(symbol, args)?.(...args) ?? FUNCTION_NOT_FOUND,
  };
}

/** NVML's handles are opaque pointers, which the calling conventions of 64-bit Linux pass as 64-bit integers are. */
function prototypeOf(symbol: string, args: readonly NvmlArgument[]): string {
  const types = args.map((arg, i) => {
    if (typeof arg === 'number') return `uint32_t a${i}`;
    return typeof arg === 'bigint' ? `uint64_t a${i}` : `_Inout_ uint8_t *a${i}`;
  });
  return `int ${symbol}(${types.join(', ')})`;
}
