// The process that calls NVML, started by nvml/source.ts. It answers each message with one; what the driver does to it
// doesn't touch the exporter, which ends it when it takes too long.
import { ExporterError } from '../../error.ts';
import { isSupportedAbi } from './layout.ts';
import { loadNvml } from './library.ts';
import { NvmlReader } from './reader.ts';
import type { ChildAnswer, ChildRequest } from './source.ts';

let reader: NvmlReader | undefined;

async function answer(request: ChildRequest): Promise<ChildAnswer> {
  try {
    if (!isSupportedAbi())
      throw new ExporterError({
        code: 'library_missing',
        where: 'NVML',
        got: `a machine of the kind ${process.arch}`,
        accepted: 'x64 or arm64',
        fix: 'leave NVML out with --source',
      });
    reader ??= new NvmlReader(await loadNvml(request.paths));
    return { id: request.id, report: reader.read() };
  } catch (error) {
    const code = error instanceof ExporterError ? error.code : 'failed';
    return { id: request.id, error: { code, message: (error as Error).message } };
  }
}

process.on('message', (request: ChildRequest) => {
  void answer(request).then((message) => process.send?.(message));
});
// Without its parent it has nobody to read for.
process.on('disconnect', () => process.exit(0));
