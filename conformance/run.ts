// Runs conformance scripts: npm run conformance [promql|logql|traceql] [-- --failures]
const LANGUAGES = ['promql', 'logql', 'traceql'] as const;
const [language, ...rest] = process.argv.slice(2);
const args = language?.startsWith('-') ? [language, ...rest] : rest;
const wanted = LANGUAGES.filter((name) => language === undefined || language.startsWith('-') || name === language);
if (wanted.length === 0) {
  console.error(
    `conformance: got the language ${JSON.stringify(language)}, accepted is one of: ${LANGUAGES.join(', ')}`,
  );
  process.exit(2);
}
let [passed, failed] = [0, 0];
for (const name of wanted) {
  const runner = (await import(`./${name}.ts`)) as {
    runConformance(a: string[]): Promise<{ passed: number; failed: number }>;
  };
  const totals = await runner.runConformance(args);
  passed += totals.passed;
  failed += totals.failed;
}
console.log(`${passed} passed, ${failed} failed`);
