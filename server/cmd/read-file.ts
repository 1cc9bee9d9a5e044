import fs from 'node:fs';
import { readYaml, type YamlSource } from '../config/index.ts';
import { BarographError } from '../model/index.ts';

/** Reads a file of YAML. @throws BarographError `bad_config` with file and line. */
export function readYamlFile(file: string): YamlSource {
  try {
    return readYaml(fs.readFileSync(file, 'utf8'), file);
  } catch (cause) {
    if (cause instanceof BarographError) throw cause;
    throw new BarographError({
      code: 'bad_config',
      status: 500,
      where: file,
      got: `a file that can't be read (${(cause as { code?: string }).code ?? 'unknown'})`,
      cause,
    });
  }
}
