import fs from 'node:fs';
import path from 'node:path';

const PACKAGE = path.join(import.meta.dirname, '..', 'package.json');

/** The version of the package that this program is a part of. */
export const VERSION: string = (JSON.parse(fs.readFileSync(PACKAGE, 'utf8')) as { version: string }).version;
