// Runs a fuzzer: npm run fuzz content [-- MESSAGES] [--seed N] [--only MESSAGE]
import { parseArgs } from 'node:util';
import { fuzzContent, printLeaks } from './content.ts';

const { values, positionals } = parseArgs({
  options: { seed: { type: 'string' }, only: { type: 'string' } },
  allowPositionals: true,
});
const [name, count = '100000'] = positionals;
if (name !== 'content' || !/^\d{1,9}$/.test(count)) {
  console.error('fuzz: accepted is content, and how many messages: npm run fuzz content -- 100000');
  process.exit(2);
}
const seed = Number(values.seed ?? Date.now() % 1_000_000);
const only = values.only === undefined ? undefined : Number(values.only);
const messages = Number(count);
console.log(`content: ${messages} messages, seed ${seed}`);
const began = performance.now();
const report = await fuzzContent({
  seed,
  messages,
  only,
  onProgress: (done) => {
    if (done % 5000 === 0) console.log(`${done} sent after ${Math.round((performance.now() - began) / 1000)} s`);
  },
});
const { hidden, refused, stored, storedBytes, seconds, leaks } = report;
console.log(
  `${hidden} prompts hidden in ${report.messages} messages, ${refused} of them refused in whole or in part; ` +
    `${stored} rows and ${storedBytes} bytes stored in ${seconds.toFixed(1)} s`,
);
for (const [path, number] of Object.entries(report.hiddenByPath)) console.log(`  ${path}: ${number}`);
if (leaks.length > 0) console.log(printLeaks(report));
console.log(leaks.length === 0 ? 'none was found' : `${leaks.length} LEAKS`);
process.exitCode = leaks.length === 0 ? 0 : 1;
