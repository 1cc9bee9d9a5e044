import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { labelsFromRecord, labelsToRecord } from '../../model/index.ts';
import { detectLevel } from './detected-level.ts';
import { ALL_LABELS, WantedLabels } from './label-name.ts';
import { LineState } from './line-state.ts';
import {
  convertBytes,
  convertDurationNs,
  convertFloat,
  parseDurationNs,
  printDurationNs,
  quote,
  unquote,
} from './literal.ts';
import { containsIp, parseIpSet } from './stages/ip.ts';
import { extractJson, parseJsonPath } from './stages/json.ts';
import { extractLogfmt } from './stages/logfmt.ts';
import { parsePattern, testPattern } from './stages/pattern.ts';
import { applyTemplate, templateLabels } from './template/apply.ts';
import { parseTemplate } from './template/parse.ts';

function stateOf(line: string, stream: Record<string, string> = {}): LineState {
  const state = new LineState();
  state.reset(labelsFromRecord(stream), [], 0n, line);
  return state;
}

function jsonLabels(line: string, wanted = ALL_LABELS): Record<string, string> & { error?: string } {
  const state = stateOf(line);
  extractJson(state, wanted);
  return { ...labelsToRecord(state.allLabels()), ...(state.error === '' ? {} : { error: state.error }) };
}

/** The labels of an object by the plainest means: `JSON.parse`, then a walk. */
function flatten(
  value: Record<string, unknown>,
  prefix = '',
  out: Record<string, string> = {},
): Record<string, string> {
  for (const [key, inner] of Object.entries(value)) {
    const name = prefix === '' ? key : `${prefix}_${key}`;
    if (typeof inner === 'object' && inner !== null && !Array.isArray(inner))
      flatten(inner as Record<string, unknown>, name, out);
    else if (inner !== null && !Array.isArray(inner) && !(name in out)) out[name] = String(inner);
  }
  return out;
}

describe('json', () => {
  const key = fc.stringMatching(/^[a-z]{1,3}$/);
  const object = fc.letrec<{ value: unknown; object: Record<string, unknown> }>((tie) => ({
    value: fc.oneof(
      fc.string(),
      fc.integer(),
      fc.boolean(),
      fc.constant(null),
      fc.array(fc.integer(), { maxLength: 3 }),
      tie('object'),
    ),
    object: fc.dictionary(key, tie('value'), { maxKeys: 4 }),
  })).object;

  test('finds what JSON.parse finds', () => {
    fc.assert(
      fc.property(object, (value) => {
        expect(jsonLabels(JSON.stringify(value))).toEqual(flatten(value));
      }),
    );
  });

  test('a text that was cut fails, or lost nothing but its end', () => {
    fc.assert(
      fc.property(object, fc.nat(), (value, cut) => {
        const text = JSON.stringify(value);
        expect(jsonLabels(text.slice(0, cut % text.length)).error).toBe('JSONParserErr');
      }),
    );
  });

  test('extracts only what is wanted', () => {
    const wanted = new WantedLabels(new Set(['a_b', 'c_extracted']));
    expect(jsonLabels('{"a":{"b":1,"x":2},"c":3,"d":{"e":4}}', wanted)).toEqual({ a_b: '1', c: '3' });
  });

  test('a line nested without end fails instead of overflowing', () => {
    expect(jsonLabels(`${'{"a":'.repeat(10_000)}1`).error).toBe('JSONParserErr');
    expect(jsonLabels(`{"a":${'['.repeat(10_000)}`).error).toBe('JSONParserErr');
  });

  test.each([
    ['a.b[0]["c d"]', ['a', 'b', 0, 'c d']],
    ['["x"]', ['x']],
    ['a[', undefined],
    ['a..b', undefined],
    ['.a', undefined],
    ['', undefined],
  ])('path %s', (path, steps) => expect(parseJsonPath(path)).toEqual(steps));
});

describe('logfmt', () => {
  const labels = (line: string) => {
    const state = stateOf(line);
    extractLogfmt(state, { strict: false, keepEmpty: false }, ALL_LABELS);
    return labelsToRecord(state.allLabels());
  };

  test('reads back any pairs that were written', () => {
    const pairs = fc.dictionary(fc.stringMatching(/^[a-z]{1,4}$/), fc.string({ minLength: 1 }), { maxKeys: 5 });
    fc.assert(
      fc.property(pairs, (record) => {
        const line = Object.entries(record)
          .map(([name, value]) => `${name}=${JSON.stringify(value)}`)
          .join(' ');
        expect(labels(line)).toEqual({ ...record });
      }),
    );
  });

  test('a bad pair costs only itself', () => {
    expect(labels('a=1 b"c=2 =3 d=x"y e=4 f=g=h i="5" bare')).toEqual({ a: '1', e: '4', i: '5' });
  });
});

describe('literals', () => {
  test.each([
    ['1h30m', 5400e9],
    ['1.5s', 1.5e9],
    ['-5s', -5e9],
    ['500µs', 500e3],
    ['0', 0],
  ])('duration %s', (text, value) => expect(convertDurationNs(text)).toEqual({ value }));

  test.each([
    ['1KB', 1000],
    ['1.5 kib', 1536],
    ['2,048', 2048],
    ['1.5B', 1],
  ])('bytes %s', (text, value) => expect(convertBytes(text)).toEqual({ value }));

  test.each([
    ['1e3', 1000],
    ['+Inf', Infinity],
    ['-infinity', -Infinity],
    ['0x1p-2', 0.25],
    ['.5', 0.5],
  ])('float %s', (text, value) => expect(convertFloat(text)).toEqual({ value }));

  test('say why they are none', () => {
    expect(convertDurationNs('90')).toEqual({ problem: 'missing unit in duration' });
    expect(convertDurationNs('1d')).toEqual({ problem: 'unknown unit in duration' });
    expect(convertBytes('1XB')).toEqual({ problem: 'unhandled size name' });
    expect(convertFloat('0x10')).toEqual({ problem: 'not a number' });
  });

  test('durations and texts read back what was printed', () => {
    fc.assert(
      fc.property(
        fc.bigInt({ min: 0n, max: 10n ** 18n }),
        (ns) => void expect(parseDurationNs(printDurationNs(ns))).toBe(ns),
      ),
    );
    fc.assert(fc.property(fc.string({ unit: 'binary' }), (text) => void expect(unquote(quote(text))).toBe(text)));
  });
});

