#!/usr/bin/env node
// The program barograph-inference-exporter.
import { run } from './run.ts';

process.exitCode = await run(process.argv.slice(2), process.env, process);
