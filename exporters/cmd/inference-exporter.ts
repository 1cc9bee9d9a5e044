#!/usr/bin/env node
// The program barograph-inference-exporter.
import { run } from '../inference/index.ts';
import { VERSION } from './version.ts';

process.exitCode = await run(process.argv.slice(2), process.env, process, VERSION);
