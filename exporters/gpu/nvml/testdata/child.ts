// A reading process for tests, which does what the library's name says.
process.on('message', ({ id, paths }: { id: number; paths?: string[] }) => {
  switch (paths?.[0]) {
    case 'hang':
      // As a driver does it: in the middle of a call, deaf to everything but SIGKILL.
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
      break;
    case 'crash':
      process.exit(7);
      break;
    case 'fail':
      process.send?.({ id, error: { code: 'library_missing', message: 'NVML: got nothing; do something' } });
      break;
    default: {
      const measures = [{ kind: 'reasons', metric: 'gpu_throttle_seconds_total', mask: 4n }];
      process.send?.({ id, report: { devices: [{ uuid: 'GPU-1', state: 'ok', measures }], missing: [] } });
    }
  }
});
process.on('disconnect', () => process.exit(0));
