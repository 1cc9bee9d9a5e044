import type { DeviceState } from '../reading.ts';

/** The values of `nvmlReturn_t` that are told apart. */
export const NVML = {
  success: 0,
  notSupported: 3,
  noPermission: 4,
  insufficientSize: 7,
  driverNotLoaded: 9,
  timeout: 10,
  functionNotFound: 13,
  gpuIsLost: 15,
  resetRequired: 16,
  versionMismatch: 18,
} as const;

/** What a return value says of the GPU, or `undefined` where it says nothing of it. */
export function stateOfCode(code: number): DeviceState | undefined {
  if (code === NVML.gpuIsLost) return 'lost';
  return code === NVML.resetRequired ? 'reset_required' : undefined;
}

/** A return value in words, with what to do. */
export function explainCode(code: number): { got: string; fix: string } {
  switch (code) {
    case NVML.noPermission:
      return { got: 'no permission (4)', fix: 'run as root or give the user /dev/nvidia*' };
    case NVML.driverNotLoaded:
      return { got: 'a driver that is not loaded (9)', fix: 'modprobe nvidia, and look at the kernel log' };
    case NVML.versionMismatch:
      return {
        got: 'a library and a kernel module of different versions (18)',
        fix: 'reboot, or reload the kernel module after the driver update',
      };
    case NVML.gpuIsLost:
      return { got: 'a GPU that is lost (15)', fix: 'look for Xid 79 in the kernel log; the node needs a reboot' };
    case NVML.resetRequired:
      return { got: 'a GPU that needs a reset (16)', fix: 'drain the node and run nvidia-smi --gpu-reset' };
    default:
      return { got: `the error ${code} of NVML`, fix: 'look at the kernel log for NVRM' };
  }
}
