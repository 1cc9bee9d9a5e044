// The entry of the program. What the runtime compiles is cached, which halves the time until the program listens; the
// cache has to be on before anything else is loaded, and threads find it by the environment.
import { enableCompileCache, getCompileCacheDir } from 'node:module';

enableCompileCache();
const cache = getCompileCacheDir();
if (cache !== undefined) process.env.NODE_COMPILE_CACHE ??= cache;

const { main } = await import('./commands.ts');
try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  const { code, name } = error as { code?: string; name?: string };
  const isForPeople = name === 'BarographError' || code?.startsWith('ERR_PARSE_ARGS');
  console.error(isForPeople ? `barograph: ${(error as Error).message}` : error);
  process.exitCode = 1;
}
