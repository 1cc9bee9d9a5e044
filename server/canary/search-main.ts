// A process of its own, started by `search-process.ts`: what it is asked comes on standard input, the answer goes to
// standard output.
import os from 'node:os';
import { text } from 'node:stream/consumers';
import { type FileSearch, searchFiles } from './search-files.ts';

os.setPriority(os.constants.priority.PRIORITY_LOW);
process.stdout.write(JSON.stringify(await searchFiles(JSON.parse(await text(process.stdin)) as FileSearch)));