describe('addresses', () => {
  test.each([
    ['10.0.0.0/8', 'from 10.1.2.3:80', true],
    ['10.0.0.0/8', 'from 110.1.2.3', false],
    ['10.0.0.1-10.0.0.9', '10.0.0.9.', true],
    ['10.0.0.1', '10.0.0.12', false],
    ['2001:db8::/32', 'at [2001:db8::1]:443', true],
    ['::1', 'fe80::1', false],
    ['::ffff:1.2.3.4', '::ffff:102:304', true],
  ])('%s in %s is %s', (pattern, text, found) => expect(containsIp(parseIpSet(pattern)!, text)).toBe(found));

  test.each(['', '1.2.3', '1.2.3.4/33', '1.2.3.256', '9.9.9.9-1.1.1.1', '::1::'])('%s is none', (pattern) => {
    expect(parseIpSet(pattern)).toBeUndefined();
  });
});

describe('patterns', () => {
  test.each([
    ['<_> baz', 'foo bar baz', true],
    ['<_> bar', 'foo bar baz', false],
    ['foo <_>', 'foo bar', true],
    ['foo <_>', 'foo ', false],
    ['foo', 'xfoo', false],
    ['', '', true],
  ])('%s covers %s: %s', (pattern, line, covers) => {
    const parts = parsePattern(pattern);
    expect(typeof parts !== 'string' && testPattern(parts, line)).toBe(covers);
  });

  test('two captures may not touch', () => expect(parsePattern('<a><b>')).toBe('found consecutive capture'));
});

describe('templates', () => {
  const apply = (template: string, stream: Record<string, string> = {}) =>
    applyTemplate(parseTemplate(template), stateOf('the line', stream));

  test.each([
    ['{{.a}}-{{ .b | upper }}', '1-X'],
    ['a {{- /* nothing */ -}} b', 'ab'],
    ['{{ if and (eq .b "x") (not .c) }}yes{{ else }}no{{ end }}', 'yes'],
    ['{{ with .c }}{{ . }}{{ else }}none{{ end }}', 'none'],
    ['{{ $x := .a | int }}{{ add $x 2 }}', '3'],
    ['{{ printf "%-4s|%05.2f|%q" .b 3.14159 .a }}', 'x   |03.14|"1"'],
    ['{{ range $i, $e := fromJson `["p","q"]` }}{{ $i }}{{ $e }}{{ end }}', '0p1q'],
    ['{{ __line__ | replace "line" "end" | trunc 7 }}', 'the end'],
    ['{{ regexReplaceAll "(h)(e)" __line__ "$2$1" }}', 'teh line'],
    ['{{ divf 1 4 }} {{ div 7 2 }} {{ mod 7 4 }} {{ round 1.256 2 }} {{ max 1 3 2 }}', '0.25 3 3 1.26 3'],
    ['{{ (fromJson `{"u":{"v":[1,2]}}`).u.v }} {{ index (fromJson `[5,6]`) 1 }}', '[1 2] 6'],
    ['{{ __timestamp__ | date "2006-01-02T15:04:05Z07:00" }}', '1970-01-01T00:00:00Z'],
    ['{{ default "d" .c }} {{ .a | b64enc }} {{ alignRight 3 .a }}', 'd MQ==   1'],
  ])('%s', (template, text) => expect(apply(template, { a: '1', b: 'x' })).toBe(text));

  test.each([
    ['{{ nosuch }}', 'function "nosuch" not defined'],
    ['{{ .a', 'unclosed action'],
    ['{{ if .a }}', 'unexpected EOF'],
    ['{{ upper }}', 'wrong number of args for upper: want 1 got 0'],
    ['{{ template "x" }}', 'is not supported'],
    ['{{ "a }}', 'unterminated quoted string'],
  ])('%s is refused', (template, message) => expect(() => parseTemplate(template)).toThrow(message));

  test('say which labels they read', () => {
    expect(templateLabels(parseTemplate('{{ .a }}{{ if .b }}{{ $.c }}{{ end }}'))).toEqual(new Set(['a', 'b', 'c']));
    expect(templateLabels(parseTemplate('{{ range $k, $v := . }}{{ $k }}{{ end }}'))).toBe('all');
  });

  test('no function fills the memory', () => {
    expect(() => apply('{{ repeat 1000000000 "abc" }}')).toThrow('repeat makes more than');
  });
});

describe('detected levels', () => {
  test.each([
    [{ level: 'WARN' }, 'ERROR text', 'warn'],
    [{}, '{"ts":1,"severity":"error"}', 'error'],
    [{}, 'ts=1 lvl=dbg msg=x', 'debug'],
    [{}, 'WARNING 10:12 [cache.py:88] swapping', 'warn'],
    [{}, 'nothing to see', 'unknown'],
  ])('%o %s', (stream, line, level) =>
    expect(detectLevel(labelsFromRecord(stream as Record<string, string>), [], line)).toBe(level),
  );
});
