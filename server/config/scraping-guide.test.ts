import fs from 'node:fs';
import path from 'node:path';
import { expect, it } from 'vitest';
import { parseConfig } from './config.ts';
import { takePrometheusFile } from './prometheus-file.ts';
import { readYaml } from './yaml-source.ts';

const GUIDE = path.join(import.meta.dirname, '..', '..', 'docs', 'guide', 'scraping.md');

it('the configuration in the scraping guide is accepted as it stands there', () => {
  const [block] = [...fs.readFileSync(GUIDE, 'utf8').matchAll(/```yaml\n(scrape:\n[\s\S]*?)```/g)].map(
    (match) => match[1],
  );
  const { scrape } = parseConfig(readYaml(block, 'barograph.yaml').value);
  expect(scrape.jobs.map(({ name }) => name)).toEqual(['vllm', 'gpu']);
});

it('plain numbers among labels are the text that was written', () => {
  const { value } = readYaml('labels: {version: 1.10, n: 5, hex: 0x1F}\nother: 1.10\n', 'a.yml');
  expect(value).toEqual({ labels: { version: '1.10', n: 5, hex: '0x1F' }, other: 1.1 });
});

it.each([
  ['global: {scrape_interval: 5s}\nglobals: {}\n', 'p.yml:2 › globals'],
  ['global: 5\n', 'p.yml:1 › global'],
  ['\nscrape_config_files: [a.yml]\n', 'p.yml:2 › scrape_config_files'],
  ['[]', 'p.yml:1'],
])('a Prometheus configuration %j is refused at its line', (text, message) => {
  expect(() => takePrometheusFile(readYaml(text, 'p.yml'))).toThrow(message);
});

it.each(['a: [', 'a: 1\na: 2\n', 'a: *nowhere'])('%j is no YAML, and is not quoted', (text) => {
  expect(() => readYaml(text, 'p.yml')).toThrow(/^p\.yml:\d: got something that is no YAML \([A-Z_a-z ]+\)/);
});
