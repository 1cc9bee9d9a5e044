#!/usr/bin/env node
// The program barograph-gateway.
import { run } from '../gateway/index.ts';
import { VERSION } from './version.ts';

process.exitCode = await run(process.argv.slice(2), process, VERSION);
